"""How far a number would move with other test posts."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np


def bootstrap_interval(
    values: Sequence[float] | np.ndarray,
    statistic: Callable[[np.ndarray], float] = np.mean,
    num_samples: int = 1000,
    level: float = 0.95,
    seed: int = 0,
) -> tuple[float, float]:
    """Return the percentile bootstrap interval of a statistic.

    Args:
        values: ``(items, ...)``; rows are drawn with replacement. Ranks of queries,
            for example, or rows of label and probability.
        statistic: From an array of the same shape to a number.
        num_samples: Number of draws.
        level: Share of the draws between the ends, above 0 and below 1.
        seed: Decides the draws.

    Returns:
        Lower and upper end.

    Raises:
        ValueError: No values, or a level outside 0 to 1.

    Source: Efron, "Bootstrap methods: another look at the jackknife", 1979.

    Example:
        >>> low, high = bootstrap_interval([1, 2, 3, 4, 5], np.median)
        >>> 1 <= low <= 3 <= high <= 5
        True
    """
    values = np.asarray(values)
    if values.ndim == 0 or len(values) == 0:
        raise ValueError(
            f"`values` must have at least one row; received shape {values.shape}."
        )
    if not 0 < level < 1:
        raise ValueError(f"`level` must be between 0 and 1; received {level}.")
    generator = np.random.default_rng(seed)
    draws = generator.integers(len(values), size=(num_samples, len(values)))
    results = [float(statistic(values[rows])) for rows in draws]
    low, high = np.quantile(results, [(1 - level) / 2, (1 + level) / 2])
    return float(low), float(high)
