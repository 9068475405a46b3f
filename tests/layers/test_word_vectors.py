import numpy as np
import pytest

from keras_jtav.layers.word_vectors import (
    WordVectors,
    mean_of_words,
    real_words,
    sum_of_pieces,
)

IDS = np.array([[[1, 0], [2, 3], [0, 0]], [[0, 0], [0, 0], [0, 0]]], "int32")
TABLE = np.array([[7, 7], [1, 2], [3, 4], [5, 8]], "float32")


@pytest.fixture
def layer():
    layer = WordVectors(rows=4, dim=2)
    layer.build(IDS.shape)
    layer.set_weights([TABLE])
    return layer


def test_a_word_is_the_mean_of_its_pieces_and_padding_is_zero(layer):
    # [2, 3]: ((3, 4) + (5, 8)) / 2 = (4, 6). Row 0 never shows, whatever it holds.
    expected = [[[1, 2], [4, 6], [0, 0]], [[0, 0], [0, 0], [0, 0]]]
    np.testing.assert_allclose(layer(IDS), expected)


def test_real_words_are_those_with_a_piece():
    expected = [[True, True, False], [False, False, False]]
    np.testing.assert_array_equal(real_words(IDS), expected)


def test_the_mean_word_leaves_padding_out(layer):
    # ((1, 2) + (4, 6)) / 2 = (2.5, 4); the second text has no word.
    np.testing.assert_allclose(mean_of_words(layer, IDS), [[2.5, 4], [0, 0]])


def test_pieces_are_summed_and_divided_by_the_root_of_their_number(layer):
    # ((1, 2) + (3, 4) + (5, 8)) / sqrt(3)
    expected = [np.array([9, 14]) / np.sqrt(3), [0, 0]]
    np.testing.assert_allclose(sum_of_pieces(layer, IDS), expected, rtol=1e-6)


def test_the_table_learns_only_where_asked(layer):
    assert layer.trainable_variables == []
    trainable = WordVectors(rows=4, dim=2, trainable=True)
    trainable.build(IDS.shape)
    assert len(trainable.trainable_variables) == 1


def test_contract(check_contract):
    check_contract(WordVectors(4, 2, trainable=True), word_ids=IDS)
