"""Placements of all test queries as JSON, and the intervals that are drawn from it."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping, Sequence

import numpy as np

from keras_jtav.evaluation.bootstrap import bootstrap_interval
from keras_jtav.evaluation.placements import query_values, summarize

NAMES = ("better", "tied", "matches")


def store(
    placed: Mapping[str, np.ndarray], songs: Sequence[str], ks: Iterable[int]
) -> dict:
    """Return what JSON keeps of a system's placements.

    A song is kept as eight characters of a hash, which tell queries of one song from
    those of another, also between runs. A list of ones is kept as 1.

    Args:
        placed: ``{protocol: (queries, 3)}``, as of ``ranks.placements``.
        songs: ``(queries,)``, the name of each query's song.
        ks: Lengths of the lists that recall is measured on.

    Example:
        >>> store({"strict": np.array([[4, 1, 1], [0, 1, 1]])}, ["a", "b"], [1])
        ... # doctest: +NORMALIZE_WHITESPACE
        {'ks': [1], 'songs': ['ca978112', '3e23e816'],
        'strict': {'better': [4, 0], 'tied': 1, 'matches': 1}}
    """
    hashes = [hashlib.sha256(song.encode()).hexdigest()[:8] for song in songs]
    columns = {
        protocol: {
            name: 1 if np.all(column == 1) else column.tolist()
            for name, column in zip(NAMES, np.transpose(rows), strict=True)
        }
        for protocol, rows in placed.items()
    }
    return {"ks": list(ks), "songs": hashes, **columns}


def restore(stored: Mapping, protocol: str) -> np.ndarray:
    """Return the placements that were stored, int ``(queries, 3)``."""
    num_queries = len(stored["songs"])
    columns = [stored[protocol][name] for name in NAMES]
    return np.stack([np.broadcast_to(c, num_queries) for c in columns], axis=1)


def pooled_intervals(
    runs: Sequence[Mapping], protocol: str
) -> dict[str, tuple[float, float]]:
    """Return the 95 % bootstrap interval of every metric over the songs of all runs.

    The queries of all runs are pooled. Songs are drawn, not queries: the queries of one
    song, and those of one song in several runs, come together. So the interval says
    how far a number would move with other test songs. How far it moves with another
    seed is told by the deviation over runs.

    Args:
        runs: What ``store`` returned, for each run of one system.
        protocol: ``strict`` or ``paper``.

    Returns:
        ``{metric: (low, high)}``, by the names of ``ranks.rank_metrics``.
    """
    values = [query_values(restore(run, protocol), run["ks"], protocol) for run in runs]
    metrics = list(values[0])
    table = np.concatenate([np.stack(list(v.values()), axis=1) for v in values])
    songs = [song for run in runs for song in run["songs"]]
    low, high = bootstrap_interval(
        table,
        lambda rows: list(summarize(dict(zip(metrics, rows.T, strict=True))).values()),
        clusters=songs,
    )
    return {
        metric: (float(start), float(end))
        for metric, start, end in zip(metrics, low, high, strict=True)
    }
