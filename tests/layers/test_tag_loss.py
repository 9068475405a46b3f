import numpy as np
import pytest

from keras_jtav.layers import TagLoss, tags_of_words

ROWS = (4, 7, 9)
# Own rows first, then n-grams: 7 of the third text is an n-gram and no word.
WORDS = np.array([[[4, 30], [7, 31]], [[4, 0], [0, 0]], [[2, 7], [8, 4]]], "int32")
TAGS = np.array([[0.5, 0.8, 0.5], [0.9, 0.4, 0.5], [0.3, 0.5, 0.1]], "float32")


def test_tags_are_own_rows_of_words():
    found = np.asarray(tags_of_words(WORDS, ROWS))
    assert found.tolist() == [[1, 1, 0], [1, 0, 0], [0, 0, 0]]


def test_hand_worked_loss():
    layer = TagLoss(ROWS, weight=3.0)
    passed = layer(TAGS, WORDS, training=True)
    np.testing.assert_array_equal(passed, TAGS)
    # Tag 1: two posts have it (.5, .9), one has not (.3). Tag 2: one has it (.8), two
    # have not (.4, .5). Tag 3 is in no post and does not count.
    first = -np.log([0.5, 0.9]).mean() - np.log(0.7)
    second = -np.log(0.8) - np.log([0.6, 0.5]).mean()
    expected = 3 * (first + second) / 4
    assert float(layer.losses[0]) == pytest.approx(expected, rel=1e-5)


def test_inference_and_a_batch_without_tags_add_nothing():
    layer = TagLoss(ROWS)
    layer(TAGS, WORDS)
    assert layer.losses == []
    layer(TAGS, np.zeros_like(WORDS), training=True)
    assert float(layer.losses[0]) == 0


def test_contract(check_contract):
    check_contract(TagLoss(ROWS, weight=2.0), tags=TAGS, words=WORDS)
