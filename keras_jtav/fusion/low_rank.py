"""Low-rank fusion (LMF): tensor fusion whose weight tensor is a sum of products."""

from __future__ import annotations

from collections.abc import Mapping

import keras

from keras_jtav.fusion.modality_inputs import modality_inputs
from keras_jtav.layers import LowRankProduct


def build_low_rank(
    dims: Mapping[str, int],
    *,
    rank: int = 4,
    units: int = 128,
    normalize: bool | str = True,
) -> keras.Model:
    """Return a linear map of all products of the modalities' coordinates.

    Args:
        dims: Size of each modality's vector, for one to three modalities.
        rank: Terms of the map's weight tensor.
        units: Size of the result.
        normalize: Whether the vectors are brought to one length first, see
            ``modality_inputs``.

    Returns:
        Model from a dict of (batch, dim) vectors to (batch, units).

    Raises:
        ValueError: No modality, or an unknown one; a rank below 1.

    Source:
        Liu et al. 2018, Efficient Low-rank Multimodal Fusion with Modality-Specific
        Factors.

    Example:
        >>> build_low_rank({"text": 100, "image": 96}, units=32).output_shape
        (None, 32)
    """
    inputs, vectors = modality_inputs(dims, normalize)
    u = LowRankProduct(units, rank, name="products")(list(vectors.values()))
    return keras.Model(inputs, u, name="fusion")
