import json
import math

import numpy as np
import pytest
from scipy import stats

from keras_jtav.evaluation.comparison import (
    compare,
    deciding_metric,
    distinct_columns,
    metrics_of,
    paired_p_value,
)
from keras_jtav.evaluation.comparison_text import markdown_table
from keras_jtav.evaluation.figures import save_figure
from keras_jtav.evaluation.figures_comparison import comparison_figure
from keras_jtav.evaluation.placements import query_values, summarize
from keras_jtav.evaluation.ranks import chance_ranks, placements, rank_metrics
from keras_jtav.evaluation.stored_placements import pooled_intervals, restore, store


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


def test_runs_that_share_posts_tell_less():
    first, second = [0.5, 0.6, 0.55, 0.7], [0.7, 0.75, 0.8, 0.72]
    measured = results({"A": first, "B": second})
    for result in measured:
        result["split"] = str(result["run"])
        result["posts"] = {"train": 80, "validation": 10, "test": 10}
    _, b = compare(measured)["strict"]
    differences = np.subtract(second, first)
    # By hand: 3 degrees of freedom, variance of the mean (1/4 + 1/8) s^2.
    t = differences.mean() / math.sqrt(0.375 * differences.var(ddof=1))
    assert b["p"] == pytest.approx(2 * stats.t.sf(t, 3))
    assert b["p"] > 1.5 * stats.ttest_rel(second, first).pvalue
    del measured[0]["posts"]
    assert math.isnan(compare(measured)["strict"][1]["p"])
    for result in measured:
        result["split"] = f"one for all runs of {result['row']}"
    _, b = compare(measured)["strict"]
    assert b["p"] == pytest.approx(stats.ttest_rel(second, first).pvalue)


def test_equal_systems_have_a_p_of_1():
    assert paired_p_value({0: 0.5, 1: 0.6}, {0: 0.5, 1: 0.6}) == 1


def test_nothing_to_compare():
    with pytest.raises(ValueError, match="no result to compare"):
        compare([])


def test_bars_begin_at_chance(tmp_path):
    measured = results({"chance": [0.5, 0.5], "B": [0.7, 0.9]})
    measured[-1]["metrics"]["paper"]["auc"] = 0.8
    figure = comparison_figure(compare(measured))
    titles = [axes.get_title("left") for axes in figure.axes]
    assert titles == ["AUC, strict", "AUC, paper", "f1"]
    bars = figure.axes[0].patches
    assert [bar.get_x() for bar in bars] == [0.5, 0.5]
    assert [bar.get_x() + bar.get_width() for bar in bars] == pytest.approx([0.5, 0.8])
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


def test_markdown_has_both_protocols_side_by_side():
    measured = results({"A": [0.5, 0.6], "B": [0.7, 0.8]})
    for result in measured[2:]:
        result["metrics"]["paper"]["auc"] -= 0.1
        result |= {"parameters": 12345, "milliseconds": 1.5, "validation": 0.5}
    del measured[0]["metrics"]["paper"], measured[1]["metrics"]["paper"]
    measured += results({"C": [0.5, 0.6]})
    table = compare(measured)
    header, _, a, b, *_ = markdown_table(table).split("\n")
    assert header == (
        "| system | runs | AUC (strict) | AUC (paper) | f1 (strict) | f1 (paper) | p "
        "| validation | parameters | milliseconds |"
    )
    assert a == "| A | 2 | 0.550 +- 0.071 |  | 0.550 +- 0.071 |  |  |  |  |  |"
    assert b == (
        "| B | 2 | 0.750 +- 0.071 | 0.650 +- 0.071 | 0.750 +- 0.071 | 0.750 +- 0.071 "
        "| 0.000 | 0.500 | 12,345 | 1.500 |"
    )


def test_a_metric_without_protocols_has_one_column():
    table = compare(results({"A": [0.5]}))
    assert distinct_columns(table) == [("", "auc"), ("", "f1")]


