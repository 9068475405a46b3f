"""Attention on the words of lyrics, led by the tags of a picture."""

import keras
from keras import ops

from keras_jtav.layers.context_attention import masked_softmax


@keras.saving.register_keras_serializable(package="keras_jtav")
class TagAttention(keras.layers.Layer):
    """Sums a song's word states by weights that a picture's tags decide.

    ``alpha`` is the softmax of ``tanh(W h_j + V g + b) . c`` over the real words, with
    the tags ``g``: Eq. 1 with a term for the tags. A song without a word gives the zero
    vector.

    Args:
        units: Size of the latent vectors.

    Input:
        ``states`` float (batch, words, dim), ``tags`` float (batch, tags) and ``mask``
        bool (batch, words).

    Output:
        float (batch, dim).

    Source:
        Li et al. 2017, Image2song (tag attention).
    """

    def __init__(self, units, **kwargs):
        super().__init__(**kwargs)
        self.units = units
        self.supports_masking = True  # it uses up the mask

    def build(self, states_shape, tags_shape):
        """Create ``W``, ``V``, ``b`` and ``c``."""
        self.kernel = self.add_weight(
            name="kernel", shape=(states_shape[-1], self.units)
        )
        self.tag_kernel = self.add_weight(
            name="tag_kernel", shape=(tags_shape[-1], self.units)
        )
        self.bias = self.add_weight(
            name="bias", shape=(self.units,), initializer="zeros"
        )
        self.context = self.add_weight(name="context", shape=(self.units, 1))

    def call(self, states, tags, mask):
        """Return the weighted sum of the states."""
        lead = ops.matmul(tags, self.tag_kernel)[:, None]  # (batch, 1, units)
        latent = ops.tanh(ops.matmul(states, self.kernel) + lead + self.bias)
        logits = ops.squeeze(ops.matmul(latent, self.context), axis=-1)
        alpha = masked_softmax(ops.cast(logits, "float32"), mask)
        return ops.einsum("bs,bsd->bd", ops.cast(alpha, states.dtype), states)

    def compute_mask(self, states, tags, mask=None):
        """Return no mask: the words are gone."""

    def compute_output_shape(self, states_shape, tags_shape):
        """Return (batch, dim)."""
        return (states_shape[0], states_shape[-1])

    def get_config(self):
        """Return the constructor's arguments."""
        return {**super().get_config(), "units": self.units}
