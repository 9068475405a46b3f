import csv
import functools
import json
from pathlib import Path

import pytest

from keras_jtav.cli import main
from keras_jtav.data.manifest import write_manifest
from keras_jtav.preparation import load_table
from keras_jtav.serving.predictor import Predictor
from keras_jtav.serving.song_index import SongIndex

for_retrieval = pytest.mark.parametrize("finished_run", ["retrieval"], indirect=True)


load_once = functools.cache(Predictor)


@pytest.fixture
def songs(finished_run, tmp_path, monkeypatch):
    """Posts of twelve songs, and a table of them; the model is loaded once."""
    monkeypatch.setattr("keras_jtav.serving.predictor.Predictor", load_once)
    by_song = {
        post.song: post
        for post in load_table(finished_run[0]).posts
        if post.audio is not None and post.image is not None
    }
    posts = list(by_song.values())[:12]
    write_manifest(posts, tmp_path / "songs.csv")
    return posts


def run(*arguments):
    return main([str(argument) for argument in arguments])


def fails(capsys, *arguments):
    assert run(*arguments) == 1
    message = capsys.readouterr().err
    assert message.startswith("keras-jtav: ")
    return message


def read_csv(path):
    with open(path, encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def test_help_fits_on_one_screen(capsys, monkeypatch):
    monkeypatch.setenv("COLUMNS", "80")
    with pytest.raises(SystemExit):
        run("index", "--help")
    assert len(capsys.readouterr().out.splitlines()) <= 40


@for_retrieval
def test_an_index_answers_as_the_table_does(finished_run, songs, tmp_path, capsys):
    model, index = finished_run[1].exported, tmp_path / "index"
    assert run("index", model, tmp_path / "songs.csv", "--outside", "--out", index) == 0
    assert "12 songs added, 0 known already, 0 left out; 12 songs in" in (
        capsys.readouterr().out
    )
    query = ("--image", songs[3].image, "--caption", "by the sea", "--top", 5)
    for name, candidates in (
        ("a", ("--songs", tmp_path / "songs.csv", "--outside")),
        ("b", ("--index", index)),
    ):
        output = tmp_path / f"{name}.csv"
        assert run("predict", model, *candidates, *query, "--output", output) == 0
    table, indexed = (read_csv(tmp_path / f"{name}.csv") for name in "ab")
    assert list(indexed[0]) == ["rank", "song", "score", "unreadable"]
    assert len(indexed) == 5
    for row, other in zip(table, indexed, strict=True):
        score, expected = float(row.pop("score")), float(other.pop("score"))
        assert score == pytest.approx(expected, abs=1e-4)
        assert row == other


@for_retrieval
def test_a_file_holds_all_songs_and_the_screen_ten(
    finished_run, songs, tmp_path, capsys
):
    model, table = finished_run[1].exported, tmp_path / "songs.csv"
    query = ("--songs", table, "--outside", "--image", songs[0].image)
    output = ("--output", tmp_path / "out.csv")
    assert run("predict", model, *query, *output) == 0
    assert len(read_csv(tmp_path / "out.csv")) == 12
    assert run("predict", model, *query, *output, "--top", 11) == 0
    assert len(read_csv(tmp_path / "out.csv")) == 11
    capsys.readouterr()
    assert run("predict", model, *query) == 0
    assert len(capsys.readouterr().out.splitlines()) == 1 + 10


@for_retrieval
def test_songs_are_added_removed_and_put_into_the_model(
    finished_run, songs, tmp_path, capsys
):
    model, index = finished_run[1].exported, tmp_path / "index"
    names = [post.song for post in songs]
    write_manifest(songs[:8], tmp_path / "first.csv")
    assert run("index", model, tmp_path / "first.csv", "--outside", "--out", index) == 0
    assert run("index", model, tmp_path / "songs.csv", "--outside", "--out", index) == 0
    assert "4 songs added, 8 known already" in capsys.readouterr().out
    words = ("--remove", *names[:2], "--into-model", "--candidates", 4)
    assert run("index", model, "--out", index, *words) == 0
    removed, exported = capsys.readouterr().out.splitlines()
    assert removed == "2 songs removed; 10 are left"
    assert SongIndex.load(index).ids() == names[2:]
    folder = Path(exported.removeprefix("SavedModel "))
    assert folder.parent == model.parent
    settings = json.loads((folder / "assets.extra" / "settings.json").read_text())
    assert settings["index"] == {"songs": 10, "candidates": 4}


@for_retrieval
def test_it_says_what_it_lacks(finished_run, songs, tmp_path, capsys):
    model, index = finished_run[1].exported, tmp_path / "index"
    message = fails(capsys, "index", model, "--out", index)
    assert "give a table of songs to add, --remove SONG, or --into-model" in message
    message = fails(capsys, "index", model, "--out", index, "--remove", "a")
    assert "holds no index of songs" in message
    table = tmp_path / "songs.csv"
    message = fails(capsys, "index", tmp_path, table, "--out", index)
    assert "holds no SavedModel" in message
    query = ("--image", songs[0].image)
    message = fails(capsys, "predict", model, "--index", index, *query)
    assert "holds no index of songs" in message
    both = ("--index", index, "--songs", table)
    message = fails(capsys, "predict", model, *both, *query)
    assert "or --index DIR in place of --songs" in message
    assert run("index", model, table, "--outside", "--out", index) == 0
    capsys.readouterr()  # its progress
    message = fails(capsys, "predict", model, "--index", index, "--image", "no.jpg")
    assert "no picture no.jpg" in message
