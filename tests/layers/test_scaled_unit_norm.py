import keras
import numpy as np
import pytest

from keras_jtav.layers import ScaledUnitNorm

VECTORS = np.array([[3, 4], [-0.6, 0.8], [0, 0]], "float32")


def test_hand_worked_vectors():
    # (3, 4) has the length 5: 10 * (3/5, 4/5). (-0.6, 0.8) has it already.
    expected = [[6, 8], [-6, 8], [0, 0]]
    np.testing.assert_allclose(ScaledUnitNorm()(VECTORS), expected, rtol=1e-6)


def test_without_a_scale_every_length_is_one(rng):
    vectors = rng.normal(size=(5, 7)).astype("float32")
    layer = ScaledUnitNorm(learn_scale=False)
    np.testing.assert_allclose(np.linalg.norm(layer(vectors), axis=1), 1, rtol=1e-6)
    np.testing.assert_allclose(layer(30 * vectors), layer(vectors), rtol=1e-5)
    assert not layer.weights


def test_the_scale_stays_between_its_bounds():
    layer = ScaledUnitNorm(initial_scale=3.0, min_scale=2.0, max_scale=8.0)
    layer.build((None, 2))
    for log_scale, length in ((np.log(1), 2), (np.log(5), 5), (np.log(9), 8)):
        layer.set_weights([np.float32(log_scale)])
        lengths = np.linalg.norm(layer(VECTORS), axis=1)
        np.testing.assert_allclose(lengths, [length, length, 0], rtol=1e-5)


def test_a_model_learns_the_scale():
    model = keras.Sequential([keras.Input((2,)), ScaledUnitNorm()])
    model.compile(keras.optimizers.Adam(0.1), "mse")
    targets = 25 * VECTORS[:2] / np.linalg.norm(VECTORS[:2], axis=1, keepdims=True)
    model.fit(VECTORS[:2], targets, epochs=60, verbose=0)
    assert np.exp(model.layers[0].get_weights()[0]) == pytest.approx(25, abs=1)


@pytest.mark.parametrize("scales", [(1, 0, 100), (4, 5, 100), (10, 5, 9)])
def test_scales_out_of_range_are_refused(scales):
    initial, lowest, highest = scales
    with pytest.raises(ValueError, match="`initial_scale` must lie between"):
        ScaledUnitNorm(True, initial, lowest, highest)


@pytest.mark.parametrize("learn_scale", [True, False])
def test_contract(check_contract, rng, learn_scale):
    vectors = rng.normal(size=(4, 5)).astype("float32")
    check_contract(ScaledUnitNorm(learn_scale), vectors=vectors)
