"""Attentive pooling: a vector reconstructed from a cross-modal matrix (Eq. 3)."""

import keras
from keras import ops


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
        slopes = ops.matmul(vector, self.kernel)  # (batch, units)
        logits = position_logits(other, slopes, self.bias, self.context)
        alpha = ops.softmax(ops.cast(logits, "float32"), axis=1)
        gates = ops.einsum("bj,bjh->bh", ops.cast(other, "float32"), alpha)
        gates = ops.cast(gates, vector.dtype)
        gated = gates[:, :, None] * vector[:, None, :]  # C alpha: (batch, heads, dim)
        gated = ops.reshape(gated, (-1, self.heads * vector.shape[-1]))
        return self.activation(ops.matmul(gated, self.output_kernel) + self.output_bias)

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


def position_logits(positions, slopes, bias, context):
    """Return ``f(x_j) = sum_k u_k tanh(a_k x_j + b_k)`` at every coordinate of n.

    The direct form: its cost is batch * positions * units. With a shared bias ``f`` is
    a smooth function of one number per row, so it may be interpolated instead.

    Args:
        positions: ``x``, float (batch, positions).
        slopes: ``a``, float (batch, units).
        bias: ``b``, float (units,) or (positions, units).
        context: ``u``, float (units, heads).

    Returns:
        float (batch, positions, heads).
    """
    latent = ops.tanh(positions[:, :, None] * slopes[:, None, :] + bias)
    return ops.matmul(latent, context)
