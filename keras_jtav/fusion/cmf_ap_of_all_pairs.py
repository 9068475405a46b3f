"""CMF-AP of every query with every song, from what they share (Sec. 4.2).

A reconstructed vector of Eq. 3 is a vector gated by numbers that are read from another
one, so most of a pair's work is work on its query alone or on its song alone.
"""

from __future__ import annotations

from collections.abc import Mapping

import keras
from keras import ops

from keras_jtav.config import MODALITIES
from keras_jtav.fusion.cmf_ap import PAIRS
from keras_jtav.layers import CrossModalFusion

Vectors = Mapping[str, keras.KerasTensor]


def can_share(fusion: keras.Model) -> bool:
    """Return whether ``unify_all_pairs`` takes a fusion: CMF-AP with a shared bias."""
    poolings = [part for part in fusion.layers if isinstance(part, CrossModalFusion)]
    return bool(poolings) and not any(part.positional_bias for part in poolings)


def unify_all_pairs(
    fusion: keras.Model, queries: Vectors, songs: Vectors
) -> keras.KerasTensor | None:
    """Return ``u`` of every query with every song; not for training.

    Args:
        fusion: What ``build_cmf_ap`` returned.
        queries: Vectors that depend on the query alone, by modality, (queries, dim).
        songs: Those that depend on the song alone, (songs, dim).

    Returns:
        Float (queries, songs, units), or ``None`` where the weights are too steep for
        an exact shared form.
    """
    layers = {layer.name: layer for layer in fusion.layers}
    tables = {}  # (queries, 1, dim) or (1, songs, dim)
    for vectors, axis in ((queries, 1), (songs, 0)):
        for modality, vector in vectors.items():
            unit = layers.get(f"unit_{modality}", _unchanged)
            tables[modality] = ops.expand_dims(unit(vector), axis)
    parts = []
    for m, n in PAIRS:
        if m in tables and n in tables:
            parts.append(_fuse(layers[f"{m}_{n}"], tables[m], tables[n]))
            if parts[-1] is None:
                return None
    reduce = layers["reduce"]
    if sum(part.shape[-1] for part in parts) < reduce.kernel.shape[0]:  # the residual
        parts += [tables[modality] for modality in MODALITIES if modality in tables]
    return _dense(reduce, parts)


def _unchanged(vectors: keras.KerasTensor) -> keras.KerasTensor:
    return vectors


def _fuse(layer: CrossModalFusion, m: keras.KerasTensor, n: keras.KerasTensor):
    """Return the reconstructed vectors of two tables, as a table."""
    if m.shape[1] == n.shape[0] == 1:
        return layer.of_all_pairs(m[:, 0], n[0])
    if m.shape[0] == n.shape[1] == 1:
        table = layer.of_all_pairs(m[0], n[:, 0])
        return None if table is None else ops.swapaxes(table, 0, 1)
    rows = [ops.reshape(table, (-1, table.shape[-1])) for table in (m, n)]
    return ops.reshape(layer(rows), (*m.shape[:2], -1))  # both of one side


def _dense(layer: keras.layers.Dense, parts: list[keras.KerasTensor]):
    """Return what a dense layer gives for parts that stand side by side."""
    total, first = layer.bias, 0
    for part in parts:
        rows = layer.kernel[first : first + part.shape[-1]]
        total = total + ops.matmul(part, rows)
        first += part.shape[-1]
    return layer.activation(total)
