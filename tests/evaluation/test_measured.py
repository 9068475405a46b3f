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


def test_an_unknown_table_is_named():
    with pytest.raises(ValueError, match=r"'table2'; there are .*table1-synthetic"):
        measured_results("table2")
