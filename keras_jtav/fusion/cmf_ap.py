"""CMF-AP: cross-modal fusion and attentive pooling of every pair (Sec. 3.2)."""

from __future__ import annotations

from collections.abc import Mapping

import keras

from keras_jtav.fusion.modality_inputs import modality_inputs
from keras_jtav.layers import CrossModalFusion

PAIRS = (("text", "image"), ("text", "audio"), ("audio", "image"))  # tv, ta, av


def build_cmf_ap(
    dims: Mapping[str, int],
    *,
    attention_units: int = 100,
    units: int = 128,
    heads: int = 1,
    positional_bias: bool = False,
    residual: bool = False,
    normalize: bool | str = True,
    activation: str = "tanh",
) -> keras.Model:
    """Return the fusion ``u = u_tv (+) u_ta (+) u_av``, reduced by a dense layer.

    Two modalities have one pair; a single one has none and is only reduced. Choice: one
    ReLU layer over all of ``u`` for the paper's dimensionality reduction.

    Args:
        dims: Size of each modality's vector, for one to three modalities.
        attention_units: Size of the attention's latent vectors.
        units: Size of the result.
        heads: Numbers that each vector reads from its partner; 1 is the paper's form.
        positional_bias: Whether each coordinate has an attention bias of its own.
        residual: Whether the vectors themselves stand beside the reconstructed ones in
            ``u``. Not the paper's; a reconstructed vector is the vector times one
            number, so little of it passes while that number is still near 0.
        normalize: Whether the vectors are brought to one length first, see
            ``modality_inputs``.
        activation: The ``sigma`` of Eq. 3.

    Returns:
        Model from a dict of (batch, dim) vectors to (batch, units).

    Raises:
        ValueError: No modality, or an unknown one.

    Source:
        JTAV Sec. 3.2, Eq. 3.

    Example:
        >>> build_cmf_ap({"text": 100, "audio": 64, "image": 96}, units=32).output_shape
        (None, 32)
    """
    inputs, vectors = modality_inputs(dims, normalize)
    reconstructed = [
        CrossModalFusion(
            attention_units, heads, positional_bias, activation, name=f"{m}_{n}"
        )([vectors[m], vectors[n]])
        for m, n in PAIRS
        if m in vectors and n in vectors
    ]
    parts = reconstructed
    if residual or not reconstructed:
        parts = [*reconstructed, *vectors.values()]
    u = keras.layers.Concatenate(name="join")(parts) if len(parts) > 1 else parts[0]
    u = keras.layers.Dense(units, activation="relu", name="reduce")(u)
    return keras.Model(inputs, u, name="fusion")
