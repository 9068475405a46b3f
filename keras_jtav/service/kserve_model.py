"""A served model as KServe knows it: its name, its metadata, and its answers."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import kserve

from keras_jtav.service.served_model import ServedModel
from keras_jtav.service.tensors import describe_fields
from keras_jtav.service.workers import Workers

Question = Callable[[ServedModel], Any]


class KServeModel(kserve.Model):
    """Answers questions: functions of a served model, which read a request and ask it.

    Requests are read where they are answered, in a thread, so that a large one does not
    hold up the others. KServe counts and times every question for its metrics.

    Args:
        served: The model.
        workers: The threads.
    """

    def __init__(self, served: ServedModel, workers: Workers) -> None:
        super().__init__(served.name)
        self.served = served
        self._workers = workers

    def load(self) -> bool:
        """Prepare the graphs; from then on the model is ready."""
        self.served.warm_up()
        self.ready = True
        return self.ready

    async def predict(
        self, payload: Question, headers: dict | None = None, *_: Any
    ) -> Any:
        """Return what a question returns.

        Raises:
            Refusal: It cannot be answered.
        """
        return await self._workers.run(partial(payload, self.served))

    def get_input_types(self) -> list[dict[str, Any]]:
        """Return the inputs of ``serving_default``."""
        return describe_fields(self.served.endpoint().fields)

    def get_output_types(self) -> list[dict[str, Any]]:
        """Return the outputs of ``serving_default``."""
        return describe_fields(self.served.endpoint().outputs)
