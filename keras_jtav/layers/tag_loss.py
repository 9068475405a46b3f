"""Which tags a post has, and the loss of a picture's tags."""

import keras
from keras import ops


def tags_of_words(word_ids, tag_rows):
    """Return which tags stand among the words of texts.

    A known word's own row is the first of its pieces; an unknown one is no tag.

    Args:
        word_ids: int32 (batch, words, pieces), 0 = padding.
        tag_rows: Rows of the embedding table, one for each tag.

    Returns:
        float32 (batch, tags) of 0 and 1.

    Example:
        >>> words = ops.convert_to_tensor([[[7, 90], [3, 0], [0, 0]]])
        >>> ops.convert_to_numpy(tags_of_words(words, (3, 4, 7))).tolist()
        [[1.0, 0.0, 1.0]]
    """
    rows = ops.convert_to_tensor(tag_rows, dtype=word_ids.dtype)
    found = ops.any(ops.equal(word_ids[:, :, :1], rows), axis=1)
    return ops.cast(found, "float32")


@keras.saving.register_keras_serializable(package="keras_jtav")
class TagLoss(keras.layers.Layer):
    """Adds, in training, the cross-entropy of predicted tags; they pass unchanged.

    A post's tags are those among the words of its texts.

    Choice: for each tag, posts with it count as much in sum as posts without it, and a
    tag that no post of the batch has does not count. Otherwise every point would come
    to lie near 0, as nearly all posts lack nearly all tags, and the nearest song would
    be the one with the fewest tags.

    Args:
        tag_rows: Rows of the embedding table, one for each tag.
        weight: Of the added loss, a mean over the tags.

    Input:
        ``tags`` float (batch, tags), 0 to 1; ``words`` int32 (batch, words, pieces), 0
        = padding.

    Output:
        ``tags``.

    Source:
        Li et al. 2017, Image2song (rich tags).
    """

    def __init__(self, tag_rows, weight=1.0, **kwargs):
        super().__init__(**kwargs)
        self.tag_rows = tuple(tag_rows)
        self.weight = weight

    def call(self, tags, words, training=None):
        """Return the tags; in training, add the loss."""
        if training:
            true = tags_of_words(words, self.tag_rows)
            self.add_loss(self.weight * self._loss(true, ops.cast(tags, "float32")))
        return tags

    def _loss(self, true, tags):
        """Return the mean over tags of the balanced cross-entropy of a batch."""
        entropy = ops.binary_crossentropy(true, tags)  # (batch, tags)
        num_with = ops.sum(true, axis=0)
        num_without = ops.sum(1 - true, axis=0)
        shares = true / ops.maximum(num_with, 1)
        shares = shares + (1 - true) / ops.maximum(num_without, 1)
        counts = ops.cast(num_with > 0, "float32")
        total = ops.sum(counts * ops.sum(shares * entropy, axis=0))
        return total / ops.maximum(2 * ops.sum(counts), 1)

    def compute_output_shape(self, tags_shape, words_shape):
        """Return (batch, tags)."""
        return tags_shape

    def get_config(self):
        """Return the constructor's arguments."""
        return {
            **super().get_config(),
            "tag_rows": self.tag_rows,
            "weight": self.weight,
        }