@pytest.fixture(scope="module")
def rankings():
    """Two runs of a system and of chance: 3 queries a song, scores with ties."""
    generator = np.random.default_rng(0)
    songs = [f"song {n}" for n in range(12)]
    asked = np.repeat(np.arange(12), 3)
    is_match = asked[:, None] == np.arange(12)
    protocols, ks = ("strict", "paper"), (1, 10)
    lines = []
    for run in range(2):
        chance = {p: chance_ranks(12, ks, p) for p in protocols}
        lines.append({"row": "chance", "run": run, "metrics": chance})
        scores = generator.integers(9, size=(36, 12)) + 40.0 * is_match
        scores[::4] -= 40.0 * is_match[::4]
        placed = {p: placements(scores, is_match, p) for p in protocols}
        lines.append(
            {
                "row": "I+L",
                "run": run,
                "metrics": {
                    p: rank_metrics(scores, is_match, ks, p) for p in protocols
                },
                "placements": store(placed, [songs[n] for n in asked], ks),
            }
        )
    return json.loads(json.dumps(lines))


@pytest.mark.parametrize("protocol", ["strict", "paper"])
def test_metrics_and_intervals_come_from_stored_placements(rankings, protocol):
    runs = [line for line in rankings if line["row"] == "I+L"]
    for run in runs:
        values = query_values(
            restore(run["placements"], protocol), run["placements"]["ks"], protocol
        )
        assert summarize(values) == pytest.approx(run["metrics"][protocol])
    chance, line = compare(rankings)[protocol]
    intervals = pooled_intervals([run["placements"] for run in runs], protocol)
    for metric, (low, high) in intervals.items():
        assert low <= line[metric] <= high
        assert low < high or metric == "median_rank"
        assert (line[f"{metric}_low"], line[f"{metric}_high"]) == (low, high)
        assert math.isnan(chance[f"{metric}_low"])


@pytest.mark.parametrize("metric", ["median_rank", "mrr"])
def test_the_interval_is_that_of_the_mean_over_runs(metric):
    """Pooled, the ranks 1 to 4 of one run would drown in the 90 of the other."""
    runs = [
        store({"strict": np.array([[better, 1, 1]] * number)}, [name] * number, [1])
        for better, number, name in ((3, 10, "a"), (0, 90, "b"))
    ]
    low, high = pooled_intervals(runs, "strict")[metric]
    # A draw has a alone, b alone, or both, whose mean is that of two runs.
    alone = {"median_rank": (4, 1), "mrr": (1 / 4, 1)}[metric]
    assert (low, high) == pytest.approx(sorted(alone))
    both = [*runs[0]["groups"], *runs[1]["groups"]]
    together = [{**run, "groups": both[:1] * len(run["groups"])} for run in runs]
    mean = np.mean(alone)
    assert pooled_intervals(together, "strict")[metric] == pytest.approx((mean, mean))


def test_a_song_of_two_runs_is_drawn_once(rankings):
    stored = rankings[1]["placements"]
    single = pooled_intervals([stored], "strict")
    for metric, interval in pooled_intervals([stored, stored], "strict").items():
        assert interval == pytest.approx(single[metric])


def test_ranks_are_drawn_for_both_protocols(rankings, tmp_path):
    lines = [*rankings, {**rankings[1], "row": "CCA I+L"}]
    figure = comparison_figure(compare(lines))
    titles = [axes.get_title("left") for axes in figure.axes]
    assert titles == [
        *("strict: Med r", "R@1", "R@10"),
        *("paper: Med r (a mean)", "R@1", "R@10"),
    ]
    recall = figure.axes[1]
    baseline, system = (container[0] for container in recall.containers[::2])
    table = compare(lines)["strict"]
    assert system.get_height() == pytest.approx(table[1]["R@1"])
    assert baseline.get_x() < system.get_x()
    (chance,) = (line for line in recall.lines if line.get_label() == "chance")
    assert chance.get_ydata() == pytest.approx([1 / 12] * 2)
    assert save_figure(figure, tmp_path / "ranks.png").stat().st_size > 1000


def test_bars_of_many_systems_lie_one_below_the_other(rankings):
    names = [f"system {number}" for number in range(9)]
    lines = [rankings[0], *({**rankings[1], "row": name} for name in names)]
    upright = comparison_figure(compare(lines[:-1])).axes[3]  # names stand below
    assert [text.get_text() for text in upright.get_xticklabels()] == names[:-1]
    lying = comparison_figure(compare(lines)).axes[0]
    assert [text.get_text() for text in lying.get_yticklabels()] == names
    tops = [bar.get_y() for bar in lying.patches]
    assert tops == sorted(tops, reverse=True)
    median = rankings[1]["metrics"]["strict"]["median_rank"]
    assert {bar.get_width() for bar in lying.patches} == {median}
