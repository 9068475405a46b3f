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

PAIRS_AT_ONCE = 1024  # each may need a latent vector at every coordinate
Vectors = Mapping[str, keras.KerasTensor]


def can_share(fusion: keras.Model) -> bool:
    """Return whether ``unify_all_pairs`` takes a fusion: CMF-AP with a shared bias."""
    poolings = [part for part in fusion.layers if isinstance(part, CrossModalFusion)]
    return bool(poolings) and not any(part.positional_bias for part in poolings)


def unify_all_pairs(
    fusion: keras.Model, queries: Vectors, songs: Vectors, pairs: Vectors
) -> keras.KerasTensor | None:
    """Return ``u`` of every query with every song; not for training.

    Args:
        fusion: What ``build_cmf_ap`` returned.
        queries: Vectors that depend on the query alone, by modality, (queries, dim).
        songs: Those that depend on the song alone, (songs, dim).
        pairs: Those that depend on both, (queries, songs, dim).

    Returns:
        Float (queries, songs, units), or ``None`` where the weights are too steep for
        an exact shared form.
    """
    layers = {layer.name: layer for layer in fusion.layers}
    given = {"queries": queries, "songs": songs, "pairs": pairs}
    tables = {}  # (queries or 1, songs or 1, dim)
    for side, vectors in given.items():
        for modality, vector in vectors.items():
            unit = layers.get(f"unit_{modality}", _unchanged)
            tables[modality] = _as_table(side, unit(vector))
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


def _as_table(side: str, vectors: keras.KerasTensor) -> keras.KerasTensor:
    if side == "pairs":
        return vectors
    return vectors[:, None] if side == "queries" else vectors[None]


def _fuse(layer: CrossModalFusion, m: keras.KerasTensor, n: keras.KerasTensor):
    """Return the reconstructed vectors of two tables, as a table."""
    if m.shape[1] == n.shape[0] == 1:
        return layer.of_all_pairs(m[:, 0], n[0])
    if m.shape[0] == n.shape[1] == 1:
        table = layer.of_all_pairs(m[0], n[:, 0])
        return None if table is None else ops.swapaxes(table, 0, 1)
    size = tuple(map(max, m.shape[:2], n.shape[:2]))
    rows = [
        ops.reshape(ops.broadcast_to(t, (*size, t.shape[-1])), (-1, t.shape[-1]))
        for t in (m, n)
    ]
    blocks = [
        layer([row[first : first + PAIRS_AT_ONCE] for row in rows])
        for first in range(0, rows[0].shape[0], PAIRS_AT_ONCE)
    ]
    return ops.reshape(ops.concatenate(blocks), (*size, -1))


def _dense(layer: keras.layers.Dense, parts: list[keras.KerasTensor]):
    """Return what a dense layer gives for parts that stand side by side."""
    total, first = layer.bias, 0
    for part in parts:
        rows = layer.kernel[first : first + part.shape[-1]]
        total = total + ops.matmul(part, rows)
        first += part.shape[-1]
    return layer.activation(total)
