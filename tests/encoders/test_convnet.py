import h5py
import keras
import numpy as np
import pytest

from keras_jtav.data.home import home_folder
from keras_jtav.encoders.convnet import build_convnet
from keras_jtav.features.spec import FeatureSpec

RELEASED = home_folder() / "weights" / "model_best.hdf5"


def spec(frames=65):
    return FeatureSpec(10, 3, 1, 30, 6, frames=frames, bins=96, image_size=64)


def clips(frames=65, rows=3):
    rng = np.random.default_rng(5)
    return rng.uniform(size=(rows, frames, 96)).astype("float32")


def released_arrays():
    """Return arrays in the shapes of the released tagger, by layer."""
    rng = np.random.default_rng(1)
    arrays = {"dense_1": [rng.normal(size=(32, 50)), np.zeros(50)]}
    for number in range(1, 6):
        channels = 1 if number == 1 else 32
        kernel = rng.normal(0, 0.1, (3, 3, channels, 32))
        arrays[f"conv2d_{number}"] = [kernel, rng.normal(size=32)]
        arrays[f"batch_normalization_{number}"] = [
            rng.uniform(0.5, 1.5, 32),
            rng.normal(size=32),
            rng.normal(size=32),
            rng.uniform(0.5, 1.5, 32),
        ]
    return arrays


@pytest.mark.parametrize("frames", [1, 65, 216])
def test_five_times_32_numbers_for_any_length(frames):
    assert build_convnet(spec(frames))(clips(frames)).shape == (3, 160)


def test_loudness_and_contrast_of_a_segment_do_not_matter():
    encoder = build_convnet(spec())
    np.testing.assert_allclose(
        encoder(clips() * 0.5 + 0.2), encoder(clips()), atol=1e-3
    )


def test_released_weights_are_read_by_name_and_stay_frozen(write_old_keras, tmp_path):
    arrays = released_arrays()
    path = write_old_keras(tmp_path / "model_best.hdf5", arrays)
    encoder = build_convnet(spec(), weights=str(path))
    assert encoder.trainable_weights == []
    blocks = encoder.get_layer("convnet")
    for name in ("conv2d_3", "batch_normalization_5"):
        for mine, theirs in zip(
            blocks.get_layer(name).get_weights(), arrays[name], strict=True
        ):
            np.testing.assert_allclose(mine, theirs, rtol=1e-6)


@pytest.mark.skipif(
    not RELEASED.exists(),
    reason=f"the released tagger, model_best.hdf5 (docs/tables.md), is not {RELEASED}",
)
def test_the_released_weights_load_and_tag():
    """The real file: its arrays are in place, and its own last layer tags a sound."""
    blocks = build_convnet(spec(), weights=str(RELEASED)).get_layer("convnet")
    with h5py.File(RELEASED) as file:
        root = file["model_weights"]
        for name in [layer.name for layer in blocks.layers if layer.weights]:
            arrays = [root[name][path] for path in root[name].attrs["weight_names"]]
            mine = blocks.get_layer(name).get_weights()
            for one, other in zip(mine, arrays, strict=True):
                np.testing.assert_array_equal(one, other)
        kernel, bias = (
            root["dense_1"][n] for n in root["dense_1"].attrs["weight_names"]
        )
        last = np.asarray(build_convnet(spec(469), weights=str(RELEASED))(clips(469)))
        tags = 1 / (1 + np.exp(-(last[:, -32:] @ kernel[:] + bias[:])))
    assert tags.shape == (3, 50)
    assert 0.5 < tags.sum(axis=1).min() < tags.sum(axis=1).max() < 10


def test_without_weights_all_of_it_learns():
    assert len(build_convnet(spec()).trainable_weights) == 5 * 4


def test_survives_its_file(tmp_path):
    encoder = build_convnet(spec())
    encoder.save(tmp_path / "convnet.keras")
    loaded = keras.saving.load_model(tmp_path / "convnet.keras")
    np.testing.assert_array_equal(loaded(clips()), encoder(clips()))


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(FileNotFoundError, match="no-such"):
        build_convnet(spec(), weights=str(tmp_path / "no-such.hdf5"))
