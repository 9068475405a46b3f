"""What training runs on: one device, or several of one machine."""

from __future__ import annotations

import json
import os
from contextlib import AbstractContextManager, nullcontext

import keras
import tensorflow as tf

from keras_jtav.config import TrainOptions

JAX_COMMAND = (
    "KERAS_BACKEND=jax KERAS_DISTRIBUTION_JOB_ADDRESSES=HOST0:PORT "
    "KERAS_DISTRIBUTION_NUM_PROCESSES=N KERAS_DISTRIBUTION_PROCESS_ID=I "
    "keras-jtav train --strategy data_parallel"
)


class Devices:
    """One device.

    Attributes:
        count: How many devices share a batch.
    """

    count = 1

    def scope(self) -> AbstractContextManager:
        """Return what a model is built and compiled in."""
        return nullcontext()

    def feed(self, dataset: tf.data.Dataset) -> tf.data.Dataset:
        """Return the batches of training in the form that ``fit`` takes."""
        return dataset


class MirroredDevices(Devices):
    """All devices of this machine, by TensorFlow: each has a copy of the weights.

    Every device reads its part of a batch, and gradients are averaged. What looks at a
    whole batch looks at a device's part of it: the statistics of batch normalisation,
    and the false songs of the in-batch contrastive loss.
    """

    def __init__(self) -> None:
        self._strategy = tf.distribute.MirroredStrategy()
        self.count = self._strategy.num_replicas_in_sync

    def scope(self) -> AbstractContextManager:
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


def find_devices(options: TrainOptions, batch_size: int) -> Devices:
    """Return the devices that training is asked to run on.

    Args:
        options: How to train.
        batch_size: Rows of every batch; all devices get equally many of them.

    Raises:
        ValueError: A batch that the devices do not divide, or as ``check_devices``.
    """
    check_devices(options)
    devices = MirroredDevices() if options.strategy == "mirrored" else Devices()
    if batch_size % devices.count:
        raise ValueError(
            f"A batch of {batch_size} cannot be shared equally by {devices.count} "
            f"devices. Set `train.batch_size` to a multiple of {devices.count}, no "
            "larger than the training split."
        )
    return devices


def check_devices(options: TrainOptions) -> None:
    """Refuse what cannot be trained, before data is read.

    Raises:
        ValueError: Several machines or devices in a way that does not work; the message
            says which one does.
    """
    backend, strategy = keras.backend.backend(), options.strategy
    if backend == "tensorflow" and _num_workers(os.environ.get("TF_CONFIG", "")) > 1:
        raise ValueError(
            "TF_CONFIG names several workers, and Keras 3 does not train on several "
            "machines with TensorFlow. Use JAX: unset TF_CONFIG and start on every "
            f"host {JAX_COMMAND} ..."
        )
    if strategy == "mirrored" and backend != "tensorflow":
        raise ValueError(
            f"`train.strategy=mirrored` needs TensorFlow, and Keras runs on {backend}. "
            "Unset KERAS_BACKEND, or with JAX use --strategy data_parallel."
        )
    if strategy == "mirrored" and options.jit:
        raise ValueError(
            "--jit cannot be combined with --strategy mirrored: what XLA compiles "
            "cannot reach the weights of another device. Leave one of them out, or use "
            "JAX, which always compiles, with --strategy data_parallel."
        )
    if strategy == "mirrored" and options.precision == "mixed_float16":
        raise ValueError(
            "--precision mixed_float16 cannot be combined with --strategy mirrored: "
            "each device would decide by itself to skip a step whose gradients "
            "overflow. Use mixed_bfloat16 or float32."
        )


def _num_workers(tf_config: str) -> int:
    """Return how many processes that train a TF_CONFIG names."""
    try:
        cluster = json.loads(tf_config or "{}").get("cluster", {})
    except (ValueError, AttributeError):  # TensorFlow will say what is wrong with it
        return 0
    return sum(len(cluster.get(job, ())) for job in ("chief", "master", "worker"))
