"""The model that is trained, beside the one that is judged and exported.

Lower precision, and copies on several devices, are matters of training. What is judged
and exported computes in float32 on one device, with the same weights.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace

import keras

from keras_jtav.devices import Processes
from keras_jtav.training_state import Validation


class Twin:
    """Two models of one architecture, whose weights are copied when they are needed.

    Args:
        used: The model that is judged.
        trained: The model that ``fit`` sees; it may be the same one.
        processes: The processes that train together; each has twins of its own.
    """

    def __init__(
        self,
        used: keras.Model,
        trained: keras.Model,
        processes: Processes | None = None,
    ) -> None:
        self.used = used
        self.trained = trained
        self._processes = processes or Processes()

    def give_to_trained(self) -> None:
        """Give the model that is trained the weights of the one that is judged."""
        if self.trained is not self.used:
            self.trained.set_weights(self._processes.same(self.used.get_weights()))

    def take_from_trained(self) -> None:
        """Give the model that is judged the weights of the one that is trained."""
        if self.trained is not self.used:
            self.used.set_weights(self.trained.get_weights())

    def validation(self, validation: Validation) -> Validation:
        """Return a judge of the model as it is trained, from one of its twin."""

        def measure() -> Mapping[str, float]:
            self.take_from_trained()
            return validation.measure()

        return replace(validation, measure=measure)

    def start(self, start: Callable[[], None] | None) -> Callable[[], None]:
        """Return what gives both their first weights, from what gives them to one."""

        def give() -> None:
            if start is not None:
                start()
            self.give_to_trained()

        return give
