"""What becomes an ONNX file: functions from named tensors to named tensors."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import keras
import tensorflow as tf

from keras_jtav.attribution.network import Features, Network
from keras_jtav.layers import set_cudnn


@dataclass(frozen=True)
class Graph:
    """One function of a model.

    Args:
        name: Of its file.
        inputs: Type and shape of each input, ``(rows, ...)``.
        call: From inputs by name to outputs by name.
    """

    name: str
    inputs: Mapping[str, tf.TensorSpec]
    call: Callable[[Features], Features]


def graphs_of(network: Network) -> list[Graph]:
    """Return the functions of a model, portable ones: no cuDNN is traced into them.

    Sentiment: ``classify``, from the features of posts to ``logit`` and ``vector``.
    Retrieval: ``encode_query`` and ``encode_song``, from features to encodings, and
    ``score``, from the encodings of a query and a song in each row to ``logit``. Words
    are no encodings here, as nothing is done with them: ``score`` takes the features.
    """
    for model in network.models.values():
        set_cudnn(model, False)
    if network.config.task == "sentiment":
        train, encode = network.models["train"], network.models["encode"]
        # One model with both outputs: the encoders stand in the file once.
        both = keras.Model(
            train.input, {"logit": train.output, "vector": encode.output}
        )
        return [Graph("classify", _specs(both.inputs), _caller(both))]
    query, song = network.models["encode_query"], network.models["encode_song"]
    encodings = {**query.output, **song.output}
    return [
        _encoder("encode_query", query),
        _encoder("encode_song", song),
        Graph(
            "score",
            {n: tf.TensorSpec(t.shape, t.dtype, n) for n, t in encodings.items()},
            lambda pairs: {"logit": network.score(pairs)},
        ),
    ]


def _encoder(name: str, model: keras.Model) -> Graph:
    """Return what encodes one side: an output called like an input is the input."""
    new = sorted(set(model.output) - {tensor.name for tensor in model.inputs})
    run = _caller(model)

    def call(features: Features) -> Features:
        encodings = run(features)
        return {output: encodings[output] for output in new}

    return Graph(name, _specs(model.inputs), call)


def _specs(tensors: list[keras.KerasTensor]) -> dict[str, tf.TensorSpec]:
    return {t.name: tf.TensorSpec(t.shape, t.dtype, t.name) for t in tensors}


def _caller(model: keras.Model) -> Callable[[Features], Features]:
    return lambda features: model(features, training=False)
