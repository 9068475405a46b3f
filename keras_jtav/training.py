"""Training: Keras ``fit`` with early stopping, and a state on disk after every epoch.

What an epoch draws depends on the seed and the epoch alone: the batches
(``data/pairs.py``) and, since Keras does not save the state of its generators with the
weights, dropout and augmentation too. So a run that was killed at any moment goes on
from its last complete epoch as if nothing had happened.
"""

from __future__ import annotations

import gc
import json
import warnings
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import keras
import numpy as np
import tensorflow as tf
from tensorflow.python.framework.ops import gradient_registry

from keras_jtav.config import TrainOptions
from keras_jtav.data.pairs import BatchPlan
from keras_jtav.data.pipeline import PostFeatures
from keras_jtav.data.whole_file import is_left_over, written_whole
from keras_jtav.devices import Devices
from keras_jtav.layers import set_cudnn
from keras_jtav.tasks import LogitLoss

NOT_DECAYED = ("bias", "gamma", "beta")


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


def train(
    model: keras.Model,
    options: TrainOptions,
    features: PostFeatures,
    plan: BatchPlan,
    validation: Validation,
    folder: Path,
    callbacks: Sequence[keras.callbacks.Callback] = (),
    phase: str = "train",
    start: Callable[[], None] | None = None,
    devices: Devices | None = None,
) -> list[dict[str, float]]:
    """Train a model to its best validation epoch, going on from ``folder``'s state.

    Args:
        model: Features to logits, built in the scope of ``devices``.
        options: How to train.
        features: Features of the training posts.
        plan: The batches of every epoch.
        validation: How an epoch is judged.
        folder: Where checkpoints and TensorBoard logs are kept.
        callbacks: Further callbacks.
        phase: Name of the folders of this training's checkpoints and logs.
        start: Gives the model its first weights; not called where training goes on.
        devices: What ``fit`` runs on; by default one device.

    Returns:
        Metrics of every epoch. The model holds the best weights.

    Raises:
        ValueError: A step that XLA cannot compile where ``options.jit`` asks for it.
    """
    devices = devices or Devices()
    with devices.building():
        _compile(model, options, plan.steps_per_epoch)
    state = TrainingState(folder / "checkpoints" / phase, validation, options, devices)
    first_epoch = state.restore(model)
    if first_epoch == 0 and start is not None:
        start()
    if not state.finished and first_epoch < options.epochs:
        names = [tensor.name for tensor in model.inputs]
        batches = devices.feed(features.training(plan, names, first_epoch))
        # In every process: it reads the learning rate, which all hold together.
        logs = keras.callbacks.TensorBoard(str(folder / "tensorboard" / phase))
        with devices.fitting():
            model.fit(
                batches,
                epochs=options.epochs,
                initial_epoch=first_epoch,
                steps_per_epoch=plan.steps_per_epoch,
                shuffle=False,
                verbose=0,
                callbacks=[state, logs, *callbacks],
            )
    state.load_best(model)
    return state.history


def _compile(model: keras.Model, options: TrainOptions, steps_per_epoch: int) -> None:
    """Give a model its optimiser and its loss."""
    schedule = keras.optimizers.schedules.CosineDecay(
        options.learning_rate, options.epochs * steps_per_epoch
    )
    optimizer = keras.optimizers.Adam(
        schedule, weight_decay=options.weight_decay or None
    )
    optimizer.exclude_from_weight_decay(var_names=NOT_DECAYED)
    if options.jit:
        set_cudnn(model, False)  # its kernels cannot be compiled
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "Model doesn't support `jit_compile=True`")
        model.compile(
            optimizer=optimizer,
            loss=LogitLoss(),
            jit_compile=options.jit or keras.backend.backend() == "jax",
        )
    if options.jit and not model.jit_compile:
        raise ValueError(
            "`train.jit` asks for XLA, and TensorFlow compiles nothing in a process "
            "whose operations an earlier run without it made deterministic. Train in a "
            "new process, or leave --jit out."
        )
    # Built here, not inside the graph of the first step, which would be traced twice.
    model.optimizer.build(model.trainable_variables)


