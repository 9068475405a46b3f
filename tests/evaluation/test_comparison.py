import math

import numpy as np
import pytest
from scipy import stats

from keras_jtav.evaluation.comparison import (
    compare,
    deciding_metric,
    metrics_of,
    paired_p_value,
)
from keras_jtav.evaluation.figures import save_figure
from keras_jtav.evaluation.figures_comparison import comparison_figure


def results(values):
    """Make one line for each system and run from ``{row: [auc of each run]}``."""
    return [
        {
            "row": row,
            "run": run,
            "metrics": {p: {"auc": auc, "f1": auc} for p in ("strict", "paper")},
        }
        for row, aucs in values.items()
        for run, auc in enumerate(aucs)
    ]


def test_means_deviations_and_paired_tests():
    first, second = [0.5, 0.6, 0.55], [0.7, 0.75, 0.8]
    table = compare(results({"A": first, "B": second}))
    assert set(table) == {"strict", "paper"}
    a, b = table["strict"]
    assert (a["row"], b["row"], b["runs"]) == ("A", "B", 3)
    assert a["auc"] == pytest.approx(0.55)
    assert b["auc_std"] == pytest.approx(np.std(second, ddof=1))
    assert math.isnan(a["p"])
    assert b["p"] == pytest.approx(stats.ttest_rel(second, first).pvalue)


def test_one_run_has_no_deviation_and_no_test():
    a, b = compare(results({"A": [0.5], "B": [0.7]}))["strict"]
    assert math.isnan(a["auc_std"])
    assert math.isnan(b["p"])


def test_only_common_runs_are_paired():
    assert paired_p_value({0: 0.5, 1: 0.6, 2: 0.9}, {1: 0.7, 2: 0.7, 3: 0.1}) == (
        pytest.approx(stats.ttest_rel([0.6, 0.9], [0.7, 0.7]).pvalue)
    )
    assert math.isnan(paired_p_value({0: 0.5}, {0: 0.7}))


def test_equal_systems_have_a_p_of_1():
    assert paired_p_value({0: 0.5, 1: 0.6}, {0: 0.5, 1: 0.6}) == 1


def test_nothing_to_compare():
    with pytest.raises(ValueError, match="no result to compare"):
        compare([])


def test_bars_begin_at_chance(tmp_path):
    lines = compare(results({"A": [0.5, 0.6], "B": [0.7, 0.9]}))["strict"]
    figure = comparison_figure(lines, "auc", 0.5)
    (axes,) = figure.axes
    bars = axes.patches
    assert [bar.get_x() for bar in bars] == [0.5, 0.5]
    assert [bar.get_x() + bar.get_width() for bar in bars] == pytest.approx([0.55, 0.8])
    assert save_figure(figure, tmp_path / "bars.png").stat().st_size > 1000


def test_metrics_are_those_of_the_results():
    lines = compare(results({"A": [0.5, 0.6]}))["paper"]
    assert metrics_of(lines) == ["auc", "f1"]
    assert deciding_metric(["median_rank", "mrr", "R@10"]) == "mrr"
    assert deciding_metric(["Med r", "R@1", "R@10"]) == "R@10"


def test_a_row_may_lack_a_protocol():
    lines = results({"A": [0.5], "B": [0.7]})
    del lines[0]["metrics"]["paper"]
    table = compare(lines)
    assert [line["row"] for line in table["strict"]] == ["A", "B"]
    assert [line["row"] for line in table["paper"]] == ["B"]
