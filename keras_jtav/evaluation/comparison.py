"""Tables over several runs: mean, deviation, and whether a row beats the one above."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

import numpy as np
from scipy import stats

TESTED = ("auc", "mrr", "R@10", "R@100")  # the first that a table has


def compare(results: Sequence[Mapping]) -> dict[str, list[dict]]:
    """Summarise the results of systems over runs.

    Args:
        results: One dict for each system and run: ``row``, ``run``, and ``metrics`` as
            ``{protocol: {metric: value}}``; some systems may lack a protocol. Systems
            keep their first order.

    Returns:
        ``{protocol: lines}``, each line with ``row``, ``runs``, ``p`` and, for every
        metric, its mean and as ``<metric>_std`` its deviation over the runs, as that of
        a sample, NaN for one run. ``p`` is that of a paired t-test against the
        row above in the first of ``TESTED`` that the table has, over the runs that both
        have, NaN where there are fewer than two.

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


def deciding_metric(names: Iterable[str]) -> str:
    """Return the metric that rows are tested and drawn by."""
    names = list(names)
    return next(name for name in TESTED if name in names)


def _lines(results: Sequence[Mapping], protocol: str) -> list[dict]:
    having = [result for result in results if protocol in result["metrics"]]
    metrics = list(having[0]["metrics"][protocol])
    tested = deciding_metric(metrics)
    lines: list[dict] = []
    above: dict[int, float] = {}
    for name in dict.fromkeys(result["row"] for result in having):
        by_run = {
            result["run"]: result["metrics"][protocol]
            for result in having
            if result["row"] == name
        }
        line: dict = {"row": name, "runs": len(by_run)}
        for metric in metrics:
            values = [measured[metric] for measured in by_run.values()]
            line[metric] = float(np.mean(values))
            spread = np.std(values, ddof=1) if len(values) > 1 else np.nan
            line[f"{metric}_std"] = float(spread)
        own = {run: measured[tested] for run, measured in by_run.items()}
        line["p"] = paired_p_value(own, above)
        above = own
        lines.append(line)
    return lines


def paired_p_value(first: Mapping[int, float], second: Mapping[int, float]) -> float:
    """Return the two-sided p-value of a paired t-test over the runs of both.

    Args:
        first: Value of each run.
        second: The same of another system.

    Returns:
        NaN with fewer than two common runs; 1 where all differences are zero.

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
    return float(stats.ttest_1samp(differences, 0.0).pvalue)
