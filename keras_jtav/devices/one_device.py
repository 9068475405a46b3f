"""One device, and what several devices do in another way."""

from __future__ import annotations

from contextlib import AbstractContextManager, nullcontext

import tensorflow as tf

from keras_jtav.devices.processes import Processes


class Devices:
    """One device.

    Attributes:
        count: How many devices share a batch.
        processes: The processes that train together.
    """

    count = 1
    processes = Processes()

    def building(self) -> AbstractContextManager:
        """Return what a model is built and compiled in."""
        return nullcontext()

    def fitting(self) -> AbstractContextManager:
        """Return what ``fit`` is called in."""
        return nullcontext()

    def apart(self) -> AbstractContextManager:
        """Return what is done in without the other devices, while ``fit`` runs."""
        return nullcontext()

    def feed(self, dataset: tf.data.Dataset) -> tf.data.Dataset:
        """Return the batches of training in the form that ``fit`` takes."""
        return dataset
