from pathlib import Path

import numpy as np
import pytest

from keras_jtav.config import Config
from keras_jtav.corpus import build_vocabulary
from keras_jtav.data.post import Post
from keras_jtav.data.ready_features import ArrayStore, ReadyFeatures

POSTS = [
    Post("a", {"lyrics": "the sun is up", "caption": "sun"}),
    Post("b", {"lyrics": "rain on the roof"}),
]
SMALL = ("features.embedding_dim=8", "features.subwords=false")


def test_words_have_coordinates_of_size_one():
    vocabulary = build_vocabulary(Config().override(SMALL), POSTS)
    words = vocabulary.matrix[2:]
    assert words.shape == (7, 8)
    assert np.sqrt(np.mean(words**2)) == pytest.approx(1, abs=1e-5)


def test_words_of_test_posts_do_not_scale_those_of_training():
    vectors = np.array([[3, 4], [0, 1], [50, 70]], "float32")
    ready = ReadyFeatures(ArrayStore({}, {}), ("w1", "w2", "w3"), vectors, 1, 1, 1)
    train = [Post("a", {"lyrics": "w1 w2 w1"}), Post("b", {"caption": "w2"})]
    vocabulary = build_vocabulary(Config(), train, ready)
    # w1 and w2 have four coordinates, of mean square (9 + 16 + 0 + 1) / 4.
    expected = vectors / np.sqrt(26 / 4)
    np.testing.assert_allclose(vocabulary.matrix[2:], expected, rtol=1e-6)


def test_latent_semantics_stand_beside_them():
    config = Config().override([*SMALL, "features.lsa_dim=3"])
    vocabulary = build_vocabulary(config, POSTS)
    assert vocabulary.matrix.shape == (9, 11)
    assert vocabulary.matrix[2:, 8:].any(axis=1).all()


def test_a_model_that_sees_no_text_needs_none():
    config = Config().override([*SMALL, "modalities=audio,image", "features.lsa_dim=3"])
    vocabulary = build_vocabulary(config, [Post("a", {}, image=Path("a.png"))])
    assert vocabulary.matrix.shape == (3, 11)
