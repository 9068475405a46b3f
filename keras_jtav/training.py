"""Training: Keras ``fit`` with early stopping, and a state on disk after every epoch.

What an epoch draws depends on the seed and the epoch alone: the batches
(``data/pairs.py``) and, since Keras does not save the state of its generators with the
weights, dropout and augmentation too. So a run that was killed at any moment goes on
from its last complete epoch as if nothing had happened.
"""

from __future__ import annotations

import contextlib
import gc
import warnings
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path

import keras
import numpy as np
import tensorflow as tf
from tensorflow.python.framework.ops import gradient_registry

from keras_jtav.config import TrainOptions
from keras_jtav.data.pairs import BatchPlan
from keras_jtav.data.pipeline import PostFeatures
from keras_jtav.devices import Devices
from keras_jtav.layers import set_cudnn
from keras_jtav.tasks import LogitLoss
from keras_jtav.training_state import TrainingState, Validation

NOT_DECAYED = ("bias", "gamma", "beta")


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
    judge_start: bool = False,
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
        judge_start: Whether the first weights are judged like those of an epoch, and
            kept if no epoch is as good.
        devices: What ``fit`` runs on; by default one device.

    Returns:
        Metrics of every epoch; where the start is judged its own come first, with the
        ``loss`` ``None``. The model holds the best weights.

    Raises:
        ValueError: A step that XLA cannot compile where ``options.jit`` asks for it.
    """
    devices = devices or Devices()
    with devices.building():
        _compile(model, options, plan.steps_per_epoch)
    state = TrainingState(folder / "checkpoints" / phase, validation, options, devices)
    first_epoch = state.restore(model)
    if not state.history:
        if start is not None:
            start()
        if judge_start:
            state.judge_start(model)
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


def show_batches(
    model: keras.Model, batches: Iterable[Mapping[str, np.ndarray]]
) -> None:
    """Call a model as in training, for its running statistics; it learns nothing.

    Args:
        model: From features to anything.
        batches: Features.
    """

    def see(batch: Mapping) -> None:
        model(batch, training=True)

    if keras.backend.backend() == "tensorflow":  # one operation at a time is slow
        see = tf.function(see, reduce_retracing=True)
    for batch in batches:
        see(batch)


def seed_everything(seed: int, jit: bool = False) -> None:
    """Make every draw of Python, NumPy, Keras and TensorFlow follow from ``seed``.

    Args:
        seed: What all draws follow from.
        jit: Whether XLA is to compile: Keras does not let it where TensorFlow is told
            to be deterministic. On CPUs its programs are deterministic anyway.
    """
    if not jit:
        # With several threads AddN adds three gradients in an order that depends on
        # which of them is still read. It is too late where TensorFlow has computed.
        # On a GPU trainings with one thread stopped in the middle of an epoch.
        if not tf.config.list_physical_devices("GPU"):
            with contextlib.suppress(RuntimeError):
                tf.config.threading.set_inter_op_parallelism_threads(1)
        tf.config.experimental.enable_op_determinism()
    keras.utils.set_random_seed(seed)


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
