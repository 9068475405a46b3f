"""The phases of training: with pretrained image weights there are two.

While a backbone is frozen, a picture's features never change. They are computed once,
kept beside the other features of media files, and the first phase trains a model that
starts from them. The second phase opens the backbone of the whole model.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import partial
from pathlib import Path

import keras
import numpy as np

from keras_jtav.canonical_start import start_towers
from keras_jtav.config import Config
from keras_jtav.data.cache import FeatureCache
from keras_jtav.data.media import MediaStore
from keras_jtav.data.pairs import BatchPlan
from keras_jtav.data.same_posts import keep_to_posts
from keras_jtav.devices import Devices, find_devices
from keras_jtav.encoders.image_encoder import (
    backbone_features,
    backbone_of,
    frozen_encoder,
    open_backbone,
)
from keras_jtav.judging import JUDGES
from keras_jtav.model import build_model
from keras_jtav.options import TrainOptions
from keras_jtav.preparation import Prepared, Progress
from keras_jtav.training import train
from keras_jtav.twin import Twin

FINE_TUNE_RATE = 0.1
BATCH_SIZE = 32

Callbacks = Callable[[str, int], list[keras.callbacks.Callback]]


def train_phases(
    config: Config,
    models: Mapping[str, keras.Model],
    prepared: Prepared,
    pictures: BackboneStore | None,
    folder: Path,
    callbacks: Callbacks,
) -> list[dict[str, float]]:
    """Train what a config asks for, going on from ``folder``'s state.

    Args:
        config: The run.
        models: What ``build_model`` returned for it; trained in place.
        prepared: The data of the run.
        pictures: What ``pretrained_pictures`` returned for the models.
        folder: Where checkpoints and TensorBoard logs are kept.
        callbacks: Returns further callbacks, given a phase and its number of epochs.

    Returns:
        Metrics of every epoch of every phase.

    Raises:
        ConnectionError: Another process of several that train together is gone.
        ValueError: Other posts, or another split of them, than the state's.
    """
    options, posts = config.train, prepared.posts["train"]
    devices = find_devices(options, min(options.batch_size, len(posts)))
    plan = BatchPlan(
        posts,
        options.batch_size,
        options.negatives if config.task == "retrieval" else 0,
        options.seed,
        (devices.processes.index, devices.processes.count),
    )

    with devices.processes.watched():
        keep_to_posts(folder, prepared.posts, devices.processes)

    def phase(
        name: str,
        models: Mapping[str, keras.Model],
        prepared: Prepared,
        options: TrainOptions,
    ) -> list[dict[str, float]]:
        options = options.for_steps(plan.steps_per_epoch)
        trained = _trained(config, models, prepared, devices)
        twin = Twin(models["train"], trained, devices.processes)
        first = _start(config, models, prepared) if name == "train" else None
        with devices.processes.watched():
            history = train(
                twin.trained,
                options,
                prepared.features["train"],
                plan,
                twin.validation(JUDGES[config.task](models, prepared).validation),
                folder,
                callbacks(name, options.epochs),
                name,
                twin.start(first),
                judge_start=first is not None or name == "fine_tune",
                devices=devices,
            )
            twin.take_from_trained()
        return [{"phase": name, **epoch} for epoch in history]

    if pictures is None:
        return phase("train", models, prepared, options)
    backbone = backbone_of(frozen_encoder(models["train"]))
    above = with_backbone_features(prepared, pictures)
    models_above = build_model(config, above.spec, prepared.vocabulary.matrix)
    history = phase("train", models_above, above, options)
    copy_weights(models_above["train"], models["train"], backbone)
    if options.fine_tune_epochs:
        open_backbone(backbone)
        fine_tuning = replace(
            options,
            epochs=options.fine_tune_epochs,
            learning_rate=options.learning_rate * FINE_TUNE_RATE,
        )
        history += phase("fine_tune", models, prepared, fine_tuning)
    return history


def _trained(
    config: Config,
    models: Mapping[str, keras.Model],
    prepared: Prepared,
    devices: Devices,
) -> keras.Model:
    """Return the model to train: the given one, or one like it as a config asks."""
    precision = config.train.precision
    if precision == "float32" and config.train.strategy == "single":
        return models["train"]
    with devices.building():
        built = build_model(
            config, prepared.spec, prepared.vocabulary.matrix, precision
        )
    trained = built["train"]
    encoder = frozen_encoder(trained)
    if encoder is not None and frozen_encoder(models["train"]) is None:
        open_backbone(backbone_of(encoder))
    return trained


def _start(
    config: Config, models: Mapping[str, keras.Model], prepared: Prepared
) -> Callable[[], None] | None:
    """Return what gives towers their first weights, where a config asks for it."""
    options = config.train
    has_towers = config.tower_units and config.matching.name == "jtav"
    if config.task != "retrieval" or not (has_towers and options.canonical_start):
        return None
    keep = 1 - options.modality_dropout
    return partial(start_towers, models, prepared, keep)


def pretrained_pictures(
    models: Mapping[str, keras.Model], prepared: Prepared, progress: Progress
) -> BackboneStore | None:
    """Return all pictures as a frozen backbone sees them; ``None`` where none is.

    Args:
        models: What ``build_model`` returned, before it is trained.
        prepared: The data of the run.
        progress: Wraps an iterable, given its length and a title.

    Raises:
        ValueError: Pictures are streamed, and so not to be had at once.
    """
    encoder = frozen_encoder(models["train"])
    if encoder is None:
        return None
    if getattr(prepared.store, "streamed", False):
        raise ValueError(
            "`train.shuffle_buffer` leaves pictures in their shards, and a frozen "
            "backbone reads them all before training. Set it to 0, or use "
            "--image-weights none."
        )
    paths = sorted(
        {
            post.image
            for posts in prepared.posts.values()
            for post in posts
            if post.image is not None and prepared.store.has(post.image)
        }
    )
    store = BackboneStore(prepared.store, backbone_features(encoder))
    store.prepare(paths, progress)
    return store


def with_backbone_features(prepared: Prepared, store: BackboneStore) -> Prepared:
    """Return the same data with a frozen backbone's features in place of pictures."""
    spec = replace(prepared.spec, image_features=store.dim)
    features = {
        split: prepared.features[split].with_store(store, spec)
        for split in prepared.posts
    }
    return replace(prepared, spec=spec, features=features)


