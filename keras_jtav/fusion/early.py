"""Early fusion: the vectors side by side (the baseline of Table 1)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import keras

from keras_jtav.fusion.modality_inputs import modality_inputs


def build_early(
    dims: Mapping[str, int], *, hidden: Sequence[int] = (), normalize: bool | str = True
) -> keras.Model:
    """Return the concatenation of the modalities' vectors.

    Args:
        dims: Size of each modality's vector, for one to three modalities.
        hidden: Sizes of ReLU layers after the concatenation. None is the paper's form,
            which a linear head can only add up: it learns no interaction of modalities.
        normalize: Whether the vectors are brought to one length first, see
            ``modality_inputs``.

    Returns:
        Model from a dict of (batch, dim) vectors to (batch, units), where ``units`` is
        the last of ``hidden``, or the sum of ``dims`` without any.

    Raises:
        ValueError: No modality, or an unknown one.

    Source:
        JTAV Sec. 4.1 (early fusion).

    Example:
        >>> build_early({"text": 100, "image": 64}).output_shape
        (None, 164)
    """
    inputs, vectors = modality_inputs(dims, normalize)
    parts = list(vectors.values())
    u = keras.layers.Concatenate(name="join")(parts) if len(parts) > 1 else parts[0]
    for number, units in enumerate(hidden, start=1):
        u = keras.layers.Dense(units, activation="relu", name=f"hidden_{number}")(u)
    return keras.Model(inputs, u, name="fusion")
