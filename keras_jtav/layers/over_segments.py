"""A recording's vector: the mean of its segments' vectors."""

import keras
from keras import ops

from keras_jtav.layers.masked_mean import masked_mean


@keras.saving.register_keras_serializable(package="keras_jtav")
class OverSegments(keras.layers.Layer):
    """Applies an encoder to every segment of a recording and averages.

    The paper encodes 10-second segments; the mean over all of them gives a file one
    vector, whatever its length. A recording with no real segment gets the zero vector.

    Args:
        encoder: Model from (batch, frames, bins) to (batch, dim).

    Input:
        ``inputs`` float (batch, segments, frames, bins), ``segment_mask`` bool (batch,
        segments), False = padding. The number of segments may differ from call to call.

    Output:
        float (batch, dim).

    Source:
        JTAV Sec. 4.1 (10-second segments).

    Example:
        >>> import numpy as np
        >>> encoder = keras.Sequential([keras.Input((4, 2)), keras.layers.Flatten()])
        >>> clips = np.stack([np.full((4, 2), value) for value in (1.0, 3.0, 9.0)])
        >>> mask = np.array([[True, True, False]])
        >>> np.asarray(OverSegments(encoder)(clips[None], mask))[0, :3].tolist()
        [2.0, 2.0, 2.0]
    """

    def __init__(self, encoder, **kwargs):
        super().__init__(**kwargs)
        self.encoder = encoder

    def build(self, inputs_shape):
        """Build the encoder for one segment."""
        if not self.encoder.built:
            self.encoder.build((None, *inputs_shape[2:]))

    def call(self, inputs, segment_mask, training=None):
        """Return the masked mean of the encoder's outputs."""
        batch, segments = ops.shape(inputs)[:2]
        # (batch * segments, frames, bins)
        merged = ops.reshape(inputs, (-1, *inputs.shape[2:]))
        vectors = self.encoder(merged, training=training)
        # (batch, segments, dim)
        vectors = ops.reshape(vectors, (batch, segments, vectors.shape[-1]))
        return masked_mean(vectors, segment_mask)

    def compute_output_shape(self, inputs_shape):
        """Return (batch, dim)."""
        encoded = self.encoder.compute_output_shape((None, *inputs_shape[2:]))
        return (inputs_shape[0], encoded[-1])

    def get_config(self):
        """Return the constructor's arguments, the encoder with its own."""
        encoder = keras.saving.serialize_keras_object(self.encoder)
        return {**super().get_config(), "encoder": encoder}

    @classmethod
    def from_config(cls, config):
        """Return the layer that ``get_config`` described."""
        encoder = keras.saving.deserialize_keras_object(config["encoder"])
        return cls(**{**config, "encoder": encoder})
