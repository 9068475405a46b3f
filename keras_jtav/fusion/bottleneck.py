"""Bottleneck fusion (MBT): transformers that exchange a few shared tokens."""

from __future__ import annotations

from collections.abc import Mapping

import keras
from keras import layers

from keras_jtav.fusion.modality_inputs import modality_inputs
from keras_jtav.layers import AttentionBottleneck, LearnedTokens
from keras_jtav.layers.transformer_block import EPSILON


def build_bottleneck(
    dims: Mapping[str, int],
    *,
    tokens: int = 4,
    token_dim: int = 32,
    shared_tokens: int = 4,
    exchanges: int = 2,
    heads: int = 4,
    units: int = 128,
    normalize: bool | str = True,
) -> keras.Model:
    """Return each modality's tokens after some exchanges, reduced by a dense layer.

    The original is a transformer over patches and frames. Choice: here a modality is
    one vector, which a dense layer turns into a few tokens. They attend to each other
    and to learned tokens that all modalities share, and their mean stands for the
    modality (the original has a class token instead).

    Args:
        dims: Size of each modality's vector, for one to three modalities.
        tokens: Tokens that each vector becomes.
        token_dim: Size of a token.
        shared_tokens: Tokens through which the modalities see each other.
        exchanges: Layers, at least 2: what one writes into the shared tokens, the next
            reads.
        heads: Heads of the attention.
        units: Size of the result.
        normalize: Whether the vectors are brought to one length first, see
            ``modality_inputs``.

    Returns:
        Model from a dict of (batch, dim) vectors to (batch, units).

    Raises:
        ValueError: No modality, or an unknown one; fewer than 2 exchanges; heads that
            do not divide ``token_dim``.

    Source:
        Nagrani et al. 2021, Attention Bottlenecks for Multimodal Fusion.

    Example:
        >>> build_bottleneck({"text": 100, "image": 96}, units=32).output_shape
        (None, 32)
    """
    if exchanges < 2:
        raise ValueError(
            f"`exchanges` must be at least 2; received {exchanges}. After one exchange "
            "no modality has read from another yet. Use 2."
        )
    inputs, vectors = modality_inputs(dims, normalize)
    first = next(iter(vectors.values()))
    stream = [LearnedTokens(shared_tokens, token_dim, name="shared")(first)]
    for modality, vector in vectors.items():
        flat = layers.Dense(tokens * token_dim, name=f"project_{modality}")(vector)
        stream.append(layers.Reshape((tokens, token_dim))(flat))
    for number in range(1, exchanges + 1):
        stream = AttentionBottleneck(heads, dtype="float32", name=f"exchange_{number}")(
            stream
        )
    parts = [
        layers.GlobalAveragePooling1D()(layers.LayerNormalization(epsilon=EPSILON)(x))
        for x in stream[1:]
    ]
    u = layers.Concatenate(name="join")(parts) if len(parts) > 1 else parts[0]
    u = layers.Dense(units, activation="relu", name="reduce")(u)
    return keras.Model(inputs, u, name="fusion")
