"""The state of a training: what every epoch measured, and the weights that count.

Weights go into a file of their own; ``state.json``, renamed into place after it, says
which files count. A kill between the two leaves the previous epoch's state, and what it
left half written is swept after the next epoch.
"""

from __future__ import annotations

import json
import warnings
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

import keras
import numpy as np

from keras_jtav.config import TrainOptions
from keras_jtav.data.whole_file import is_left_over, write_text, written_whole
from keras_jtav.devices import Devices


@dataclass(frozen=True)
class Validation:
    """How an epoch is judged.

    Args:
        measure: Returns metrics of the model as it is, on the validation split.
        monitor: The metric that decides.
        higher_is_better: Its direction.
        tie_breaker: A metric whose lower value decides between equal ones; on a small
            validation split an AUC often repeats itself.
    """

    measure: Callable[[], Mapping[str, float]]
    monitor: str
    higher_is_better: bool
    tie_breaker: str = ""

    def merit(self, metrics: Mapping[str, float]) -> tuple[float, ...]:
        """Return what is compared: the better epoch has the higher one."""
        value = metrics[self.monitor]
        merit = (value if self.higher_is_better else -value,)
        return (*merit, -metrics[self.tie_breaker]) if self.tie_breaker else merit


class TrainingState(keras.callbacks.Callback):
    """Judges every epoch, stops when none is better, and keeps the state on disk.

    Args:
        folder: Where the state is kept.
        validation: How an epoch is judged.
        options: Patience and seed.
        devices: What ``fit`` runs on. Of several processes the first one writes and
            decides.
    """

    def __init__(
        self,
        folder: Path,
        validation: Validation,
        options: TrainOptions,
        devices: Devices,
    ) -> None:
        super().__init__()
        self._devices = devices
        self._processes = devices.processes
        self.folder = folder
        self.history: list[dict[str, float]] = []
        self.finished = False
        self._validation = validation
        self._patience = options.patience
        self._seed = options.seed
        self._best_entry: int | None = None
        self._best_merit: tuple[float, ...] | None = None

    def restore(self, model: keras.Model) -> int:
        """Load the state, if there is one; return the epoch to go on with."""
        state = self._processes.agree(self._read_state())
        if state is None:
            return 0
        self.history = state["history"]
        self.finished = state["finished"]
        self._best_entry = state["best_entry"]
        best = self.history[self._best_entry]
        measured = {
            name.removeprefix("val_"): value
            for name, value in best.items()
            if name.startswith("val_")
        }
        self._best_merit = self._validation.merit(measured)
        if not self.finished:
            self._load(model, len(self.history) - 1)
        return sum(entry["loss"] is not None for entry in self.history)

    def judge_start(self, model: keras.Model) -> None:
        """Measure and save the weights that training starts from.

        They are used if no epoch is as good: a few hundred posts may teach nothing that
        a solution in closed form does not have.
        """
        self._enter(model, None)

    def load_best(self, model: keras.Model) -> None:
        """Give the model the weights of its best epoch, or those of its start."""
        self._load(model, self._best_entry)

    def on_epoch_begin(self, epoch: int, logs: dict | None = None) -> None:
        """Make what the epoch draws a function of the seed and its number."""
        generators = [
            value
            for layer in self.model._flatten_layers()
            for value in vars(layer).values()
            if isinstance(value, keras.random.SeedGenerator)
        ]
        for number, generator in enumerate(generators):
            draw = np.random.default_rng([self._seed, epoch, number])
            generator.state.assign(draw.integers(2**31, size=2))

    def on_epoch_end(self, epoch: int, logs: dict | None = None) -> None:
        """Measure, decide, save."""
        logs = {} if logs is None else logs
        logs.update(self._enter(self.model, float(logs["loss"])))
        if len(self.history) - 1 - self._best_entry >= self._patience:
            self.model.stop_training = True

    def _enter(self, model: keras.Model, loss: float | None) -> dict[str, float]:
        """Write a model as it is into the history; return what validation says."""
        with self._devices.apart():
            measured = self._validation.measure()
        measured = {name: float(value) for name, value in measured.items()}
        measured = self._processes.agree(measured)
        merit = self._validation.merit(measured)
        named = {f"val_{name}": value for name, value in measured.items()}
        self.history.append({"loss": loss, **named})
        if self._is_better(merit):
            self._best_entry, self._best_merit = len(self.history) - 1, merit
        if self._processes.is_first:
            with self._devices.apart():  # to save, Keras makes variables of its own
                self._save(model)
        return named

    def _is_better(self, merit: tuple[float, ...]) -> bool:
        """Return whether a merit beats the best; an equal one beats the start only."""
        if self._best_entry is None:
            return True
        best_is_start = self.history[self._best_entry]["loss"] is None
        return merit > self._best_merit or (best_is_start and merit == self._best_merit)

    def on_train_end(self, logs: dict | None = None) -> None:
        """Mark the phase as complete."""
        self.finished = True
        if self._processes.is_first:
            self._write_state()

    def _load(self, model: keras.Model, entry: int) -> None:
        with self._processes.everywhere(self._weights(entry)) as path:
            try:
                with warnings.catch_warnings():
                    # Keras leaves out what it does not find, with a warning.
                    warnings.filterwarnings("error", "Skipping nested container")
                    model.load_weights(path)
            except (ValueError, UserWarning) as error:
                raise ValueError(
                    f"{path} holds the weights of another model: it was written by "
                    "another version of this package. Use that one, or train again, "
                    "without --resume or into another --runs-dir."
                ) from error

    def _save(self, model: keras.Model) -> None:
        self.folder.mkdir(parents=True, exist_ok=True)
        last = self._weights(len(self.history) - 1)
        with written_whole(last) as aside:
            model.save_weights(aside)
        self._write_state()
        kept = {last, self._weights(self._best_entry)}
        for path in set(self.folder.iterdir()) - kept:
            if path.name.endswith(".weights.h5") or is_left_over(path):
                path.unlink()

    def _read_state(self) -> dict | None:
        path = self.folder / "state.json"
        return json.loads(path.read_text(encoding="utf-8")) if path.exists() else None

    def _write_state(self) -> None:
        state = {
            "best_entry": self._best_entry,
            "finished": self.finished,
            "history": self.history,
        }
        write_text(self.folder / "state.json", json.dumps(state, indent=1))

    def _weights(self, entry: int) -> Path:
        return self.folder / f"entry-{entry:04d}.weights.h5"
