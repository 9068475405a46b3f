"""The Keras models inside an exported model, and the features of one post."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from keras_jtav.attribution.gradients import hook
from keras_jtav.config import Config
from keras_jtav.data.post import Post, Rejection
from keras_jtav.features.spec import FeatureSpec
from keras_jtav.layers import WordVectors
from keras_jtav.model import build_model, without_files
from keras_jtav.serving.predictor import Predictor

PARTS = ("image", "audio", "lyrics", "caption")
TOLERANCE = 0.01  # of a logit; a GPU rounds otherwise than the CPU
_OTHER_VERSION = (
    "It was exported by another version of this package: use that one, or train again."
)
# What a model sees of each part of a post; a part is hidden by zeros in all of it.
FEATURES = {
    "sentiment": {
        "text": ("words", "supporting_words"),
        "audio": ("spectrogram", "segment_mask"),
        "image": ("image", "image_mask"),
    },
    "retrieval": {
        "image": ("image", "image_mask"),
        "caption": ("supporting_words",),
        "audio": ("spectrogram", "segment_mask"),
        "lyrics": ("words",),
    },
}
Features = dict[str, tf.Tensor]


class Network:
    """A model that was exported, as Keras models with its weights.

    Args:
        predictor: The exported model.

    Attributes:
        config: What the model is.
        spec: Sizes of its features.
        models: What ``build_model`` returns, with its weights.
        players: The parts of a post that it sees.

    Raises:
        ValueError: A model that cannot be taken apart: one of an earlier version, or
            image2song, which has no logit.
    """

    def __init__(self, predictor: Predictor) -> None:
        settings = predictor.settings
        if "features" not in predictor.saved_model.signatures:
            raise ValueError(
                f"{predictor.folder} was exported by a version of this package that "
                "could not explain. Export the run again: keras-jtav export RUN."
            )
        config = Config.from_json(json.dumps(settings["config"]))
        if config.matching.name == "image2song":
            raise ValueError(
                "image2song matches by distances and has no logit, so that it can "
                "neither be explained nor become ONNX. Use a model with matching=jtav."
            )
        self.config = config = without_files(config)
        self.spec = FeatureSpec.from_dict(settings["preprocessing"]["spec"])
        self._predictor = predictor
        self.models = build_model(config, self.spec)
        own = {id(v): v for model in self.models.values() for v in model.variables}
        weights = list(predictor.variables)
        if [v.shape for v in own.values()] != [tuple(w.shape) for w in weights]:
            raise ValueError(
                f"{predictor.folder} has other weights than its parts would have. "
                f"{_OTHER_VERSION}"
            )
        for variable, value in zip(own.values(), weights, strict=True):
            variable.assign(value)
        seen = {
            tensor.name for model in self.models.values() for tensor in model.inputs
        }
        self.players = [
            player
            for player, features in FEATURES[config.task].items()
            if seen.intersection(features)
        ]

    def features(self, posts: Sequence[Post]) -> tuple[Features, list[Rejection]]:
        """Return the features of posts, ``(posts, ...)`` each, and unusable files.

        Recordings must have as many segments in all posts.
        """
        answer, faults = self._predictor.call_on_posts("features", posts, PARTS)
        return {name: tf.constant(array) for name, array in answer.items()}, faults

    def check_answer(self, post: Post, logit: float) -> None:
        """Refuse a logit of the parts that is not the exported model's.

        Raises:
            ValueError: Another version of this package made something else of them.
        """
        answer, _ = self._predictor.call_on_posts("serving_default", [post], PARTS)
        exported = float(answer["logit"][0])
        if not np.isclose(logit, exported, rtol=TOLERANCE, atol=TOLERANCE):
            raise ValueError(
                f"{self._predictor.folder} gives the logit {exported:.3f} and its "
                f"parts {logit:.3f}. {_OTHER_VERSION}"
            )

    def logits(self, features: Features) -> tf.Tensor:
        """Return the logits of posts, or of pairs: float ``(rows,)``."""
        if self.config.task == "sentiment":
            return self.run("train", features)
        return self.score(
            {**self.run("encode_query", features), **self.run("encode_song", features)}
        )

    def score(self, pairs: Features) -> tf.Tensor:
        """Return the logits of pairs, from the encodings of both sides of each row."""
        if "encode_text" in self.models:
            pairs = {**pairs, **self.run("encode_text", pairs)}
        return self.run("score", pairs)

    def run(self, name: str, features: Mapping[str, tf.Tensor]) -> Any:
        """Return what one of the models makes of those features that it takes."""
        model = self.models[name]
        wanted = {tensor.name: features[tensor.name] for tensor in model.inputs}
        return model(wanted, training=False)

    def hide(self, features: Features, present: Mapping[str, np.ndarray]) -> Features:
        """Return rows of one post's features with parts hidden.

        Args:
            features: ``(1, ...)`` each.
            present: Of each player, in which rows it is seen, bool ``(rows,)``.
        """
        hidden = dict(features)
        rows = len(next(iter(present.values())))
        for player, shown in present.items():
            for name in FEATURES[self.config.task][player]:
                value = tf.repeat(features[name], rows, axis=0)
                seen = tf.reshape(tf.constant(shown), (-1, *[1] * (value.ndim - 1)))
                hidden[name] = tf.where(seen, value, tf.zeros_like(value))
        return repeat(hidden, rows)

    @contextmanager
    def gated(self, features: Features, gates: Mapping[str, tf.Tensor]) -> Iterator:
        """Multiply the vectors of words, wherever the models look them up.

        Args:
            features: What the models are called with meanwhile.
            gates: ``words`` and ``supporting_words``, float ``(rows, words)``.
        """

        def gate(ids, vectors):
            for same in (_equal, _same_text):  # of two alike, the one of this length
                for name, values in gates.items():
                    if same(ids, features[name]):
                        return vectors * _of_length(values, ids.shape[1])[:, :, None]
            return vectors

        with ExitStack() as stack:
            for layer in self._layers():
                if isinstance(layer, WordVectors):
                    stack.enter_context(hook(layer, gate))
            yield

    def word_attention(self) -> keras.Layer | None:
        """Return the layer that weighs words (Eq. 1), if the text encoder has it."""
        return self._find("context_attention")

    def last_convolution(self) -> keras.Layer | None:
        """Return the last layer of the picture's backbone that still has places."""
        backbone = self._find("backbone")
        if backbone is None:
            return None
        placed = [
            layer
            for layer in backbone.layers
            if isinstance(layer.output, keras.KerasTensor) and layer.output.ndim == 4
        ]
        return placed[-1] if placed else None

    def _find(self, name: str) -> keras.Layer | None:
        return next((layer for layer in self._layers() if layer.name == name), None)

    def _layers(self) -> list[keras.Layer]:
        layers = {}
        for model in self.models.values():
            for layer in model._flatten_layers():  # Keras has no public walk
                layers[id(layer)] = layer
        return list(layers.values())


def _equal(ids: tf.Tensor, others: tf.Tensor) -> bool:
    return ids.shape == others.shape and bool(tf.reduce_all(ids == others))


def _same_text(ids: tf.Tensor, others: tf.Tensor) -> bool:
    """Return whether ids are words of a text, padded or cut, and not all padding."""
    missing = max(0, ids.shape[1] - others.shape[1])
    others = tf.pad(others, [[0, 0], [0, missing], [0, 0]])[:, : ids.shape[1]]
    return bool(tf.reduce_any(ids != 0)) and _equal(ids, others)


def _of_length(gates: tf.Tensor, length: int) -> tf.Tensor:
    """Return the gates of padded or cut texts; ``(rows, words)``."""
    missing = max(0, length - gates.shape[1])
    return tf.pad(gates, [[0, 0], [0, missing]], constant_values=1.0)[:, :length]


def repeat(features: Features, rows: int) -> Features:
    """Return features with as many equal rows; those that have them already stay."""
    return {
        name: value if len(value) == rows else tf.repeat(value, rows, axis=0)
        for name, value in features.items()
    }
