"""Learned tokens: the same for every row, as a transformer's further input."""

import keras
from keras import ops


@keras.saving.register_keras_serializable(package="keras_jtav")
class LearnedTokens(keras.layers.Layer):
    """Returns learned tokens, as often as its input has rows.

    Args:
        tokens: How many.
        dim: Size of each.

    Input:
        float (batch, ...); its rows are counted, no more.

    Output:
        float (batch, tokens, dim).

    Example:
        >>> import numpy as np
        >>> tuple(LearnedTokens(tokens=4, dim=8)(np.ones((2, 3))).shape)
        (2, 4, 8)
    """

    def __init__(self, tokens, dim, **kwargs):
        super().__init__(**kwargs)
        self.tokens = tokens
        self.dim = dim

    def build(self, rows_shape):
        """Create the tokens."""
        self.learned = self.add_weight(
            name="learned",
            shape=(1, self.tokens, self.dim),
            initializer=keras.initializers.RandomNormal(stddev=0.1),
        )

    def call(self, rows):
        """Return one copy for each row."""
        return ops.repeat(self.learned, ops.shape(rows)[0], axis=0)

    def compute_output_shape(self, rows_shape):
        """Return (batch, tokens, dim)."""
        return (rows_shape[0], self.tokens, self.dim)

    def get_config(self):
        """Return the constructor's arguments."""
        return {**super().get_config(), "tokens": self.tokens, "dim": self.dim}
