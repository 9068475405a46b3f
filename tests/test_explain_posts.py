import dataclasses
import json
import re

import pytest

from keras_jtav.cli import main
from keras_jtav.data.manifest import write_manifest
from keras_jtav.data.post import Post
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


def test_a_file_that_is_not_there_counts_as_missing(finished_run, tmp_path, capsys):
    gone = {"image": tmp_path / "gone.png"}
    query = load_table(finished_run[0]).posts[0]
    posts = [dataclasses.replace(query, **gone), Post("p2", **gone)]
    write_manifest(posts, tmp_path / "posts.csv")
    command = ["explain", str(finished_run[1].exported), str(tmp_path / "posts.csv")]
    command += ["--outside", "--out", str(tmp_path / "out"), "--id"]
    assert main([*command, query.id]) == 0
    saved = tmp_path / "out" / query.id / "explanation.json"
    (fault,) = json.loads(saved.read_text())["faults"]
    assert fault.startswith(f"{tmp_path}/gone.png: cannot be opened")
    capsys.readouterr()
    assert main([*command, "p2"]) == 1
    message = capsys.readouterr().err
    assert "posts.csv: nothing of the post 'p2' can be read. Mend its" in message
    assert "gone.png: cannot be opened" in message
    assert not (tmp_path / "out" / "p2").exists()
