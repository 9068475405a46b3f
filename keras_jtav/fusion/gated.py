"""Gated fusion (GMU): gates read from all modalities weigh each of them."""

from __future__ import annotations

from collections.abc import Mapping

import keras

from keras_jtav.fusion.modality_inputs import modality_inputs
from keras_jtav.layers import GatedMultimodalUnit


def build_gated(
    dims: Mapping[str, int], *, units: int = 128, normalize: bool | str = True
) -> keras.Model:
    """Return the modalities' hidden vectors, summed up with learned gates.

    Args:
        dims: Size of each modality's vector, for one to three modalities.
        units: Size of the result.
        normalize: Whether the vectors are brought to one length first, see
            ``modality_inputs``.

    Returns:
        Model from a dict of (batch, dim) vectors to (batch, units).

    Raises:
        ValueError: No modality, or an unknown one.

    Source:
        Arevalo et al. 2017, Gated Multimodal Units for Information Fusion.

    Example:
        >>> build_gated({"text": 100, "image": 96}, units=32).output_shape
        (None, 32)
    """
    inputs, vectors = modality_inputs(dims, normalize)
    u = GatedMultimodalUnit(units, name="gate")(list(vectors.values()))
    return keras.Model(inputs, u, name="fusion")
