"""All devices of one machine, by TensorFlow."""

from __future__ import annotations

from contextlib import AbstractContextManager

import tensorflow as tf

from keras_jtav.devices.one_device import Devices


class MirroredDevices(Devices):
    """All devices of this machine, by TensorFlow: each has a copy of the weights.

    Every device reads its part of a batch, and gradients are averaged. What looks at a
    whole batch looks at a device's part of it: the statistics of batch normalisation,
    and the false songs of the in-batch contrastive loss.
    """

    def __init__(self) -> None:
        self._strategy = tf.distribute.MirroredStrategy()
        self.count = self._strategy.num_replicas_in_sync

    def building(self) -> AbstractContextManager:
        """Return what a model is built and compiled in."""
        return self._strategy.scope()

    def feed(self, dataset: tf.data.Dataset) -> tf.data.Dataset:
        """Return the batches with numbers for truth values; models take both.

        Before its first step Keras adds up what the devices see, to learn the shapes,
        and TensorFlow does not add truth values.
        """
        return dataset.map(lambda *batch: tf.nest.map_structure(_as_number, batch))


def _as_number(tensor: tf.Tensor) -> tf.Tensor:
    return tf.cast(tensor, tf.uint8) if tensor.dtype == tf.bool else tensor
