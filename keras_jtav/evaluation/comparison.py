"""Tables over several runs: mean, deviation, and whether a row beats the one above."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

import numpy as np
from scipy import stats

from keras_jtav.evaluation.stored_placements import pooled_intervals

TESTED = ("auc", "mrr", "R@10", "R@100")  # the first that a table has
# Beside the metrics: what a choice may look at, and what a system costs.
EXTRAS = {
    "validation": "{:.3f}",
    "parameters": "{:,.0f}",
    "fusion_parameters": "{:,.0f}",
    "milliseconds": "{:.3f}",
}
TITLES = {
    "auc": "AUC",
    "weighted_f1": "weighted F1",
    "weighted_precision": "weighted precision",
    "median_rank": "median rank",
    "mean_rank": "mean rank",
    "mrr": "MRR",
}


def compare(results: Sequence[Mapping]) -> dict[str, list[dict]]:
    """Summarise the results of systems over runs.

    Args:
        results: One dict for each system and run: ``row``, ``run``, and ``metrics`` as
            ``{protocol: {metric: value}}``; some systems may lack a protocol. Systems
            keep their first order. Where they are there, ``placements`` (as ``store``
            returns them), ``modalities`` and ``EXTRAS`` are read too, and where
            ``split`` is not the same in all runs, ``posts``: how many there are by
            part of the split. Without, there is no ``p``.

    Returns:
        ``{protocol: lines}``, each line with ``row``, ``runs``, ``modalities`` and, for
        every metric, its mean and as ``<metric>_std`` its deviation over the runs, as
        that of a sample, NaN for one run. ``p`` is that of a paired t-test against the
        row above in the first of ``TESTED`` that the table has, over the runs that both
        have, NaN where there are fewer than two; see ``paired_p_value`` for runs with
        splits of their own. ``<metric>_low`` and ``<metric>_high``
        are the ends of ``pooled_intervals``, and ``EXTRAS`` means over the runs; these
        columns are there where any result has them, NaN in the lines that lack them.

    Raises:
        ValueError: No results.

    Example:
        >>> result = {"row": "A", "run": 0, "metrics": {"strict": {"auc": 0.5}}}
        >>> lines = compare([result])
        >>> lines["strict"][0]["auc"]
        0.5
    """
    if not results:
        raise ValueError("There is no result to compare. Run the experiment first.")
    protocols = dict.fromkeys(p for result in results for p in result["metrics"])
    return {protocol: _lines(results, protocol) for protocol in protocols}


def metrics_of(lines: Sequence[Mapping]) -> list[str]:
    """Return the names of a table's metrics, in order."""
    return [name for name in lines[0] if f"{name}_std" in lines[0]]


def distinct_columns(table: Mapping[str, Sequence[Mapping]]) -> list[tuple[str, str]]:
    """Return ``(protocol, metric)`` of every column that a table needs.

    A metric's protocols stand side by side; one that all of them measure alike is there
    once, with an empty protocol.
    """
    columns = []
    for metric in dict.fromkeys(
        m for lines in table.values() for m in metrics_of(lines)
    ):
        values = {
            protocol: [(line["row"], line["runs"], line.get(metric)) for line in lines]
            for protocol, lines in table.items()
        }
        first, *others = values.values()
        if all(other == first for other in others):
            columns.append(("", metric))
        else:
            having = (p for p, lines in table.items() if metric in lines[0])
            columns += [(protocol, metric) for protocol in having]
    return columns


def deciding_metric(names: Iterable[str]) -> str:
    """Return the metric that rows are tested and drawn by."""
    names = list(names)
    return next(name for name in TESTED if name in names)


def _lines(results: Sequence[Mapping], protocol: str) -> list[dict]:
    having = [result for result in results if protocol in result["metrics"]]
    metrics = list(having[0]["metrics"][protocol])
    tested = deciding_metric(metrics)
    extras = [extra for extra in EXTRAS if any(extra in r for r in having)]
    placed = any("placements" in result for result in having)
    lines: list[dict] = []
    overlap = _overlap(having)
    above: dict[int, float] = {}
    for name in dict.fromkeys(result["row"] for result in having):
        runs = [result for result in having if result["row"] == name]
        own = {run["run"]: run["metrics"][protocol][tested] for run in runs}
        lines.append(
            {
                "row": name,
                "runs": len(runs),
                "modalities": runs[0].get("modalities", ""),
                **_moments(runs, metrics, protocol),
                "p": paired_p_value(own, above, overlap),
                **(_intervals(runs, metrics, protocol) if placed else {}),
                **{e: _mean([r[e] for r in runs if e in r]) for e in extras},
            }
        )
        above = own
    return lines


def _moments(
    runs: Sequence[Mapping], metrics: Sequence[str], protocol: str
) -> dict[str, float]:
    """Return mean and deviation of every metric."""
    moments = {}
    for metric in metrics:
        values = [run["metrics"][protocol][metric] for run in runs]
        moments[metric] = float(np.mean(values))
        deviation = np.std(values, ddof=1) if len(values) > 1 else np.nan
        moments[f"{metric}_std"] = float(deviation)
    return moments


def _intervals(
    runs: Sequence[Mapping], metrics: Sequence[str], protocol: str
) -> dict[str, float]:
    """Return the ends of every metric's interval."""
    stored = [run["placements"] for run in runs if "placements" in run]
    ends = pooled_intervals(stored, protocol) if stored else {}
    return {
        f"{metric}_{name}": end
        for metric in metrics
        for name, end in zip(
            ("low", "high"), ends.get(metric, (np.nan, np.nan)), strict=True
        )
    }


def _mean(values: Sequence[float]) -> float:
    return float(np.mean(values)) if values else float("nan")


def _overlap(results: Sequence[Mapping]) -> float:
    """Return test posts for each training post where runs have splits of their own.

    The rows of one run may differ in their posts: a system leaves out those whose media
    it cannot read.
    """
    splits: dict[str, set] = {}
    for result in results:
        splits.setdefault(result["row"], set()).add(result.get("split"))
    if all(len(own) < 2 for own in splits.values()):
        return 0.0
    if any("posts" not in result for result in results):  # measured before it was kept
        return float("nan")
    return _mean([r["posts"]["test"] / r["posts"]["train"] for r in results])


def paired_p_value(
    first: Mapping[int, float], second: Mapping[int, float], overlap: float = 0.0
) -> float:
    """Return the two-sided p-value of a paired t-test over the runs of both.

    Args:
        first: Value of each run.
        second: The same of another system.
        overlap: Where runs split the same posts anew, test posts for each training
            post. Such runs share most of their posts, so that a plain t-test finds
            differences that are none; the variance of the mean is corrected for it.

    Returns:
        NaN with fewer than two common runs; 1 where all differences are zero.

    Source: Nadeau and Bengio, "Inference for the generalization error", 2003, Sec. 4
    (the corrected resampled t-test).

    Example:
        >>> paired_p_value({0: 0.5, 1: 0.6}, {0: 0.5, 1: 0.6})
        1.0
    """
    runs = sorted(set(first) & set(second))
    if len(runs) < 2:
        return float("nan")
    differences = np.array([first[run] - second[run] for run in runs])
    if np.allclose(differences, differences[0], atol=1e-12):
        return 1.0 if abs(differences[0]) < 1e-12 else 0.0
    variance = (1 / len(runs) + overlap) * differences.var(ddof=1)
    statistic = abs(differences.mean()) / np.sqrt(variance)
    return float(2 * stats.t.sf(statistic, len(runs) - 1))
