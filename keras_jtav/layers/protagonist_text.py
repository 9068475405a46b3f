"""The text of a pair that is the protagonist: the lyrics, or else the caption."""

import keras
from keras import ops


@keras.saving.register_keras_serializable(package="keras_jtav")
class ProtagonistText(keras.layers.Layer):
    """Puts the caption in the place of lyrics that are not there.

    Pairs with lyrics pass unchanged, but for padding. In one without, the caption is
    the protagonist, as the only text of a post is in sentiment, and nothing supports
    it.

    Args:
        length: Words of the protagonist, where the encoder takes no other number;
            longer texts are cut off. By default as many as the longer text has.

    Input:
        ``lyrics`` int32 (batch, words, pieces) and ``caption`` int32 (batch,
        supporting_words, pieces), 0 = padding; ``supporting_words`` is a fixed number.

    Output:
        Protagonist, int32 (batch, length, pieces), and supporting text, of the
        caption's shape.

    Source:
        JTAV Sec. 3.1.1 for the roles; for pairs without lyrics the choice is ours.

    Example:
        >>> import numpy as np
        >>> lyrics = np.array([[[3], [4]], [[0], [0]]])
        >>> caption = np.array([[[5]], [[5]]])
        >>> words, supporting = ProtagonistText()(lyrics, caption)
        >>> np.asarray(words)[..., 0].tolist(), np.asarray(supporting).ravel().tolist()
        ([[3, 4], [5, 0]], [5, 0])
    """

    def __init__(self, length=None, **kwargs):
        super().__init__(**{"dtype": "int32", **kwargs})
        self.length = length

    def call(self, lyrics, caption):
        """Return the protagonist and what supports it."""
        has_lyrics = ops.any(ops.not_equal(lyrics, 0), axis=(1, 2), keepdims=True)
        nothing = ops.zeros_like(caption)
        if self.length:
            length, padding = self.length, [[0, 0], [0, self.length], [0, 0]]
            own, stand_in = ops.pad(lyrics, padding), ops.pad(caption, padding)
        else:
            length = _longer(ops.shape(lyrics)[1], caption.shape[1])
            own = ops.concatenate([lyrics, nothing], axis=1)
            stand_in = ops.concatenate([caption, ops.zeros_like(lyrics)], axis=1)
        words = ops.where(has_lyrics, own[:, :length], stand_in[:, :length])
        return words, ops.where(has_lyrics, caption, nothing)

    def compute_output_shape(self, lyrics_shape, caption_shape):
        """Return the shapes of the protagonist and of the supporting text."""
        batch, size, pieces = lyrics_shape
        length = self.length or (size and _longer(size, caption_shape[1]))
        return (batch, length, pieces), caption_shape

    def get_config(self):
        """Return the constructor's arguments."""
        return {**super().get_config(), "length": self.length}


def _longer(size, other):
    """Return the larger of two lengths; the first may be known in the graph alone."""
    return max(size, other) if isinstance(size, int) else ops.maximum(size, other)
