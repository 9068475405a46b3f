"""The in-batch loss of retrieval's towers: the true song against all of a batch."""

import keras
from keras import ops


@keras.saving.register_keras_serializable(package="keras_jtav")
class InBatchContrastive(keras.layers.Layer):
    """Adds, in training, the cross-entropy of each true song among a batch's songs.

    It stands beside CMF-AP, whose one number per side cannot match vectors; it is not
    part of the paper. The queries pass through unchanged, so that the layer can stand
    between them and whatever uses them.

    Choice: one-sided (query to songs), the direction that retrieval is judged by.
    Always float32.

    Args:
        weight: Of the added loss.

    Input:
        ``queries`` float (batch, dim); ``songs`` float (batch, candidates, dim), the
        true song first; ``keys`` int32 (batch, candidates, keys): songs that share a
        key with the true song are no false songs of its query.

    Output:
        ``queries``.

    Source:
        Oord et al. 2018 (InfoNCE); Radford et al. 2021.
    """

    def __init__(self, weight=1.0, **kwargs):
        super().__init__(**{"dtype": "float32", **kwargs})
        self.weight = weight

    def call(self, queries, songs, keys, training=None):
        """Return the queries; in training, add the loss."""
        if training:
            self.add_loss(self.weight * self._loss(queries, songs, keys))
        return queries

    def _loss(self, queries, songs, keys):
        """Return the mean cross-entropy of the true songs among all of the batch."""
        batch, candidates, num_keys = ops.shape(keys)
        all_songs = ops.reshape(songs, (-1, songs.shape[-1]))
        # (batch, batch * candidates)
        scores = ops.matmul(queries, ops.transpose(all_songs))
        true_column = ops.arange(batch) * candidates
        shared = ops.equal(keys[:, :1], ops.reshape(keys, (1, -1, num_keys)))
        is_true = ops.equal(ops.arange(batch * candidates)[None], true_column[:, None])
        ignored = ops.logical_and(ops.any(shared, axis=-1), ops.logical_not(is_true))
        scores = ops.where(ignored, -1e9, scores)
        return ops.mean(
            ops.sparse_categorical_crossentropy(true_column, scores, from_logits=True)
        )

    def compute_output_shape(self, queries_shape, songs_shape=None, keys_shape=None):
        """Return (batch, dim)."""
        return queries_shape

    def get_config(self):
        """Return the constructor's arguments."""
        return {**super().get_config(), "weight": self.weight}
