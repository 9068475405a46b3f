"""Which devices a config asks for, and which of them cannot work."""

from __future__ import annotations

import contextlib
import json
import os

import keras
import tensorflow as tf

from keras_jtav.devices.data_parallel import ParallelDevices
from keras_jtav.devices.mirrored import MirroredDevices
from keras_jtav.devices.one_device import Devices
from keras_jtav.devices.processes import Processes
from keras_jtav.options import TrainOptions

NUM_PROCESSES = "KERAS_DISTRIBUTION_NUM_PROCESSES"

JAX_COMMAND = (
    "KERAS_BACKEND=jax KERAS_DISTRIBUTION_JOB_ADDRESSES=HOST0:PORT "
    "KERAS_DISTRIBUTION_NUM_PROCESSES=N KERAS_DISTRIBUTION_PROCESS_ID=I "
    "keras-jtav train --strategy data_parallel"
)


def find_devices(options: TrainOptions, batch_size: int) -> Devices:
    """Return the devices that training is asked to run on.

    Args:
        options: How to train.
        batch_size: Rows of every batch; all devices get equally many of them.

    Raises:
        ValueError: A batch that the devices do not divide, or as ``check_devices``.
    """
    check_devices(options)
    kinds = {"mirrored": MirroredDevices, "data_parallel": ParallelDevices}
    devices = kinds.get(options.strategy, Devices)()
    if batch_size % devices.count:
        raise ValueError(
            f"A batch of {batch_size} cannot be shared equally by {devices.count} "
            f"devices. Set `train.batch_size` to a multiple of {devices.count}, no "
            "larger than the training split."
        )
    return devices


def join_processes(options: TrainOptions) -> Processes:
    """Meet the other processes that Keras's environment variables name.

    This comes before anything is computed. It waits until all have started.
    """
    if keras.backend.backend() == "jax":
        # TensorFlow only reads posts then, on the host, and would take all the memory
        # of a GPU. In a second run of this process it has been told already.
        with contextlib.suppress(RuntimeError):
            tf.config.set_visible_devices([], "GPU")
    if options.strategy != "data_parallel" or NUM_PROCESSES not in os.environ:
        return Processes()
    import jax

    keras.distribution.initialize()
    return Processes(jax.process_index(), jax.process_count())


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
    if strategy == "data_parallel" and backend != "jax":
        raise ValueError(
            f"`train.strategy=data_parallel` needs JAX, and Keras runs on {backend}. "
            "Set KERAS_BACKEND=jax (pip install 'keras-jtav[jax]'), or use --strategy "
            "mirrored on one machine."
        )
    if NUM_PROCESSES in os.environ and strategy != "data_parallel":
        raise ValueError(
            f"{NUM_PROCESSES} is set, and one device is to train. Unset it, or start "
            f"on every host {JAX_COMMAND} ..."
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
