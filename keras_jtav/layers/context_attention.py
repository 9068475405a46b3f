"""Attention with a context vector over the states of a sequence (Eq. 1)."""

import keras
from keras import ops


@keras.saving.register_keras_serializable(package="keras_jtav")
class ContextAttention(keras.layers.Layer):
    """Sums a sequence's states by learned weights: ``t = sum_j alpha_j h_j``.

    ``alpha`` is the softmax of ``tanh(W_u h_j + b_u) . h_c`` over the unmasked steps. A
    row with no unmasked step gives the zero vector.

    Args:
        units: Size of the latent vectors and of the context vector ``h_c``.

    Input:
        ``states`` float (batch, steps, dim) and ``mask`` bool (batch, steps), or no
        mask where every step is real.

    Output:
        ``t``, float (batch, dim), and ``alpha``, float (batch, steps).

    Source:
        JTAV Eq. 1, after Yang et al. 2016 (hierarchical attention networks).

    Example:
        >>> import numpy as np
        >>> states = np.ones((2, 5, 3), "float32")
        >>> t, alpha = ContextAttention(units=4)(states)
        >>> tuple(t.shape), np.asarray(alpha).sum(axis=1).round(5).tolist()
        ((2, 3), [1.0, 1.0])
    """

    def __init__(self, units, **kwargs):
        super().__init__(**kwargs)
        self.units = units
        self.supports_masking = True  # it uses up the mask

    def build(self, states_shape):
        """Create ``W_u``, ``b_u`` and the randomly started context vector."""
        self.kernel = self.add_weight(
            name="kernel", shape=(states_shape[-1], self.units)
        )
        self.bias = self.add_weight(
            name="bias", shape=(self.units,), initializer="zeros"
        )
        self.context = self.add_weight(name="context", shape=(self.units, 1))

    def call(self, states, mask=None):
        """Return the weighted sum of the states, and the weights."""
        latent = ops.tanh(ops.matmul(states, self.kernel) + self.bias)
        logits = ops.squeeze(ops.matmul(latent, self.context), axis=-1)
        alpha = masked_softmax(ops.cast(logits, "float32"), mask)
        alpha = ops.cast(alpha, states.dtype)
        return ops.einsum("bs,bsd->bd", alpha, states), alpha

    def compute_mask(self, states, mask=None):
        """Return no masks: the steps are gone."""
        return None, None

    def compute_output_shape(self, states_shape):
        """Return (batch, dim) and (batch, steps)."""
        batch, steps, dim = states_shape
        return (batch, dim), (batch, steps)

    def get_config(self):
        """Return the constructor's arguments."""
        return {**super().get_config(), "units": self.units}


def masked_softmax(logits, mask):
    """Return the softmax over the unmasked steps; zeros where there is none.

    Args:
        logits: float32 (batch, steps).
        mask: bool (batch, steps), or ``None`` where every step is real.
    """
    if mask is None:
        return ops.softmax(logits, axis=-1)
    real = ops.cast(mask, logits.dtype)
    if logits.shape[-1] == 1:  # of one step; Keras warns of a softmax over it
        return real
    return ops.softmax(ops.where(mask, logits, -1e9), axis=-1) * real
