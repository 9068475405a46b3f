"""What tests of encoders share."""

import h5py
import numpy as np
import pytest

from keras_jtav.features.spec import FeatureSpec


@pytest.fixture
def make_spec():
    """Return a small spec with some of its sizes replaced."""

    def make(**sizes):
        defaults = {
            "words": 4,
            "supporting_words": 2,
            "pieces": 1,
            "embedding_rows": 9,
            "embedding_dim": 5,
            "frames": 16,
            "bins": 12,
            "image_size": 32,
        }
        return FeatureSpec(**{**defaults, **sizes})

    return make


@pytest.fixture
def pictures():
    """Four random pictures of 32 x 32 pixels."""
    return np.random.default_rng(3).integers(0, 256, (4, 32, 32, 3)).astype("uint8")


@pytest.fixture
def write_old_keras():
    """Return a writer of weight files in the layout of Keras 1 and 2."""

    def write(path, arrays_by_layer):
        with h5py.File(path, "w") as file:
            file.attrs["layer_names"] = [name.encode() for name in arrays_by_layer]
            for layer, arrays in arrays_by_layer.items():
                group = file.create_group(layer)
                names = [f"{layer}_{i}:0".encode() for i in range(len(arrays))]
                group.attrs["weight_names"] = np.array(names, dtype="S")
                for name, array in zip(names, arrays, strict=True):
                    group[name.decode()] = array
        return path

    return write


@pytest.fixture
def randomize():
    """Return a function that gives every weight of a model new random values."""

    def fill(model, seed=5):
        rng = np.random.default_rng(seed)
        model.set_weights(
            [
                # Positive, so that they also serve as variances.
                rng.uniform(0.01, 0.1, weight.shape).astype("float32")
                for weight in model.get_weights()
            ]
        )
        return model

    return fill
