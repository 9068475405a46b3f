"""Word ids to word vectors: the embedding matrix W_e of Sec. 3.1.1."""

import keras
from keras import ops

from keras_jtav.layers.masked_mean import masked_mean


@keras.saving.register_keras_serializable(package="keras_jtav")
class WordVectors(keras.layers.Layer):
    """Looks up each word as the mean of the table rows of its pieces.

    A word is a list of table rows (its own and those of its character n-grams), filled
    up with 0. A word of zeros only is padding and gets the zero vector. Vectors are
    float32, whatever the global dtype policy says: to look one up costs nothing.

    Args:
        rows: Rows of the table; row 0 is padding and never read.
        dim: Size of a word vector.
        trainable: Whether the table learns.

    Input:
        int32 (batch, words, pieces).

    Output:
        float (batch, words, dim).

    Source:
        JTAV Sec. 3.1.1; Bojanowski et al. 2017 (fastText) for the mean over n-grams.

    Example:
        >>> import numpy as np
        >>> layer = WordVectors(rows=3, dim=2)
        >>> layer.build((None, 2, 2))
        >>> layer.set_weights([np.array([[9, 9], [1, 2], [3, 4]], "float32")])
        >>> np.asarray(layer(np.array([[[1, 2], [0, 0]]]))).tolist()
        [[[2.0, 3.0], [0.0, 0.0]]]
    """

    def __init__(self, rows, dim, trainable=False, **kwargs):
        super().__init__(trainable=trainable, **{"dtype": "float32", **kwargs})
        self.rows = rows
        self.dim = dim

    def build(self, word_ids_shape):
        """Create the table; a trained matrix takes its place by ``set_weights``."""
        self.table = self.add_weight(
            name="table", shape=(self.rows, self.dim), initializer="uniform"
        )

    def call(self, word_ids):
        """Return the mean of the rows of every word's nonzero pieces."""
        real = ops.cast(ops.not_equal(word_ids, 0), self.compute_dtype)
        count = ops.maximum(ops.sum(real, axis=-1, keepdims=True), 1)
        rows = ops.take(self.table, word_ids, axis=0)  # (batch, words, pieces, dim)
        return ops.einsum("bwp,bwpd->bwd", real / count, rows)

    def compute_output_shape(self, word_ids_shape):
        """Return (batch, words, dim)."""
        return (*word_ids_shape[:2], self.dim)

    def get_config(self):
        """Return the constructor's arguments."""
        return {**super().get_config(), "rows": self.rows, "dim": self.dim}


def real_words(word_ids):
    """Return which words are real and which are padding.

    The mask is passed on explicitly, as Keras's implicit masks do not survive every
    reshape, operation and export.

    Args:
        word_ids: int32 (batch, words, pieces), 0 = padding.

    Returns:
        bool (batch, words).
    """
    return ops.any(ops.not_equal(word_ids, 0), axis=-1)


def mean_of_words(word_vectors, word_ids):
    """Return a text's mean word vector; zeros where it has no word.

    Args:
        word_vectors: A ``WordVectors`` layer.
        word_ids: int32 (batch, words, pieces), 0 = padding.

    Returns:
        float (batch, dim).
    """
    return masked_mean(word_vectors(word_ids), real_words(word_ids))


def sum_of_pieces(word_vectors, word_ids):
    """Return the sum of a text's pieces, divided by the root of their number.

    Where every piece has a direction of its own, all texts have about one length so,
    whatever the number of their words. A mean is the shorter the more there are.

    Args:
        word_vectors: A ``WordVectors`` layer.
        word_ids: int32 (batch, words, pieces), 0 = padding.

    Returns:
        float (batch, dim); zeros where a text has no word.
    """
    words = word_vectors(word_ids)  # means of their pieces
    pieces = ops.sum(ops.cast(ops.not_equal(word_ids, 0), "float32"), axis=-1)
    total = ops.sum(ops.cast(words, "float32") * pieces[:, :, None], axis=1)
    number = ops.maximum(ops.sum(pieces, axis=1, keepdims=True), 1)
    return ops.cast(total / ops.sqrt(number), words.dtype)
