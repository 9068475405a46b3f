import json
import re

import pytest

from keras_jtav.cli import main
from keras_jtav.data.manifest import write_manifest
from keras_jtav.preparation import load_table


@pytest.fixture
def table(finished_run, tmp_path):
    posts = load_table(finished_run[0]).posts[:6]
    write_manifest(posts, tmp_path / "posts.csv")
    return tmp_path / "posts.csv", posts


def test_a_row_is_explained_on_a_page(finished_run, table, tmp_path, capsys):
    path, posts = table
    model = str(finished_run[1].exported)
    words = ["explain", model, str(path), "--id", posts[0].id, "--outside"]
    assert main([*words, "--out", str(tmp_path / "out")]) == 0
    page, saved = capsys.readouterr().out.splitlines()
    folder = tmp_path / "out" / posts[0].id
    assert [page, saved] == [
        str(folder / "explanation.html"),
        str(folder / "explanation.json"),
    ]
    explanation = json.loads((folder / "explanation.json").read_text())
    text = (folder / "explanation.html").read_text()
    for part, value in explanation["parts"].items():
        assert f"<dt>{part}</dt>" in text
        assert f"{value:+.2f}" in text
    for word in explanation["words"]:
        assert f">{word['text']}</span>" in text
    assert 'src="data:audio/mpeg;base64,' in text
    assert "<svg" in text
    assert text.count("<img") == 2
    assert set(re.findall(r'(?:src|href)="([a-z]*:)', text)) <= {"data:"}


def test_rows_that_are_not_there_are_named(finished_run, table, tmp_path, capsys):
    path, posts = table
    model = str(finished_run[1].exported)
    out = ["--outside", "--out", str(tmp_path / "out")]
    assert main(["explain", model, str(path), "--id", "nobody", *out]) == 1
    message = capsys.readouterr().err
    assert "no usable row whose `id` is 'nobody'" in message
    assert posts[0].id in message
    song = ["--id", posts[0].id, "--song", "no song"]
    assert main(["explain", model, str(path), *song, *out]) == 1
    message = capsys.readouterr().err
    if finished_run[0].task == "retrieval":
        assert "no usable row whose `song` is 'no song'" in message
    else:
        assert "--song belongs to a retrieval model" in message
    assert not (tmp_path / "out").exists()
