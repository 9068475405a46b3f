"""Latent semantic analysis: what words say of a text by standing in it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import tensorflow as tf
from scipy import sparse
from sklearn.utils.extmath import randomized_svd

from keras_jtav.features.text import TextIds
from keras_jtav.features.vocabulary import Vocabulary

_ITERATIONS = 4


def with_latent_semantics(
    vocabulary: Vocabulary, texts: Sequence[str], dim: int, max_words: int
) -> Vocabulary:
    """Return the vocabulary with ``dim`` more coordinates for every row.

    They are the row's part in the leading singular vectors of the texts' TF-IDF table,
    whose columns are the rows of the vocabulary: words and their n-grams. So
    ``sum_of_pieces`` of a text is its TF-IDF counts, projected; where vectors that were
    trained on few texts put all that stands together in one place, these keep apart
    what the texts tell apart.

    Choice: texts of one length, 1, and ``log((1 + n) / (1 + df)) + 1``, as in
    scikit-learn. The new coordinates are scaled to a root mean square of 1 over the
    texts.

    Args:
        vocabulary: Words and their vectors.
        texts: Of the training split; a caption and lyrics count as two.
        dim: Number of coordinates; zeros fill up where the texts have fewer.
        max_words: Words of a text that count, from its start.

    Raises:
        ValueError: No text with a word.

    Source: Deerwester et al., "Indexing by latent semantic analysis", 1990.
    """
    counts = _row_counts(vocabulary, texts, max_words)  # (texts, rows)
    counts = counts[np.flatnonzero(counts.sum(axis=1))]
    if not counts.shape[0]:
        raise ValueError(
            f"Latent semantics need text; none of {len(texts)} texts has a word. Set "
            "`features.lsa_dim=0`."
        )
    num_texts = counts.shape[0]
    frequency = np.asarray((counts > 0).sum(axis=0)).ravel()
    weights = np.log((1 + num_texts) / (1 + frequency)) + 1
    table = counts @ sparse.diags_array(weights)
    lengths = np.sqrt(np.asarray(table.multiply(table).sum(axis=1)).ravel())
    table = sparse.diags_array(1 / lengths) @ table
    rank = min(dim, *table.shape)
    _, _, directions = randomized_svd(table, rank, n_iter=_ITERATIONS, random_state=0)
    coordinates = np.zeros((len(vocabulary.matrix), dim))
    coordinates[:, :rank] = weights[:, None] * directions.T
    coordinates[frequency == 0] = 0  # exactly
    size = np.sqrt(np.mean(np.square(counts @ coordinates)))
    matrix = np.hstack([vocabulary.matrix, coordinates / max(size, 1e-12)])
    return replace(vocabulary, matrix=matrix)


def _row_counts(
    vocabulary: Vocabulary, texts: Sequence[str], max_words: int
) -> sparse.csr_array:
    """Return the weight of every row in ``sum_of_pieces`` of every text."""
    ids = TextIds(vocabulary, max_words).call(tf.constant(list(texts))).numpy()
    real = ids != 0  # (texts, words, pieces)
    pieces = real.sum(axis=(1, 2), keepdims=True)
    weights = real / np.sqrt(np.maximum(pieces, 1))
    places = (np.nonzero(real)[0], ids[real])
    shape = (len(texts), len(vocabulary.matrix))
    return sparse.csr_array((weights[real], places), shape=shape)
