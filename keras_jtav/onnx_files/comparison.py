"""ONNX files beside the SavedModel that they were made from, on random posts."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from keras_jtav.attribution.network import PARTS, Network
from keras_jtav.config import SAMPLE_RATE_HZ
from keras_jtav.data.decode import encode_png, encode_wav
from keras_jtav.serving.predictor import Predictor

TOLERANCE = 1e-5
ROWS = 8
TEXTS = ("words", "supporting_words")


def largest_difference(
    predictor: Predictor, network: Network, files: Mapping[str, Path]
) -> float:
    """Return by how much the answers of ONNX files differ, at most.

    Random posts, some of whose parts are missing, go through the SavedModel; its
    endpoint ``features`` feeds the files. Random letters reach few words, so posts of
    random word ids are compared as well, with the Keras models of the same weights.

    Args:
        predictor: The SavedModel.
        network: Its Keras models.
        files: By what ``graphs_of`` calls their functions.

    Raises:
        ValueError: An output differs by more than ``TOLERANCE`` of the larger of 1
            and its size.
    """
    import onnxruntime

    sessions = {n: onnxruntime.InferenceSession(p) for n, p in files.items()}
    random = np.random.default_rng(0)
    media = random_media(random, network.config.features.clip_seconds)
    features = predictor.call("features", **media)
    expected = _saved_model_answers(predictor, media)
    found = _onnx_answers(sessions, features)
    differences = [_difference(name, expected[name], found[name]) for name in found]
    for name in TEXTS:
        shape, rows = features[name].shape, network.spec.embedding_rows
        features[name] = random.integers(0, rows, shape, "int32")
    logit = np.asarray(network.logits(features))
    found = _onnx_answers(sessions, features)
    return max(*differences, _difference("logit", logit, found["logit"]))


def random_media(
    random: np.random.Generator, clip_seconds: float
) -> dict[str, np.ndarray]:
    """Return random pictures, recordings and texts; every fourth of each is missing.

    Args:
        random: Source of all draws.
        clip_seconds: Length of a segment; recordings have up to three.
    """

    def picture() -> bytes:
        height, width = random.integers(8, 200, 2)
        return encode_png(random.integers(0, 256, (height, width, 3), np.uint8))

    def recording() -> bytes:
        samples = random.integers(1000, int(3 * clip_seconds * SAMPLE_RATE_HZ))
        return encode_wav(random.uniform(-0.5, 0.5, samples).astype("float32"))

    def text() -> bytes:
        letters = [
            bytes(
                random.integers(ord("a"), ord("z") + 1, random.integers(1, 9)).tolist()
            )
            for _ in range(random.integers(1, 40))
        ]
        return b" ".join(letters)

    makers = {"image": picture, "audio": recording, "lyrics": text, "caption": text}
    return {
        part: np.array(
            [b"" if row % 4 == offset else makers[part]() for row in range(ROWS)],
            object,
        )
        for offset, part in enumerate(PARTS)
    }


def _saved_model_answers(
    predictor: Predictor, media: Mapping[str, np.ndarray]
) -> dict[str, np.ndarray]:
    answers = predictor.call("serving_default", **media)
    answers = {"logit": answers["logit"]}
    if predictor.task == "sentiment":
        answers["vector"] = predictor.call("encode", **media)["vector"]
        return answers
    for endpoint, parts in (
        ("encode_query", ("image", "caption")),
        ("encode_song", ("audio", "lyrics")),
    ):
        answers |= predictor.call(endpoint, **{part: media[part] for part in parts})
    return {name: array for name, array in answers.items() if not name.endswith("_ok")}


def _onnx_answers(
    sessions: Mapping[str, Any], features: Mapping[str, np.ndarray]
) -> dict[str, np.ndarray]:
    """Run all files, each on the features and on what those before it gave."""
    known = dict(features)
    answers: dict[str, np.ndarray] = {}
    for session in sessions.values():
        given = {value.name: known[value.name] for value in session.get_inputs()}
        outputs = [value.name for value in session.get_outputs()]
        answers |= dict(zip(outputs, session.run(outputs, given), strict=True))
        known |= answers
    return answers


def _difference(name: str, expected: np.ndarray, found: np.ndarray) -> float:
    """Return the largest difference, relative to numbers above 1.

    Raises:
        ValueError: Above ``TOLERANCE``, or other shapes.
    """
    if expected.shape != found.shape:
        raise ValueError(
            f"ONNX answers `{name}` in the shape {found.shape}, the SavedModel in "
            f"{expected.shape}. The files were removed; please report this."
        )
    expected, found = expected.astype("float64"), found.astype("float64")
    scale = np.maximum(np.abs(expected), 1.0)
    difference = float(np.max(np.abs(expected - found) / scale))
    if not difference <= TOLERANCE:
        raise ValueError(
            f"ONNX answers `{name}` otherwise than the SavedModel: they differ by "
            f"{difference:.2g}, and at most {TOLERANCE:g} was expected. The files were "
            "removed; please report this with the run's config.json."
        )
    return difference
