import json

import pytest

from keras_jtav.config import Config
from keras_jtav.table_lines import append_result, read_results, refuse_other_split


def as_lines_have_it(*settings):
    return json.loads(Config().override(settings).to_json())


LINE = {"row": "early", "run": 1, "split": "a1", "config": as_lines_have_it()}


def test_what_a_kill_left_half_written_is_cut_off(tmp_path):
    assert read_results(tmp_path) == []
    append_result(tmp_path, {"row": "A"})
    with (tmp_path / "results.jsonl").open("a") as file:
        file.write('{"row": "half writ')
    assert read_results(tmp_path) == [{"row": "A"}]
    append_result(tmp_path, {"row": "B"})
    assert read_results(tmp_path) == [{"row": "A"}, {"row": "B"}]


@pytest.mark.parametrize("place", ["results.jsonl", "work/early-1.json"])
def test_rows_that_see_the_same_have_one_split(tmp_path, place):
    path = tmp_path / place
    path.parent.mkdir(exist_ok=True)
    line = json.dumps(LINE)
    path.write_text(f"[{line}]" if path.suffix == ".json" else f"{line}\n")
    refuse_other_split(tmp_path, LINE["config"], "a1")
    other_part = as_lines_have_it("text.units=7", "train.seed=3")
    with pytest.raises(ValueError, match="a line of 'early', run 2, from the") as error:
        refuse_other_split(tmp_path, other_part, "b2")
    assert str(error.value).startswith(str(tmp_path))
    assert "the split a1, and the split is b2 now" in str(error.value)


@pytest.mark.parametrize(
    "setting", ["modalities=text", "data.split_seed=4", "data.texts=lyrics"]
)
def test_rows_that_see_other_things_may_have_another_split(tmp_path, setting):
    append_result(tmp_path, LINE)
    refuse_other_split(tmp_path, as_lines_have_it(setting), "b2")