def copy_weights(
    source: keras.Model, target: keras.Model, backbone: keras.Model
) -> None:
    """Give a model the weights of the one that was trained without its backbone."""
    inside = {id(weight) for weight in backbone.weights}
    outside = [weight for weight in target.weights if id(weight) not in inside]
    for weight, trained in zip(outside, source.weights, strict=True):
        weight.assign(trained)


class BackboneStore:
    """A ``MediaStore`` whose pictures are the features of a backbone.

    Args:
        store: Features of the media files.
        extractor: From pictures to backbone features.

    Attributes:
        dim: How many features a picture has.
    """

    def __init__(self, store: MediaStore, extractor: keras.Model) -> None:
        self._store = store
        self._extractor = extractor
        self.dim = extractor.output.shape[-1]
        self.has = store.has
        self.spectrogram = store.spectrogram
        weights = hashlib.sha256()
        for array in extractor.get_weights():
            weights.update(np.ascontiguousarray(array))
        settings = {
            "image": store.image_settings,
            "network": extractor.name,
            "channels": self.dim,
            "weights": weights.hexdigest(),
        }
        self._cache = FeatureCache(store.folder, "backbone", settings)

    def prepare(self, paths: list[Path], progress: Progress) -> None:
        """Compute the features that no earlier run has left behind."""
        missing = [p for p in paths if self._store.digest(p) not in self._cache]
        firsts = range(0, len(missing), BATCH_SIZE)
        for first in progress(firsts, len(firsts), "image features"):
            batch = missing[first : first + BATCH_SIZE]
            pictures = np.stack([self._store.image(path) for path in batch])
            features = self._extractor.predict_on_batch(pictures)
            for path, vector in zip(batch, features, strict=True):
                self._cache.put(self._store.digest(path), vector)

    def image(self, path: Path) -> np.ndarray:
        """Return the backbone features of a prepared picture, ``(channels,)``."""
        return self._cache.get(self._store.digest(path))
