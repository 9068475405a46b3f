"""Placements of all test queries as JSON, and the intervals that are drawn from it."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping, Sequence

import numpy as np

from keras_jtav.evaluation.bootstrap import bootstrap_interval
from keras_jtav.evaluation.placements import query_values, summarize

NAMES = ("better", "tied", "matches")


def store(
    placed: Mapping[str, np.ndarray], groups: Sequence[str], ks: Iterable[int]
) -> dict:
    """Return what JSON keeps of a system's placements.

    A group is kept as eight characters of a hash, which tell queries of one group from
    those of another, also between runs. A list of ones is kept as 1.

    Args:
        placed: ``{protocol: (queries, 3)}``, as of ``ranks.placements``.
        groups: ``(queries,)``, the name of the group of each query's song: what
            depends on each other has one name.
        ks: Lengths of the lists that recall is measured on.

    Example:
        >>> store({"strict": np.array([[4, 1, 1], [0, 1, 1]])}, ["a", "b"], [1])
        ... # doctest: +NORMALIZE_WHITESPACE
        {'ks': [1], 'groups': ['ca978112', '3e23e816'],
        'strict': {'better': [4, 0], 'tied': 1, 'matches': 1}}
    """
    hashes = [hashlib.sha256(group.encode()).hexdigest()[:8] for group in groups]
    columns = {
        protocol: {
            name: 1 if np.all(column == 1) else column.tolist()
            for name, column in zip(NAMES, np.transpose(rows), strict=True)
        }
        for protocol, rows in placed.items()
    }
    return {"ks": list(ks), "groups": hashes, **columns}


def restore(stored: Mapping, protocol: str) -> np.ndarray:
    """Return the placements that were stored, int ``(queries, 3)``."""
    num_queries = len(stored["groups"])
    columns = [stored[protocol][name] for name in NAMES]
    return np.stack([np.broadcast_to(c, num_queries) for c in columns], axis=1)


def pooled_intervals(
    runs: Sequence[Mapping], protocol: str
) -> dict[str, tuple[float, float]]:
    """Return the 95 % bootstrap interval of every metric's mean over the runs.

    Groups of songs are drawn, not queries: the queries of one group, also those of
    several runs, come together. Each draw is summarised as a table is, run by run, and
    the runs in it are averaged. So the interval says how far a number would move with
    other test songs. How far it moves with another seed is told by the deviation over
    runs.

    Args:
        runs: What ``store`` returned, for each run of one system.
        protocol: ``strict`` or ``paper``.

    Returns:
        ``{metric: (low, high)}``, by the names of ``ranks.rank_metrics``.
    """
    values = [query_values(restore(run, protocol), run["ks"], protocol) for run in runs]
    metrics = list(values[0])
    numbers = np.repeat(np.arange(len(runs)), [len(run["groups"]) for run in runs])
    columns = [np.concatenate([v[metric] for v in values]) for metric in metrics]

    def mean_over_runs(rows: np.ndarray) -> np.ndarray:
        by_run = rows[np.argsort(rows[:, 0], kind="stable")]
        starts = np.flatnonzero(np.diff(by_run[:, 0])) + 1
        summaries = [
            list(summarize(dict(zip(metrics, run.T[1:], strict=True))).values())
            for run in np.split(by_run, starts)
        ]
        return np.mean(summaries, axis=0)

    low, high = bootstrap_interval(
        np.column_stack([numbers, *columns]),
        mean_over_runs,
        clusters=[group for run in runs for group in run["groups"]],
    )
    return {
        metric: (float(start), float(end))
        for metric, start, end in zip(metrics, low, high, strict=True)
    }
