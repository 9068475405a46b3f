import re
from pathlib import Path

import pytest

from keras_jtav.evaluation.comparison import compare
from keras_jtav.evaluation.comparison_text import markdown_table
from keras_jtav.evaluation.measured import measured_results, measured_tables

REPORT = Path(__file__).parents[2] / "docs" / "reproduction.md"


@pytest.mark.parametrize("name", measured_tables())
def test_the_report_shows_the_stored_results(name):
    table = markdown_table(compare(measured_results(name)))
    assert table.strip() in REPORT.read_text(encoding="utf-8")


@pytest.mark.parametrize("name", measured_tables())
def test_every_system_has_every_run_once(name):
    keys = [(result["row"], result["run"]) for result in measured_results(name)]
    assert len(set(keys)) == len(keys)
    rows, runs = ({key[i] for key in keys} for i in (0, 1))
    assert len(keys) == len(rows) * len(runs)


def test_the_recordings_of_one_item_are_one_group():
    """An item of tuxpaint has five recordings, which are five songs of Fig. 6."""
    groups = [
        set(result["placements"]["groups"])
        for result in measured_results("figure6-tuxpaint")
        if result["row"] == "JTAV"
    ]
    assert len(groups) == 10
    assert all(own == groups[0] for own in groups)
    assert len(groups[0]) == 555


def test_an_unknown_table_is_named():
    with pytest.raises(ValueError, match=r"'table2'; there are .*table1-synthetic"):
        measured_results("table2")


def test_the_papers_table_has_ours_beside_it():
    text = REPORT.read_text(encoding="utf-8")
    start = text.index("| modality | approach |")
    lines = text[start : text.index("\n\n", start)].splitlines()[2:]
    names = ["table1-synthetic", "table1-tuxpaint"]
    metrics = ("auc", "weighted_f1", "weighted_precision")
    expected = {
        name: {
            line["row"]: " / ".join(f"{line[m]:.3f}".lstrip("0") for m in metrics)
            for line in compare(measured_results(name))["paper"]
        }
        for name in names
    }
    shown: dict[str, list[str]] = {name: [] for name in names}
    parts = ""
    for line in lines:
        kind, approach, _, *ours = (cell.strip() for cell in line.strip("|").split("|"))
        parts = kind.partition(" ")[0] or parts
        subset = "all" if parts == "text+audio+image" else parts
        row = re.sub(" fusion$| \\(JTAV\\)$", "", approach)
        row = f"{row} {subset}" if row in ("early", "CMF-AP") else row
        for name, cell in zip(names, ours, strict=True):
            assert cell == expected[name].get(row, ""), (name, row)
            shown[name] += [row] if cell else []
    assert len(lines) == 19 + 2
    guesses = {"chance", "majority class"}
    for name in names:
        ours_only = {row for row in expected[name] if "residual" in row}
        assert set(expected[name]) - guesses - ours_only <= set(shown[name])
