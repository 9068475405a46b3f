"""Exact Shapley values of a few players."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Sequence

import numpy as np


def shapley_values(
    players: Sequence[str], value: Callable[[np.ndarray], np.ndarray]
) -> dict[str, float]:
    """Share what all players reach together among them.

    Args:
        players: Their names.
        value: From bool ``(coalitions, players)`` to what each coalition reaches,
            ``(coalitions,)``. It is called once, with all ``2 ** players`` of them.

    Returns:
        A number a player; they sum to the value of all less that of none.

    Source:
        Shapley 1953, A Value for n-Person Games.

    Example:
        >>> values = shapley_values(["a", "b"], lambda present: present.sum(axis=1) * 2)
        >>> values
        {'a': 2.0, 'b': 2.0}
    """
    count = len(players)
    present = np.array(list(itertools.product([False, True], repeat=count)))
    reached = np.asarray(value(present), "float64")
    by_coalition = {tuple(row): reached[i] for i, row in enumerate(present.tolist())}
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
