import keras
import numpy as np
import pytest

from keras_jtav.encoders.dcrnn import build_dcrnn
from keras_jtav.features.spec import FeatureSpec
from keras_jtav.layers import DenseCNNBlock

SMALL = {"filters": (3, 4), "units": 5, "dim": 6}


def spec(frames=50):
    return FeatureSpec(10, 3, 1, 30, 6, frames=frames, bins=96, image_size=64)


def clips(frames=50, rows=4):
    rng = np.random.default_rng(5)
    return rng.uniform(size=(rows, frames, 96)).astype("float32")


@pytest.mark.parametrize(("frames", "steps"), [(216, 14), (50, 4), (1, 1)])
def test_time_steps_of_the_rnn(frames, steps):
    encoder = build_dcrnn(spec(frames), **SMALL)
    # Two blocks halve twice each: ceil(frames / 16) steps of 96 / 16 * 4 values.
    assert encoder.get_layer("time_major").output.shape == (None, steps, 24)
    assert encoder(clips(frames)).shape == (4, 6)


def test_the_frames_of_a_step_stay_together():
    encoder = build_dcrnn(spec(216), **SMALL)
    steps = keras.Model(encoder.input, encoder.get_layer("time_major").output)
    quiet, loud = clips(216, rows=1), clips(216, rows=1)
    loud[:, 200:] += 1
    change = np.abs(steps(loud) - steps(quiet)).max(axis=(0, 2))
    assert change[0] == 0
    assert change[-1] > 0


def test_the_order_of_time_matters():
    keras.utils.set_random_seed(0)  # another draw may leave every ReLU at zero
    encoder = build_dcrnn(spec(64), **SMALL)
    assert np.abs(encoder(clips(64)) - encoder(clips(64)[:, ::-1])).max() > 1e-4


def test_one_block_for_each_number_of_filters():
    encoder = build_dcrnn(spec(), filters=(2, 3, 4), units=4, dim=5, momentum=0.8)
    blocks = [layer for layer in encoder.layers if isinstance(layer, DenseCNNBlock)]
    assert [block.filters for block in blocks] == [2, 3, 4]
    assert {block.momentum for block in blocks} == {0.8}


def test_statistics_over_time_reach_the_last_layer():
    encoder = build_dcrnn(spec(), statistics=True, **SMALL)
    last = encoder.get_layer("dense_2")
    assert last.input.shape == (None, 6 + 2 * 96)
    seen = np.asarray(keras.Model(encoder.input, last.input)(clips()))[:, 6:]
    expected = np.hstack([clips().mean(axis=1), clips().std(axis=1)])
    # Fresh batch normalisation divides by sqrt(1 + .001).
    np.testing.assert_allclose(seen * np.sqrt(1.001), expected, atol=1e-5)


def test_no_filters():
    with pytest.raises(ValueError, match="`filters` must name the filters of at least"):
        build_dcrnn(spec(), filters=())


def test_a_row_does_not_depend_on_its_batch():
    encoder = build_dcrnn(spec(), **SMALL)
    order = [2, 0, 3, 1]
    vectors = np.asarray(encoder(clips()))
    np.testing.assert_allclose(encoder(clips()[order]), vectors[order], atol=1e-6)
    np.testing.assert_allclose(encoder(clips()[:1]), vectors[:1], atol=1e-6)


def test_one_training_step_then_saved_and_loaded(tmp_path):
    encoder = build_dcrnn(spec(), **SMALL, dropout=0.1)
    encoder.compile("adam", "mse", run_eagerly=True)
    before = encoder.get_weights()
    encoder.fit(clips(), np.ones((4, 6), "float32"), verbose=0)
    for variable, old, new in zip(
        encoder.weights, before, encoder.get_weights(), strict=True
    ):
        assert np.any(old != new), variable.path
    encoder.save(tmp_path / "encoder.keras")
    loaded = keras.saving.load_model(tmp_path / "encoder.keras")
    np.testing.assert_allclose(loaded(clips()), encoder(clips()), atol=1e-6)
