import numpy as np
import pytest

from keras_jtav.layers import DenseCNNBlock


def test_hand_worked_block():
    block = DenseCNNBlock(filters=1, kernel_size=1, pool=(2, 1))
    x = np.array([1, 3, -2, 5], "float32").reshape(1, 4, 1, 1)
    block.build(x.shape)
    a1, a2, a3, last = (stage.layers[0] for stage in block.stages)
    for convolution, weight in ((a1, 1), (a2, 2), (a3, -1)):
        convolution.set_weights([np.full((1, 1, 1, 1), weight)])
    last.set_weights([np.array([1, 1]).reshape(1, 1, 2, 1)])
    # Batch normalisation starts as the identity but for its epsilon of .001.
    # A1: max of (1, 3) and of (0, 5) = 3, 5. A2: 2 A1 = 6, 10, and the 3-wide maximum
    # of stride 1 gives 10, 10. A3: relu(-10) = 0. Last: A1 + A3 = 3, 5, maximum 5.
    np.testing.assert_allclose(np.ravel(block(x)), [5], rtol=2e-3)


def test_the_fourth_stage_sees_the_first_and_the_third():
    block = DenseCNNBlock(filters=3)
    block.build((None, 8, 8, 2))
    channels = [stage.layers[0].kernel.shape[2] for stage in block.stages]
    assert channels == [2, 3, 3, 6]


@pytest.mark.parametrize(("frames", "bins"), [(216, 96), (50, 96), (1, 1), (5, 7)])
@pytest.mark.parametrize("pool", [(2, 2), (1, 3)])
def test_shape_rounds_up(frames, bins, pool):
    block = DenseCNNBlock(filters=2, pool=pool)
    x = np.zeros((1, frames, bins, 1), "float32")
    assert tuple(block(x).shape) == block.compute_output_shape(x.shape)


def test_a_row_does_not_depend_on_its_batch_at_inference(rng):
    x = rng.normal(size=(3, 9, 8, 1)).astype("float32")
    block = DenseCNNBlock(filters=2)
    np.testing.assert_allclose(block(x)[1:2], block(x[1:2]), atol=1e-6)


def test_momentum_reaches_every_normalisation():
    block = DenseCNNBlock(filters=2, momentum=0.8)
    assert [stage.layers[1].momentum for stage in block.stages] == [0.8] * 4


def test_contract(check_contract, rng):
    x = rng.normal(size=(4, 9, 8, 1)).astype("float32")
    check_contract(DenseCNNBlock(filters=2, pool=(2, 3)), inputs=x)
