"""How far a number would move with other test posts."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

Interval = tuple[float, float] | tuple[np.ndarray, np.ndarray]


def bootstrap_interval(
    values: Sequence[float] | np.ndarray,
    statistic: Callable[[np.ndarray], float | np.ndarray] = np.mean,
    num_samples: int = 1000,
    level: float = 0.95,
    seed: int = 0,
    clusters: Sequence | None = None,
) -> Interval:
    """Return the percentile bootstrap interval of a statistic.

    Args:
        values: ``(items, ...)``; rows are drawn with replacement. Ranks of queries,
            for example, or rows of label and probability.
        statistic: From an array of such rows to a number, or to an array of numbers
            that then share the draws.
        num_samples: Number of draws.
        level: Share of the draws between the ends, above 0 and below 1.
        seed: Decides the draws.
        clusters: ``(items,)`` names. Rows of one name, such as the queries of one song,
            are not independent: they are drawn together or not at all, and as many
            clusters are drawn as there are. By default every row is its own.

    Returns:
        Lower and upper end, each of the shape of the statistic.

    Raises:
        ValueError: No values, a level outside 0 to 1, or not one cluster for each row.

    Source: Efron, "Bootstrap methods: another look at the jackknife", 1979; for
    clusters Davison and Hinkley, "Bootstrap methods and their application", 1997,
    Sec. 3.8.

    Example:
        >>> low, high = bootstrap_interval([1, 2, 3, 4, 5], np.median)
        >>> 1 <= low <= 3 <= high <= 5
        True
        >>> bootstrap_interval([0, 1, 0, 1], clusters=["a", "a", "b", "b"])
        (0.5, 0.5)
    """
    values = np.asarray(values)
    if values.ndim == 0 or len(values) == 0:
        raise ValueError(
            f"`values` must have at least one row; received shape {values.shape}."
        )
    if not 0 < level < 1:
        raise ValueError(f"`level` must be between 0 and 1; received {level}.")
    clusters = np.arange(len(values)) if clusters is None else np.asarray(clusters)
    if clusters.shape != (len(values),):
        raise ValueError(
            f"`clusters` must name one cluster for each of {len(values)} rows; "
            f"received shape {clusters.shape}."
        )
    _, cluster_of = np.unique(clusters, return_inverse=True)
    by_cluster = np.argsort(cluster_of, kind="stable")
    sizes = np.bincount(cluster_of)
    generator = np.random.default_rng(seed)
    draws = generator.integers(len(sizes), size=(num_samples, len(sizes)))
    results = [statistic(values[by_cluster[_members(drawn, sizes)]]) for drawn in draws]
    ends = np.quantile(results, [(1 - level) / 2, (1 + level) / 2], axis=0)
    low, high = ends if ends.ndim > 1 else ends.tolist()
    return low, high


def _members(drawn: np.ndarray, sizes: np.ndarray) -> np.ndarray:
    """Return the places of the rows of drawn clusters, rows being sorted by cluster."""
    starts = np.cumsum(sizes) - sizes
    lengths = sizes[drawn]
    before = np.cumsum(lengths) - lengths
    return np.repeat(starts[drawn] - before, lengths) + np.arange(lengths.sum())
