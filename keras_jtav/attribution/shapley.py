"""Exact Shapley values of a few players."""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence

import numpy as np


def coalitions(count: int) -> np.ndarray:
    """Return who is present in each coalition, bool ``(2 ** count, count)``.

    Example:
        >>> coalitions(2).astype(int).tolist()
        [[0, 0], [0, 1], [1, 0], [1, 1]]
    """
    return np.array(list(itertools.product([False, True], repeat=count)))


def shapley_values(players: Sequence[str], reached: np.ndarray) -> dict[str, float]:
    """Share what all players reach together among them.

    Args:
        players: Their names.
        reached: What each coalition reaches, in the order of ``coalitions``.

    Returns:
        A number a player; they sum to the value of all less that of none.

    Source:
        Shapley 1953, A Value for n-Person Games.

    Example:
        >>> shapley_values(["a", "b"], coalitions(2).sum(axis=1) * 2)
        {'a': 2.0, 'b': 2.0}
    """
    count = len(players)
    present = map(tuple, coalitions(count).tolist())
    by_coalition = dict(zip(present, reached.astype("float64"), strict=True))
    shares = {}
    for index, player in enumerate(players):
        share = 0.0
        for coalition, own in by_coalition.items():
            if coalition[index]:
                continue
            joined = (*coalition[:index], True, *coalition[index + 1 :])
            size = sum(coalition)
            weight = math.factorial(size) * math.factorial(count - size - 1)
            share += weight / math.factorial(count) * (by_coalition[joined] - own)
        shares[player] = float(share)
    return shares
