import numpy as np
import pytest
import tensorflow as tf

from keras_jtav.features.latent_semantics import with_latent_semantics
from keras_jtav.features.text import TextIds
from keras_jtav.features.vocabulary import Vocabulary
from keras_jtav.layers import WordVectors, sum_of_pieces

TEXTS = ["cat dog", "dog cat cat", "car bus", "bus car train", "", "cat train"]
WORDS = ["cat", "dog", "car", "bus", "train", "boat"]


@pytest.fixture
def vocabulary():
    rows = np.random.default_rng(0).normal(size=(2 + len(WORDS), 3))
    rows[0] = 0
    return Vocabulary(WORDS, rows)


def test_sums_of_pieces_are_the_projected_tf_idf_table(vocabulary):
    wide = with_latent_semantics(vocabulary, TEXTS, dim=5, max_words=10)
    texts = [text.split() for text in TEXTS if text]
    count = np.array(
        [[text.count(word) / np.sqrt(len(text)) for word in WORDS] for text in texts]
    )
    idf = np.array(
        [
            np.log((1 + 5) / (1 + sum(word in text for text in texts))) + 1
            for word in WORDS
        ]
    )
    table = count * idf / np.linalg.norm(count * idf, axis=1, keepdims=True)
    _, _, directions = np.linalg.svd(table, full_matrices=False)
    expected = count * idf @ directions.T
    expected /= np.sqrt(np.mean(expected**2))
    ids = TextIds(wide, 10)(tf.constant([text for text in TEXTS if text]))
    words = WordVectors(len(wide.matrix), 5)
    words.build(ids.shape)
    words.set_weights([wide.matrix[:, 3:]])
    sums = np.asarray(sum_of_pieces(words, ids))
    np.testing.assert_allclose(sums @ sums.T, expected @ expected.T, atol=1e-4)


def test_old_coordinates_stay_and_new_ones_have_size_1(vocabulary):
    wide = with_latent_semantics(vocabulary, TEXTS, dim=4, max_words=10)
    np.testing.assert_array_equal(wide.matrix[:, :3], vocabulary.matrix)
    ids = TextIds(wide, 10)(tf.constant([text for text in TEXTS if text])).numpy()
    pieces = [wide.matrix[row[row > 0], 3:] for row in ids]
    new = np.stack([rows.sum(axis=0) / np.sqrt(len(rows)) for rows in pieces])
    assert np.sqrt(np.mean(new**2)) == pytest.approx(1, rel=1e-5)


def test_words_of_no_text_and_padding_are_zero(vocabulary):
    wide = with_latent_semantics(vocabulary, TEXTS, dim=4, max_words=10)
    boat = 2 + WORDS.index("boat")
    assert not wide.matrix[[0, 1, boat], 3:].any()
    assert wide.matrix[2:boat, 3:].any(axis=1).all()


def test_more_coordinates_than_texts_are_zeros(vocabulary):
    wide = with_latent_semantics(vocabulary, TEXTS, dim=9, max_words=10)
    assert wide.matrix.shape == (8, 12)
    assert not wide.matrix[:, 3 + 5 :].any()


def test_unseen_words_share_their_n_grams():
    rows = np.zeros((2 + 2 + 500, 2))
    rows[2:] = np.random.default_rng(0).normal(size=(502, 2))
    vocabulary = Vocabulary(["flower", "engine"], rows, 3, 4, 500)
    wide = with_latent_semantics(vocabulary, ["flower", "engine"], 2, 5)
    ids = TextIds(wide, 1)(tf.constant(["flowers", "flower", "engine"])).numpy()[:, 0]
    unseen, flower, engine = (wide.matrix[row[row > 0], 2:].mean(axis=0) for row in ids)
    assert unseen @ flower > 5 * abs(unseen @ engine)


def test_same_texts_same_matrix(vocabulary):
    first, second = (
        with_latent_semantics(vocabulary, TEXTS, 3, 10).matrix for _ in range(2)
    )
    np.testing.assert_array_equal(first, second)


def test_texts_without_a_word_are_refused(vocabulary):
    with pytest.raises(ValueError, match="none of 2 texts has a word"):
        with_latent_semantics(vocabulary, ["", "?!"], 3, 10)
