"""Tables over several runs: mean, deviation, and whether a row beats the one above."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from scipy import stats

METRICS = ("auc", "weighted_f1", "weighted_precision")
TESTED = "auc"
Values = Mapping[str, Mapping[str, Sequence[float]]]


def compare(results: Sequence[Mapping]) -> dict[str, list[dict]]:
    """Summarise the results of systems over runs.

    Args:
        results: One dict for each system and run: ``row``, ``run``, and ``metrics`` as
            ``{protocol: {metric: value}}``. Systems keep their first order.

    Returns:
        ``{protocol: lines}``, each line with ``row``, ``runs``, ``p`` and, for every
        metric, its mean and as ``<metric>_std`` its deviation over the runs, as that of
        a sample, NaN for one run. ``p`` is that of a paired t-test of the row's AUC
        against that of the row above over the runs that both have, NaN where there are
        fewer than two.

    Raises:
        ValueError: No results.

    Example:
        >>> metrics = {"strict": dict.fromkeys(METRICS, 0.5)}
        >>> lines = compare([{"row": "A", "run": 0, "metrics": metrics}])
        >>> lines["strict"][0]["auc"]
        0.5
    """
    if not results:
        raise ValueError("There is no result to compare. Run the experiment first.")
    names = list(dict.fromkeys(result["row"] for result in results))
    table: dict[str, list[dict]] = {}
    for protocol in results[0]["metrics"]:
        above: dict[int, float] = {}
        table[protocol] = []
        for name in names:
            by_run = {
                result["run"]: result["metrics"][protocol]
                for result in results
                if result["row"] == name
            }
            line: dict = {"row": name, "runs": len(by_run)}
            for metric in METRICS:
                values = [measured[metric] for measured in by_run.values()]
                line[metric] = float(np.mean(values))
                line[f"{metric}_std"] = (
                    float(np.std(values, ddof=1)) if len(values) > 1 else np.nan
                )
            own = {run: measured[TESTED] for run, measured in by_run.items()}
            line["p"] = paired_p_value(own, above)
            above = own
            table[protocol].append(line)
    return table


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