class TrainingState(keras.callbacks.Callback):
    """Judges every epoch, stops when none is better, and keeps the state on disk.

    Weights go into a file of their own; ``state.json``, renamed into place after it,
    says which files count. A kill between the two leaves the previous epoch's state,
    and what it left half written is swept after the next epoch.

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
        self._best_epoch: int | None = None
        self._best_merit: tuple[float, ...] | None = None

    def restore(self, model: keras.Model) -> int:
        """Load the state, if there is one; return the epoch to go on with."""
        state = self._processes.agree(self._read_state())
        if state is None:
            return 0
        self.history = state["history"]
        self.finished = state["finished"]
        self._best_epoch = state["best_epoch"]
        best = self.history[self._best_epoch]
        measured = {
            name.removeprefix("val_"): value
            for name, value in best.items()
            if name.startswith("val_")
        }
        self._best_merit = self._validation.merit(measured)
        if not self.finished:
            self._load(model, len(self.history) - 1)
        return len(self.history)

    def load_best(self, model: keras.Model) -> None:
        """Give the model the weights of its best epoch."""
        self._load(model, self._best_epoch)

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
        with self._devices.apart():
            measured = self._validation.measure()
        measured = {name: float(value) for name, value in measured.items()}
        measured = self._processes.agree(measured)
        merit = self._validation.merit(measured)
        if self._best_merit is None or merit > self._best_merit:
            self._best_epoch, self._best_merit = epoch, merit
        named = {f"val_{name}": value for name, value in measured.items()}
        logs = {} if logs is None else logs
        logs.update(named)
        self.history.append({"loss": float(logs["loss"]), **named})
        if epoch - self._best_epoch >= self._patience:
            self.model.stop_training = True
        if self._processes.is_first:
            with self._devices.apart():  # to save, Keras makes variables of its own
                self._save(epoch)

    def on_train_end(self, logs: dict | None = None) -> None:
        """Mark the phase as complete."""
        self.finished = True
        if self._processes.is_first:
            self._write_state()

    def _load(self, model: keras.Model, epoch: int) -> None:
        with self._processes.everywhere(self._weights(epoch)) as path:
            model.load_weights(path)

    def _save(self, epoch: int) -> None:
        self.folder.mkdir(parents=True, exist_ok=True)
        with written_whole(self._weights(epoch)) as aside:
            self.model.save_weights(aside)
        self._write_state()
        kept = {self._weights(epoch), self._weights(self._best_epoch)}
        for path in set(self.folder.iterdir()) - kept:
            if path.name.endswith(".weights.h5") or is_left_over(path):
                path.unlink()

    def _read_state(self) -> dict | None:
        path = self.folder / "state.json"
        return json.loads(path.read_text(encoding="utf-8")) if path.exists() else None

    def _write_state(self) -> None:
        state = {
            "best_epoch": self._best_epoch,
            "finished": self.finished,
            "history": self.history,
        }
        with written_whole(self.folder / "state.json") as aside:
            aside.write_text(json.dumps(state, indent=1), encoding="utf-8")

    def _weights(self, epoch: int) -> Path:
        return self.folder / f"epoch-{epoch:04d}.weights.h5"


def seed_everything(seed: int, jit: bool = False) -> None:
    """Make every draw of Python, NumPy, Keras and TensorFlow follow from ``seed``.

    Args:
        seed: What all draws follow from.
        jit: Whether XLA is to compile: Keras does not let it where TensorFlow is told
            to be deterministic. On CPUs its programs are deterministic anyway.
    """
    keras.utils.set_random_seed(seed)
    if not jit:
        tf.config.experimental.enable_op_determinism()


def release_models() -> None:
    """Give back the memory of all models; none of them can be trained any more.

    TensorFlow keeps the custom gradients of a traced graph for good, and with them the
    graph. Keras has one in every training step, so that each training would leave its
    own behind. No public function forgets them.
    """
    keras.backend.clear_session()
    kept = getattr(gradient_registry, "_registry", {})
    for name in [name for name in kept if name.startswith("CustomGradient-")]:
        del kept[name]
    gc.collect()
