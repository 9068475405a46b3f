"""How high the true song of each query is placed (Sec. 4.2), with ties told as ties.

Two protocols. ``strict`` is ours: a tie is an unknown order, so every number is its
expectation over all orders of the tied songs, and a scorer that cannot tell songs
apart gets exactly the result of chance. ``paper`` repeats the rules of the published
code, to compare with printed numbers only: scores go through a float32 sigmoid, which
makes large ones equal, an equal score counts as a win, and "Med r" is a mean.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np

from keras_jtav.evaluation.placements import (
    expected_ranks,
    expected_recalls,
    expected_reciprocal,
    query_values,
    summarize,
)

PROTOCOLS = ("strict", "paper")


def rank_metrics(
    scores: np.ndarray,
    is_match: np.ndarray,
    ks: Iterable[int] = (1, 5, 10),
    protocol: str = "strict",
    query_ids: Sequence[str] | None = None,
) -> dict[str, float]:
    """Summarise where the best-placed true song of each query stands.

    Args:
        scores: ``(queries, songs)``, higher is better. Logits, not probabilities.
        is_match: ``(queries, songs)`` bool, True where the song is the query's.
        ks: Lengths of the lists that recall is measured on.
        protocol: ``strict`` or ``paper``.
        query_ids: Names for messages; row numbers where absent.

    Returns:
        ``R@k`` for every ``k`` (share of queries, 0 to 1) and, for ``strict``,
        ``median_rank``, ``mean_rank`` and ``mrr``; for ``paper``, ``Med r``, which is
        the mean rank as in the published code.

    Raises:
        ValueError: As ``query_ranks``.

    Source: Sec. 4.2; the ``paper`` rules are those of the code released with it.

    Example:
        >>> scores = np.array([[3.0, 1.0, 2.0], [0.0, 0.0, 0.0]])
        >>> truth = np.array([[True, False, False], [False, True, False]])
        >>> metrics = rank_metrics(scores, truth, ks=(1,))
        >>> round(metrics["R@1"], 4), metrics["median_rank"]
        (0.6667, 1.5)
        >>> rank_metrics(scores, truth, ks=(1,), protocol="paper")
        {'Med r': 1.0, 'R@1': 1.0}
    """
    placed = placements(scores, is_match, protocol, query_ids)
    return summarize(query_values(placed, ks, protocol))


def placements(
    scores: np.ndarray,
    is_match: np.ndarray,
    protocol: str = "strict",
    query_ids: Sequence[str] | None = None,
) -> np.ndarray:
    """Count, per query: songs above the best true one, its ties, the true ones there.

    All metrics follow from these numbers, see ``evaluation/placements.py``.

    Args:
        scores: ``(queries, songs)``, higher is better.
        is_match: ``(queries, songs)`` bool.
        protocol: ``strict`` or ``paper``; the latter compares float32 sigmoids.
        query_ids: Names for messages; row numbers where absent.

    Returns:
        ``(queries, 3)`` int.

    Raises:
        ValueError: As ``query_ranks``.

    Example:
        >>> placements(np.array([[0.9, 0.7, 0.7]]), np.array([[False, True, False]]))
        array([[1, 2, 1]])
    """
    scores, is_match = _checked(scores, is_match, protocol, query_ids)
    if protocol == "paper":
        scores = _float32_sigmoid(scores)
    best = np.max(scores, axis=1, keepdims=True, where=is_match, initial=-np.inf)
    tied = scores == best
    counts = [np.sum(scores > best, 1), np.sum(tied, 1), np.sum(tied & is_match, 1)]
    return np.stack(counts, axis=1)  # (queries, 3)


def query_ranks(
    scores: np.ndarray,
    is_match: np.ndarray,
    protocol: str = "strict",
    query_ids: Sequence[str] | None = None,
) -> np.ndarray:
    """Return the rank of each query's best-placed true song.

    Ties count as their expected rank in ``strict``, as wins in ``paper``.

    Args:
        scores: ``(queries, songs)``, higher is better.
        is_match: ``(queries, songs)`` bool.
        protocol: ``strict`` or ``paper``.
        query_ids: Names for messages; row numbers where absent.

    Returns:
        ``(queries,)`` float64, from 1 to the number of songs.

    Raises:
        ValueError: Arrays of other shapes, a score that is not a number, a query
            without a true song (the message names the first), an unknown protocol.

    Example:
        >>> query_ranks(np.array([[0.1, 0.7, 0.7]]), np.array([[False, True, False]]))
        array([1.5])
    """
    placed = placements(scores, is_match, protocol, query_ids)
    return expected_ranks(placed, protocol)


def query_recalls(scores: np.ndarray, is_match: np.ndarray, k: int) -> np.ndarray:
    """Return each query's probability of a true song among the first ``k`` (strict).

    Their mean is ``R@k``.

    Args:
        scores: ``(queries, songs)``, higher is better.
        is_match: ``(queries, songs)`` bool.
        k: Length of the list.

    Returns:
        ``(queries,)`` float64, 0 to 1.

    Raises:
        ValueError: As ``query_ranks``.

    Example:
        >>> query_recalls(np.zeros((1, 4)), np.array([[True, False, False, False]]), 3)
        array([0.75])
    """
    return expected_recalls(placements(scores, is_match), k)


def chance_ranks(
    num_songs: int, ks: Iterable[int] = (1, 5, 10), protocol: str = "strict"
) -> dict[str, float]:
    """Return what random scores without ties get, with one true song per query.

    The keys are those of ``rank_metrics``. In ``strict`` a constant scorer gets the
    same numbers there. (With several true songs per query, give constant scores to
    ``rank_metrics`` instead.)

    Args:
        num_songs: Number of candidates, at least 1.
        ks: Lengths of the lists.
        protocol: ``strict`` or ``paper``; their names differ.

    Raises:
        ValueError: No songs.

    Example:
        >>> chance_ranks(100, ks=(1, 10))["R@10"], chance_ranks(100)["median_rank"]
        (0.1, 50.5)
    """
    if num_songs < 1:
        raise ValueError(f"`num_songs` must be at least 1; received {num_songs}.")
    middle = (num_songs + 1) / 2
    recalls = {f"R@{k}": min(k / num_songs, 1.0) for k in ks}
    if protocol == "paper":
        return {"Med r": middle, **recalls}
    mrr = expected_reciprocal(0, num_songs, 1)
    return {"median_rank": middle, "mean_rank": middle, "mrr": mrr, **recalls}


def _float32_sigmoid(logits: np.ndarray) -> np.ndarray:
    half = np.float32(0.5)
    return half + half * np.tanh(half * logits.astype("float32"))


def _checked(
    scores: np.ndarray,
    is_match: np.ndarray,
    protocol: str = "strict",
    query_ids: Sequence[str] | None = None,
) -> tuple[np.ndarray, np.ndarray]:
    """Return both as arrays, the scores as floats, or say what is wrong."""
    scores, is_match = np.asarray(scores), np.asarray(is_match)
    if protocol not in PROTOCOLS:
        raise ValueError(
            f"`protocol` must be one of {', '.join(PROTOCOLS)}; received {protocol!r}."
        )
    if scores.ndim != 2 or scores.shape != is_match.shape or 0 in scores.shape:
        raise ValueError(
            "`scores` and `is_match` must both be (queries, songs) and not empty; "
            f"received {scores.shape} and {is_match.shape}."
        )
    if is_match.dtype != bool:
        raise ValueError(f"`is_match` must be bool; received {is_match.dtype}.")
    if not np.issubdtype(scores.dtype, np.floating):
        scores = scores.astype("float64")
    complaints = {
        "has a score that is not a number. Look for NaN in its inputs or in the "
        "weights; lower `train.learning_rate` where training diverged.": np.isnan(
            scores
        ).any(axis=1),
        "has no true song among the candidates. Add its song or leave the query "
        "out.": ~is_match.any(axis=1),
    }
    for complaint, is_faulty in complaints.items():
        if is_faulty.any():
            row = int(np.argmax(is_faulty))
            name = f"in row {row}" if query_ids is None else repr(query_ids[row])
            raise ValueError(
                f"Query {name} (the first of {is_faulty.sum()}) {complaint}"
            )
    return scores, is_match
