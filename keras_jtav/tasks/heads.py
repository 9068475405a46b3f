"""From the unified representation ``u`` to one logit per post or pair."""

from __future__ import annotations

from collections.abc import Callable

import keras
from keras import layers


def build_dense(dim: int, *, units: int = 32, dropout: float = 0.0) -> keras.Model:
    """Build the head: an optional hidden layer, then one logit.

    Choice: the paper does not describe the layers between ``u`` and the sigmoid.

    Args:
        dim: Size of ``u``.
        units: Size of the hidden layer; 0 leaves it out.
        dropout: Share of ``u`` dropped in training, 0 to 1.

    Returns:
        A model from float ``(batch, dim)`` to logits ``(batch,)``.
    """
    unified = keras.Input((dim,), name="unified")
    hidden = layers.Dropout(dropout)(unified) if dropout else unified
    if units:
        hidden = layers.Dense(units, activation="relu", name="hidden")(hidden)
    logit = layers.Dense(1, dtype="float32", name="logit")(hidden)
    return keras.Model(unified, keras.ops.squeeze(logit, -1), name="head")


HEADS: dict[str, Callable[..., keras.Model]] = {"dense": build_dense}
