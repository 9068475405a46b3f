import keras
import librosa
import numpy as np
import pytest

from keras_jtav.encoders.mfcc import build_mfcc
from keras_jtav.features.spec import FeatureSpec

SPEC = FeatureSpec(10, 3, 1, 30, 6, frames=50, bins=96, image_size=64)


def clips():
    rng = np.random.default_rng(5)
    return rng.uniform(size=(3, 50, 96)).astype("float32")


def test_equals_librosa():
    vectors = np.asarray(build_mfcc(SPEC, coefficients=13)(clips()))
    for clip, vector in zip(clips(), vectors, strict=True):
        mfcc = librosa.feature.mfcc(S=clip.T, n_mfcc=13)
        expected = np.concatenate([mfcc.mean(axis=1), mfcc.std(axis=1)])
        np.testing.assert_allclose(vector, expected, atol=1e-4)


def test_nothing_learns_and_the_file_keeps_it(tmp_path):
    encoder = build_mfcc(SPEC)
    assert encoder.trainable_weights == []
    encoder.save(tmp_path / "mfcc.keras")
    loaded = keras.saving.load_model(tmp_path / "mfcc.keras")
    np.testing.assert_array_equal(loaded(clips()), encoder(clips()))


@pytest.mark.parametrize("coefficients", [0, 97])
def test_errors(coefficients):
    with pytest.raises(ValueError, match="from 1 to the 96 bins"):
        build_mfcc(SPEC, coefficients=coefficients)
