"""The inputs of every fusion: one vector for each modality."""

from __future__ import annotations

import math
from collections.abc import Mapping

import keras

from keras_jtav.config import MODALITIES


def modality_inputs(
    dims: Mapping[str, int], normalize: bool | str
) -> tuple[dict[str, keras.KerasTensor], dict[str, keras.KerasTensor]]:
    """Return a fusion's inputs, and the vectors it works on.

    Args:
        dims: Size of each modality's vector, for one to three modalities.
        normalize: Whether the vectors are brought to one length, as encoders of
            different make yield vectors of different magnitude: ``True`` is unit
            length, as in the authors' code; ``"rms"`` the root of the size, so that a
            coordinate is about 1 however many there are.

    Returns:
        Inputs by modality, and vectors by modality, in the order of ``MODALITIES``.

    Raises:
        ValueError: No modality, an unknown one, or another word than ``rms``.
    """
    if normalize not in (True, False, "rms"):
        raise ValueError(
            f"`normalize` must be true, false or rms; received {normalize!r}."
        )
    unknown = sorted(set(dims) - set(MODALITIES))
    if unknown or not dims:
        raise ValueError(
            f"A fusion joins one to three of {', '.join(MODALITIES)}; received "
            f"{', '.join(dims) or 'none'}."
        )
    inputs = {
        modality: keras.Input((dims[modality],), name=modality)
        for modality in MODALITIES
        if modality in dims
    }
    if not normalize:
        return inputs, dict(inputs)
    vectors = {
        modality: _unit(modality, dims[modality], normalize == "rms")(vector)
        for modality, vector in inputs.items()
    }
    return inputs, vectors


def _unit(modality: str, dim: int, by_root_mean_square: bool) -> keras.layers.Layer:
    """Return a layer that brings vectors to one length."""
    name = f"unit_{modality}"
    # In float16 squares overflow at 256, and a zero vector would be 0 / 0.
    unit = keras.layers.UnitNormalization(dtype="float32", name=name)
    if not by_root_mean_square:
        return unit
    longer = keras.layers.Rescaling(math.sqrt(dim), dtype="float32")
    return keras.Sequential([unit, longer], name=name)
