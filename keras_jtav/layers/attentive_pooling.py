"""Attentive pooling: a vector reconstructed from a cross-modal matrix (Eq. 3)."""

import keras
from keras import ops

from keras_jtav.layers.position_logits import (
    all_position_logits,
    nodes_needed,
    position_logits,
)


@keras.saving.register_keras_serializable(package="keras_jtav")
class AttentivePooling(keras.layers.Layer):
    """Reconstructs ``m`` from ``C = m n^T``: ``activation(W_hat C alpha + b_hat)``.

    ``alpha`` is the softmax over n's coordinates of ``u . tanh(W C + b)``. ``C`` has
    rank one, so ``W C = (W m) n^T`` and ``C alpha = m (n . alpha)``: the matrix is
    never made. The result is ``m`` gated by one number that is read from ``n``.

    Args:
        units: Rows of ``W``, the size of the latent vectors.
        heads: Context vectors ``u``; each gives a number of its own, and ``W_hat``
            reads ``m`` gated by each of them. 1 is the paper's form.
        positional_bias: Whether each coordinate of ``n`` has a bias of its own, as in
            the authors' code. The paper has one bias for all of them, and then the
            number read from ``n`` does not depend on the order of its coordinates.
        activation: The ``sigma`` of Eq. 3, left open by the paper.

    Input:
        ``vector`` m, float (batch, dim), and ``other`` n, float (batch, other_dim).

    Output:
        float (batch, dim).

    Source:
        JTAV Eq. 3.

    Example:
        >>> import numpy as np
        >>> m, n = np.ones((2, 8), "float32"), np.ones((2, 5), "float32")
        >>> tuple(AttentivePooling(units=4)(m, n).shape)
        (2, 8)
    """

    def __init__(
        self, units, heads=1, positional_bias=False, activation="tanh", **kwargs
    ):
        super().__init__(**kwargs)
        self.units = units
        self.heads = heads
        self.positional_bias = positional_bias
        self.activation = keras.activations.get(activation)

    def build(self, vector_shape, other_shape):
        """Create ``W``, ``b``, ``u`` and ``W_hat``, ``b_hat``."""
        dim, positions = vector_shape[-1], other_shape[-1]
        self.kernel = self.add_weight(name="kernel", shape=(dim, self.units))
        self.bias = self.add_weight(
            name="bias",
            shape=(positions, self.units) if self.positional_bias else (self.units,),
            initializer="zeros",
        )
        # Choice: small, so that training starts from plain means over n.
        self.context = self.add_weight(
            name="context",
            shape=(self.units, self.heads),
            initializer=keras.initializers.RandomNormal(stddev=0.1),
        )
        self.output_kernel = self.add_weight(
            name="output_kernel", shape=(self.heads * dim, dim)
        )
        self.output_bias = self.add_weight(
            name="output_bias", shape=(dim,), initializer="zeros"
        )

    def call(self, vector, other):
        """Return ``m`` reconstructed from the rank-one matrix ``m n^T``."""
        positions, *attention = self._attention(vector, other)
        gates = _read(positions, position_logits(positions, *attention))
        return self._reconstruct(vector, gates)

    def of_all_pairs(self, vectors, others):
        """Return what ``call`` gives for every vector with every other one.

        The work that is the same for all of them is shared; not for training.

        Args:
            vectors: ``m``, float (vectors, dim), values and not symbols.
            others: ``n``, float (others, other_dim).

        Returns:
            Float (vectors, others, dim), or ``None`` where the weights are too steep,
            or the bias depends on the position, for an exact shared form.
        """
        positions, slopes, bias, context = self._attention(vectors, others)
        count = nodes_needed(positions, slopes, context)
        if self.positional_bias or count is None:
            return None
        logits = all_position_logits(positions, slopes, bias, context, count)
        gates = _read(positions, ops.swapaxes(logits, 1, 2))
        return self._reconstruct(vectors[:, None], gates)

    def _attention(self, vector, other):
        slopes = ops.matmul(vector, self.kernel)
        tensors = (other, slopes, self.bias, self.context)
        return [ops.cast(ops.convert_to_tensor(t), "float32") for t in tensors]

    def _reconstruct(self, vector, gates):
        """Return ``sigma(W_hat C alpha + b_hat)``, with ``n . alpha`` of each head.

        Each head gates its share of ``W_hat m``, which no ``n`` is part of.
        """
        dim = self.output_kernel.shape[-1]
        by_head = ops.reshape(self.output_kernel, (self.heads, dim, dim))
        by_head = ops.reshape(ops.transpose(by_head, (1, 0, 2)), (dim, -1))
        shares = ops.matmul(vector, by_head)
        shares = ops.reshape(shares, (*ops.shape(vector)[:-1], self.heads, dim))
        gates = ops.cast(gates, vector.dtype)[..., None]
        return self.activation(ops.sum(gates * shares, axis=-2) + self.output_bias)

    def compute_output_shape(self, vector_shape, other_shape):
        """Return the shape of the vector that is reconstructed."""
        return vector_shape

    def get_config(self):
        """Return the constructor's arguments."""
        return {
            **super().get_config(),
            "units": self.units,
            "heads": self.heads,
            "positional_bias": self.positional_bias,
            "activation": keras.activations.serialize(self.activation),
        }


def _read(positions, logits):
    """Return ``n . alpha`` of every head: (..., heads) of logits (..., heads, dim)."""
    alpha = ops.softmax(logits, axis=-1)
    return ops.sum(positions[..., None, :] * alpha, axis=-1)
