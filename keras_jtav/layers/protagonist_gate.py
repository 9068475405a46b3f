"""The protagonist text, gated by its supporting players (Sec. 3.1.1)."""

import keras
from keras import ops

from keras_jtav.layers.masked_mean import masked_mean


@keras.saving.register_keras_serializable(package="keras_jtav")
class ProtagonistGate(keras.layers.Layer):
    """Multiplies every protagonist word by the mean supporting word, ``t_att``.

    A post without a supporting word has the gate 1: its protagonist passes unchanged.
    Always float32, like the word vectors.

    Args:
        rescale: Whether the gate is brought to a root mean square of 1, so that posts
            with and without supporting words feed vectors of one magnitude to the
            encoder. The paper does not rescale: fastText coordinates are about 0.1, so
            its gate makes the vectors of such posts about ten times shorter.

    Input:
        ``words`` float (batch, words, dim), ``supporting`` float (batch,
        supporting_words, dim), ``supporting_mask`` bool (batch, supporting_words).

    Output:
        float (batch, words, dim).

    Source:
        JTAV Sec. 3.1.1 and Fig. 3.

    Example:
        >>> import numpy as np
        >>> words = np.array([[[1.0, 2.0]]])
        >>> supporting = np.array([[[2.0, 2.0], [4.0, 0.0], [9.0, 9.0]]])
        >>> real = np.array([[True, True, False]])
        >>> np.asarray(ProtagonistGate()(words, supporting, real)).tolist()
        [[[3.0, 2.0]]]
    """

    def __init__(self, rescale=False, **kwargs):
        super().__init__(**{"dtype": "float32", **kwargs})
        self.rescale = rescale

    def call(self, words, supporting, supporting_mask):
        """Return ``words`` times the mean of the real supporting words."""
        gate = masked_mean(supporting, supporting_mask)  # (batch, dim)
        if self.rescale:
            power = ops.mean(ops.square(gate), axis=-1, keepdims=True)
            gate = gate * ops.rsqrt(ops.maximum(power, keras.config.epsilon()))
        is_supported = ops.any(supporting_mask, axis=-1, keepdims=True)
        gate = ops.where(is_supported, gate, ops.ones_like(gate))
        return words * gate[:, None]

    def compute_output_shape(self, words_shape, supporting_shape):
        """Return the shape of the protagonist words."""
        return words_shape

    def get_config(self):
        """Return the constructor's arguments."""
        return {**super().get_config(), "rescale": self.rescale}
