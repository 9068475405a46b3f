from pathlib import Path

import numpy as np
import pytest

from keras_jtav.config import Config
from keras_jtav.corpus import build_vocabulary
from keras_jtav.data.post import Post

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


def test_latent_semantics_stand_beside_them():
    config = Config().override([*SMALL, "features.lsa_dim=3"])
    vocabulary = build_vocabulary(config, POSTS)
    assert vocabulary.matrix.shape == (9, 11)
    assert vocabulary.matrix[2:, 8:].any(axis=1).all()


def test_a_model_that_sees_no_text_needs_none():
    config = Config().override([*SMALL, "modalities=audio,image", "features.lsa_dim=3"])
    vocabulary = build_vocabulary(config, [Post("a", {}, image=Path("a.png"))])
    assert vocabulary.matrix.shape == (3, 11)
