"""Exact search: which rows have the greatest dot products, ties by their order."""

from __future__ import annotations

import numpy as np

# A matrix product sums in an order that depends on where a row stands, so that equal
# vectors may differ in the last digits. What lies so near to the last of the best, in
# units of the query's length, is summed again in one order before it is ranked.
MARGIN = 1e-5


def likely_rows(scores: np.ndarray, k: int, margin: float) -> np.ndarray:
    """Return the rows that may be among the best, in their order.

    Args:
        scores: Float ``(rows,)``; -inf for rows that are not to be found.
        k: How many are wanted.
        margin: How far a score may be off.

    Returns:
        Int ``(at least k where there are so many,)``.

    Example:
        >>> likely_rows(np.array([0.1, 0.9, 0.5, 0.5000001]), 2, 1e-5)
        array([1, 2, 3])
    """
    least = -np.inf
    if 0 < k < len(scores):
        least = np.partition(scores, len(scores) - k)[len(scores) - k] - margin
    return np.flatnonzero((scores >= least) & (scores > -np.inf))


def rank_rows(
    query: np.ndarray, rows: np.ndarray, vectors: np.ndarray, k: int
) -> tuple[np.ndarray, np.ndarray]:
    """Rank rows by their dot products, summed in float64 and in one order.

    Args:
        query: Float ``(dim,)``.
        rows: Int ``(candidates,)``, ascending: among equals the first one wins.
        vectors: Theirs, ``(candidates, dim)``.
        k: How many are wanted.

    Returns:
        The best rows and their scores, float32.

    Example:
        >>> vectors = np.array([[1.0, 0.0], [0.0, 1.0], [1.0, 0.0]])
        >>> rank_rows(np.array([2.0, 1.0]), np.array([4, 5, 9]), vectors, 2)
        (array([4, 9]), array([2., 2.], dtype=float32))
    """
    scores = (vectors.astype("float64") * query.astype("float64")).sum(axis=-1)
    order = np.argsort(-scores, kind="stable")[:k]
    return rows[order], scores[order].astype("float32")
