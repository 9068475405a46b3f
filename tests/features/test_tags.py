import numpy as np
import pytest

from keras_jtav.features.tags import choose_tags
from keras_jtav.features.vocabulary import Vocabulary

WORDS = ["the", "sun", "rare", "sea", "moon"]
VOCABULARY = Vocabulary(WORDS, np.zeros((7, 2), "float32"))
# 12 different texts: `the` in 9, `sea` in 3, `sun` in 2, `unknown` in 2, `rare` in 1.
TEXTS = [
    *("the sun", "the Sun sun up", "the sea", "sea unknown", "the sea unknown"),
    *("the a", "the b", "the c", "the d", "the e", "rare", ""),
]


def test_tags_are_in_some_texts_and_not_in_most():
    assert choose_tags(TEXTS, VOCABULARY, 9) == (5, 3)  # sea, sun
    assert choose_tags(TEXTS, VOCABULARY, 1) == (5,)


def test_the_lyrics_of_a_song_with_many_posts_count_once():
    assert choose_tags([*TEXTS, *["rare"] * 9], VOCABULARY, 9) == (5, 3)


def test_a_corpus_without_tags():
    with pytest.raises(ValueError, match="none stands in 2 or more and at most 25%"):
        choose_tags(["the sun", "the sun"], VOCABULARY, 9)
