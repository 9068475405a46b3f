"""Tensor fusion (TFN): all products of the modalities' coordinates."""

from __future__ import annotations

from collections.abc import Mapping

import keras

from keras_jtav.fusion.modality_inputs import modality_inputs
from keras_jtav.layers import OuterProduct


def build_tensor_fusion(
    dims: Mapping[str, int],
    *,
    projected_units: int = 16,
    units: int = 128,
    normalize: bool | str = True,
) -> keras.Model:
    """Return the outer product of the projected vectors, reduced by a dense layer.

    Choice: a dense layer brings each vector to a small size first. Three vectors of 128
    coordinates would have two million products; of 16 they have 17^3 = 4913, and the
    dense layer after them is the bulk of the weights.

    Args:
        dims: Size of each modality's vector, for one to three modalities.
        projected_units: Size of the projected vectors.
        units: Size of the result.
        normalize: Whether the vectors are brought to one length first, see
            ``modality_inputs``.

    Returns:
        Model from a dict of (batch, dim) vectors to (batch, units).

    Raises:
        ValueError: No modality, or an unknown one.

    Source:
        Zadeh et al. 2017, Tensor Fusion Network for Multimodal Sentiment Analysis.

    Example:
        >>> build_tensor_fusion({"text": 100, "image": 96}, units=32).output_shape
        (None, 32)
    """
    inputs, vectors = modality_inputs(dims, normalize)
    projected = [
        keras.layers.Dense(projected_units, activation="tanh", name=f"project_{m}")(x)
        for m, x in vectors.items()
    ]
    products = OuterProduct(name="products")(projected)
    u = keras.layers.Dense(units, activation="relu", name="reduce")(products)
    return keras.Model(inputs, u, name="fusion")
