"""From where the true songs are placed to metrics, with ties told as ties.

A placement is three numbers of a query: ``better``, the songs above its best true one;
``tied``, those of the same score, itself among them; ``matches``, the true ones of
these. An order among tied songs is unknown, so every number is its expectation over
all of their orders.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import numpy as np


def query_values(
    placed: np.ndarray, ks: Iterable[int] = (1, 5, 10), protocol: str = "strict"
) -> dict[str, np.ndarray]:
    """Return what each query contributes to each metric: what a bootstrap draws from.

    Args:
        placed: ``(queries, 3)``, what ``ranks.placements`` returns in this protocol.
        ks: Lengths of the lists that recall is measured on.
        protocol: ``strict`` or ``paper``.

    Returns:
        ``{metric: (queries,)}``; ``summarize`` makes the metrics of it.
    """
    ranks = expected_ranks(placed, protocol)
    if protocol == "paper":
        return {"Med r": ranks, **{f"R@{k}": (ranks <= k).astype(float) for k in ks}}
    reciprocals = np.array([expected_reciprocal(*row) for row in placed])
    recalls = {f"R@{k}": expected_recalls(placed, k) for k in ks}
    return {"median_rank": ranks, "mean_rank": ranks, "mrr": reciprocals, **recalls}


def summarize(values: Mapping[str, np.ndarray]) -> dict[str, float]:
    """Return the median over queries of ``median_rank``, and the mean of the others.

    Example:
        >>> summarize({"median_rank": [1, 2, 9], "mean_rank": [1, 2, 9]})
        {'median_rank': 2.0, 'mean_rank': 4.0}
    """
    return {
        name: float(np.median(value) if name == "median_rank" else np.mean(value))
        for name, value in values.items()
    }


def expected_ranks(placed: np.ndarray, protocol: str = "strict") -> np.ndarray:
    """Return the rank of each query's best-placed true song, ``(queries,)``.

    In ``strict`` it is ``better + (tied + 1) / (matches + 1)``: the mean place of the
    first of ``matches`` in a random order of ``tied``. In ``paper`` a tie is a win.

    Example:
        >>> expected_ranks(np.array([[1, 2, 1]])).tolist()
        [2.5]
    """
    better, tied, matches = np.transpose(placed)
    if protocol == "paper":
        return better + 1.0
    return better + (tied + 1) / (matches + 1)


def expected_recalls(placed: np.ndarray, k: int) -> np.ndarray:
    """Return the probability of a true song among the first ``k``, ``(queries,)``.

    With ``m`` true songs among ``g`` tied ones of which ``j`` fit into the list, it is
    ``1 - C(g - m, j) / C(g, j)``; for one true song that is ``j / g``. The quotient is
    computed as a product, without its large numbers.

    Example:
        >>> expected_recalls(np.array([[0, 4, 1]]), 3).tolist()
        [0.75]
    """
    recalls = np.empty(len(placed))
    for row, (better, tied, matches) in enumerate(placed):
        place = np.arange(min(max(k - better, 0), tied))
        factors = np.maximum(tied - matches - place, 0) / (tied - place)
        recalls[row] = 1.0 - np.prod(factors)
    return recalls


def expected_reciprocal(better: int, tied: int, matches: int) -> float:
    """Return the mean of 1 / rank over all orders of the tied songs.

    Example:
        >>> expected_reciprocal(0, 2, 1)
        0.75
    """
    place = np.arange(tied - matches + 1)
    misses = (tied - matches - place) / (tied - place)
    before = np.concatenate([[1.0], np.cumprod(misses)[:-1]])  # none true so far
    return float(np.sum(before * (1 - misses) / (better + place + 1)))
