"""Cross-modal fusion with attentive pooling of one pair of modalities (Eq. 3)."""

import keras
from keras import ops

from keras_jtav.layers.attentive_pooling import AttentivePooling


@keras.saving.register_keras_serializable(package="keras_jtav")
class CrossModalFusion(keras.layers.Layer):
    """Joins two vectors, each reconstructed beside the other: ``m_hat (+) n_hat``.

    Rows of ``C = m n^T`` are pooled to ``m_hat`` and its columns to ``n_hat`` by one
    equation with the roles exchanged, see ``AttentivePooling``.

    Args:
        units: Size of the latent vectors of the attention.
        heads: Numbers that each side reads from the other; 1 is the paper's form.
        positional_bias: Whether each coordinate has a bias of its own.
        activation: The ``sigma`` of Eq. 3.

    Input:
        A list of m, float (batch, m_dim), and n, float (batch, n_dim).

    Output:
        float (batch, m_dim + n_dim).

    Source:
        JTAV Eq. 3.

    Example:
        >>> import numpy as np
        >>> m, n = np.ones((2, 8), "float32"), np.ones((2, 5), "float32")
        >>> tuple(CrossModalFusion(units=4)([m, n]).shape)
        (2, 13)
    """

    def __init__(
        self, units, heads=1, positional_bias=False, activation="tanh", **kwargs
    ):
        super().__init__(**kwargs)
        self.units = units
        self.heads = heads
        self.positional_bias = positional_bias
        self.activation = keras.activations.get(activation)
        self.row_pooling, self.column_pooling = (
            AttentivePooling(
                units,
                heads,
                positional_bias,
                activation,
                dtype=self.dtype_policy,
                name=name,
            )
            for name in ("row_pooling", "column_pooling")
        )

    def build(self, inputs_shape):
        """Build both poolings."""
        m_shape, n_shape = inputs_shape
        self.row_pooling.build(m_shape, n_shape)
        self.column_pooling.build(n_shape, m_shape)

    def call(self, inputs):
        """Return both reconstructed vectors, one after the other."""
        m, n = inputs
        return ops.concatenate(
            [self.row_pooling(m, n), self.column_pooling(n, m)], axis=-1
        )

    def of_all_pairs(self, ms, ns):
        """Return what ``call`` gives for every m with every n; not for training.

        Returns:
            Float (ms, ns, m_dim + n_dim), or ``None``, see ``AttentivePooling``.
        """
        rows = self.row_pooling.of_all_pairs(ms, ns)
        columns = self.column_pooling.of_all_pairs(ns, ms)
        if rows is None or columns is None:
            return None
        return ops.concatenate([rows, ops.swapaxes(columns, 0, 1)], axis=-1)

    def compute_output_shape(self, inputs_shape):
        """Return (batch, m_dim + n_dim)."""
        m_shape, n_shape = inputs_shape
        return (m_shape[0], m_shape[-1] + n_shape[-1])

    def get_config(self):
        """Return the constructor's arguments."""
        return {
            **super().get_config(),
            "units": self.units,
            "heads": self.heads,
            "positional_bias": self.positional_bias,
            "activation": keras.activations.serialize(self.activation),
        }
