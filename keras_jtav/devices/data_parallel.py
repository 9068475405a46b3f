"""All devices of all processes, by JAX."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager

import keras

from keras_jtav.devices.one_device import Devices
from keras_jtav.devices.processes import Processes


class ParallelDevices(Devices):
    """All devices of all processes, by JAX: one program over one global batch.

    Every process reads its own rows of a batch. What looks at a whole batch looks at
    all of it, so that a step is that of one device.
    """

    def __init__(self) -> None:
        import jax

        self._distribution = keras.distribution.DataParallel(auto_shard_dataset=False)
        self.count = len(keras.distribution.list_devices())
        self.processes = Processes(jax.process_index(), jax.process_count())

    def building(self) -> AbstractContextManager:
        """Return what a model is built and compiled in."""
        return self._distribution.scope()

    def fitting(self) -> AbstractContextManager:
        """Return what ``fit`` is called in."""
        return self._distribution.scope()

    @contextmanager
    def apart(self) -> Iterator[None]:
        """Return what is done in without the other devices, while ``fit`` runs."""
        keras.distribution.set_distribution(None)
        try:
            yield
        finally:
            keras.distribution.set_distribution(self._distribution)
