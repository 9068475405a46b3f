"""Symbolic inputs of the models: the features that the preprocessor yields."""

from __future__ import annotations

import keras
from keras import KerasTensor, ops

from keras_jtav.features.spec import FeatureSpec


def feature_input(name: str, spec: FeatureSpec) -> KerasTensor:
    """Return the input called ``name``, with a batch axis in front.

    Args:
        name: ``words``, ``supporting_words``, ``document``, ``spectrogram``,
            ``segment_mask``, ``image`` or ``image_mask``.
        spec: Sizes of the features.
    """
    shape, dtype = feature_shapes(spec)[name]
    return keras.Input(shape, name=name, dtype=dtype)


def feature_shapes(spec: FeatureSpec) -> dict[str, tuple[tuple, str]]:
    """Return ``{name: (shape of one post, dtype)}``; ``None`` varies by file."""
    return {
        "words": ((spec.words, spec.pieces), "int32"),
        "supporting_words": ((spec.supporting_words, spec.pieces), "int32"),
        "document": ((spec.document_dim,), "float32"),
        "spectrogram": ((None, spec.frames, spec.bins), "float32"),
        "segment_mask": ((None,), "bool"),
        "image": (spec.image_shape, spec.image_dtype),
        "image_mask": ((), "bool"),
    }


def has_words(words: KerasTensor) -> KerasTensor:
    """Return which rows of ``(batch, words, pieces)`` hold any word, ``(batch,)``."""
    return ops.any(ops.not_equal(words, 0), axis=(1, 2))


def has_audio(segment_mask: KerasTensor) -> KerasTensor:
    """Return which rows of ``(batch, segments)`` hold a segment, ``(batch,)``."""
    return ops.any(segment_mask, axis=1)
