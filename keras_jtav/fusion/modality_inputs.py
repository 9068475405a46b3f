"""The inputs of every fusion: one vector for each modality."""

from __future__ import annotations

from collections.abc import Mapping

import keras

from keras_jtav.config import MODALITIES


def modality_inputs(
    dims: Mapping[str, int], normalize: bool
) -> tuple[dict[str, keras.KerasTensor], dict[str, keras.KerasTensor]]:
    """Return a fusion's inputs, and the vectors it works on.

    Args:
        dims: Size of each modality's vector, for one to three modalities.
        normalize: Whether the vectors are brought to unit length, as in the authors'
            code; encoders of different make yield vectors of different magnitude.

    Returns:
        Inputs by modality, and vectors by modality, in the order of ``MODALITIES``.

    Raises:
        ValueError: No modality, or an unknown one.
    """
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
    # In float16 squares overflow at 256, and a zero vector would be 0 / 0.
    vectors = {
        modality: keras.layers.UnitNormalization(
            dtype="float32", name=f"unit_{modality}"
        )(vector)
        for modality, vector in inputs.items()
    }
    return inputs, vectors
