import keras
import numpy as np
import pytest

from keras_jtav.encoders.lyrics_han import build_lyrics_han
from keras_jtav.features.spec import FeatureSpec

SPEC = FeatureSpec(25, 3, 1, 30, 6, frames=50, bins=96, image_size=64)
SMALL = {"line_words": 10, "units": 4, "attention_units": 5}


@pytest.fixture
def encoder():
    keras.utils.set_random_seed(0)
    return build_lyrics_han(SPEC, **SMALL)


def posts(*lengths):
    words = np.zeros((len(lengths), 25, 1), "int32")
    for row, length in enumerate(lengths):
        words[row, :length, 0] = np.random.default_rng(row).integers(2, 30, length)
    return {"words": words, "supporting_words": np.zeros((len(lengths), 3, 1), "int32")}


def test_a_post_without_a_word_is_the_zero_vector(encoder):
    vectors = np.asarray(encoder(posts(0, 1, 10, 25)))
    assert vectors.shape == (4, 8)
    assert not vectors[0].any()
    assert np.abs(vectors[1:]).max(axis=1).min() > 0


def test_a_row_does_not_depend_on_its_batch(encoder):
    whole = np.asarray(encoder(posts(0, 7, 25)))
    features = posts(0, 7, 25)
    for row in range(3):
        alone = encoder({name: ids[row : row + 1] for name, ids in features.items()})
        np.testing.assert_allclose(np.asarray(alone)[0], whole[row], atol=1e-6)


def test_lines_are_read_apart(encoder):
    """Two lines that swap places keep their vectors, and the song's changes."""
    features = posts(20)
    other = {name: ids.copy() for name, ids in features.items()}
    other["words"][0, :10], other["words"][0, 10:20] = (
        features["words"][0, 10:20],
        features["words"][0, :10],
    )
    assert np.abs(np.asarray(encoder(other)) - np.asarray(encoder(features))).max() > 0
    lines = keras.Model(encoder.input, encoder.get_layer("word_attention").output[0])
    np.testing.assert_allclose(
        np.asarray(lines(other))[[1, 0]], np.asarray(lines(features))[:2], atol=1e-6
    )


def test_the_supporting_text_is_ignored(encoder):
    features = posts(12)
    other = {**features, "supporting_words": np.full((1, 3, 1), 5, "int32")}
    np.testing.assert_array_equal(encoder(other), encoder(features))


def test_survives_its_file(encoder, tmp_path):
    encoder.save(tmp_path / "han.keras")
    loaded = keras.saving.load_model(tmp_path / "han.keras")
    np.testing.assert_allclose(loaded(posts(3, 25)), encoder(posts(3, 25)), atol=1e-6)


def test_errors():
    with pytest.raises(ValueError, match="`line_words` must be at least 1"):
        build_lyrics_han(SPEC, line_words=0)
