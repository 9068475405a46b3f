import csv
import dataclasses
import functools
import os
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from keras_jtav.cli import main
from keras_jtav.config import Component
from keras_jtav.data.manifest import write_manifest
from keras_jtav.data.post import Post
from keras_jtav.experiments import preset_config
from keras_jtav.preparation import load_table
from keras_jtav.serving.predictor import Predictor

TRAIN_SCRIPT = Path(__file__).parents[1] / "train.py"
LOADED = """
import contextlib, runpy, sys
{action}
print("LOADED", {{"tensorflow", "keras", "numpy"}} & set(sys.modules))
"""
HELP = """
sys.argv = ["train.py", "--help"]
with contextlib.suppress(SystemExit):
    runpy.run_path({script!r}, run_name="__main__")
"""
PARTS = ("image", "audio", "lyrics", "caption")


def python(*arguments):
    environment = {k: v for k, v in os.environ.items() if k != "TF_CPP_MIN_LOG_LEVEL"}
    command = [sys.executable, *arguments]
    return subprocess.run(command, capture_output=True, text=True, env=environment)


@pytest.mark.parametrize(
    "command",
    [
        *([], ["train"], ["prepare"], ["manifest"], ["check"], ["predict"]),
        *(["serve"], ["export"]),
    ],
)
def test_help_fits_on_one_screen(command, capsys, monkeypatch):
    monkeypatch.setenv("COLUMNS", "80")
    with pytest.raises(SystemExit) as exit_:
        main([*command, "--help"])
    assert exit_.value.code == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].startswith("usage: keras-jtav")
    assert len(lines) <= 40


@pytest.mark.parametrize(
    "action", [HELP.format(script=str(TRAIN_SCRIPT)), "import keras_jtav"]
)
def test_help_and_import_load_nothing_heavy(action):
    output = python("-c", LOADED.format(action=action)).stdout
    assert "LOADED set()" in output
    assert ("--preset" in output) == ("argv" in action)


def test_a_command_shows_nothing_but_its_own_words(tmp_path):
    process = python("-m", "keras_jtav", "predict", str(tmp_path))
    assert process.returncode == 1
    assert process.stdout == ""
    (line,) = process.stderr.splitlines()
    assert line.startswith(f"keras-jtav: {tmp_path} holds no SavedModel.")


@pytest.mark.parametrize("arguments", [[], ["fly"], ["train", "--task", "song"]])
def test_wrong_usage_is_2(arguments):
    with pytest.raises(SystemExit) as exit_:
        main(arguments)
    assert exit_.value.code == 2


@pytest.fixture
def fails(capsys):
    """Run a command that must end with status 1; return what it says."""

    def run(*arguments):
        assert main([str(argument) for argument in arguments]) == 1
        error = capsys.readouterr().err
        assert "Traceback" not in error
        assert error.splitlines()[-1].startswith("keras-jtav: ")
        return error

    return run


@pytest.mark.parametrize(
    ("setting", "valid"),
    [
        ("train.epoks=3", "train.epochs, train.steps"),
        ("fusion.unit=3", "Valid keys of 'cmf_ap'"),
        ("dataset.song=3", "Valid keys of 'synthetic': songs"),
        ("image=vgg", "vgg19, resnet101"),
    ],
)
def test_a_wrong_key_lists_the_valid_ones(fails, tmp_path, setting, valid):
    folders = ("--runs-dir", tmp_path / "runs", "--exports-dir", tmp_path / "exports")
    assert valid in fails("train", "--set", setting, *folders)


def test_an_unknown_data_set_is_named(fails, tmp_path):
    message = fails("train", "--dataset", "tuxpant", "--runs-dir", tmp_path)
    assert "no data set 'tuxpant'" in message
    assert "synthetic, tuxpaint" in message
    message = fails("train", "--dataset", tmp_path / "no.csv", "--runs-dir", tmp_path)
    assert f"There is no table {tmp_path / 'no.csv'}" in message


def test_a_folder_belongs_to_data_sets_that_lie_in_one(fails, tmp_path):
    message = fails("train", "--data-dir", tmp_path)
    assert (
        "belongs to --dataset shuttersong or npy or records, not to synthetic"
        in message
    )
    message = fails("train", "--dataset", "shuttersong", "--runs-dir", tmp_path)
    assert "give it with --data-dir DIR" in message


def test_prepare_hands_on_what_follows_two_dashes(monkeypatch, tmp_path):
    given = []
    monkeypatch.setattr(
        "keras_jtav.recording.prepare_records", lambda *a: given.extend(a)
    )
    words = ["prepare", "--dataset", "tuxpaint", "--out", "gs://b/d", "--shards", "3"]
    words += ["--runner", "flink", "--set", "features.bins=48"]
    assert main([*words, "--", "--flink_master=host:8081", "--streaming"]) == 0
    config, *others = given
    assert config.dataset.name == "tuxpaint"
    assert config.features.bins == 48
    options = ["--flink_master=host:8081", "--streaming"]
    assert others == ["gs://b/d", 3, "flink", None, options]


def test_training_refuses_settings_other_than_those_of_the_records(
    fails, tmp_path, capsys
):
    fractions = ("--set", "data.fractions=0.6,0.2,0.2")
    small = ("--set", "dataset.songs=12", "--set", "features.image_size=16")
    out = str(tmp_path / "records")
    records = ("--dataset", "records", "--data-dir", out, "--runs-dir", tmp_path)
    assert f"There is no {out}/index.json" in fails("train", *records)
    command = ("prepare", "--out", out, "--workers", "1", *fractions, *small)
    assert main([*command, "--max-rejected", "0.3"]) == 0
    assert f"index      {out}/index.json" in capsys.readouterr().out
    message = fails("train", *records, *fractions)
    assert f"{out}/index.json has `features.image_size=16`" in message
    assert "the config `features.image_size=64`" in message


def test_a_runner_that_is_not_installed_is_named(fails, tmp_path, monkeypatch):
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    message = fails("prepare", "--runner", "direct", "--out", tmp_path)
    assert "`--runner direct` needs Apache Beam" in message


def test_table1_is_not_for_arrays(fails, tmp_path):
    words = ("--dataset", "npy", "--data-dir", tmp_path, "--experiment", "table1")
    assert "table1 compares encoders" in fails("train", *words)


def test_nothing_to_resume(fails, tmp_path):
    assert "no run of this config" in fails("train", "--resume", "--runs-dir", tmp_path)


@pytest.fixture
def asked(monkeypatch):
    """Return what ``train`` would hand to ``run``."""
    calls = []
    monkeypatch.setattr(
        "keras_jtav.running.run", lambda *args, **kwargs: calls.append((*args, kwargs))
    )

    def ask(*arguments):
        assert main(["train", *arguments]) == 0
        return calls.pop()

    return ask


def test_an_experiment_is_asked_of_the_table(monkeypatch):
    calls = []
    monkeypatch.setattr(
        "keras_jtav.tabulate.run_table", lambda *args: calls.append(args)
    )
    words = ["--experiment", "table1", "--runs", "3", "--resplit"]
    words += ["--runs-dir", "r", "--seed", "5", "--workers", "2"]
    words += ["--rows", "early all", "BiGRU"]
    assert main(["train", *words]) == 0
    ((name, experiment, config, *rest),) = calls
    assert (name, *rest) == ("table1", 3, True, Path("r"), 2, ["early all", "BiGRU"])
    assert list(experiment.rows)[:2] == ["doc2vec", "lyricsHAN"]
    assert config.train.seed == 5


@pytest.mark.parametrize(
    "flags",
    [
        ("--rows", "JTAV"),
        ("--runs", "3"),
        ("--resplit",),
        ("--workers", "2"),
        ("--convnet-weights", "f"),
    ],
)
def test_flags_of_a_table_are_refused_without_one(fails, flags):
    assert "belong to --experiment" in fails("train", *flags)


def test_report_of_a_folder_without_results(fails, tmp_path):
    assert "Give the folder of one, such as" in fails("report", tmp_path)


def test_defaults_of_train(asked):
    small = preset_config("sentiment", "small")
    assert asked() == (small, Path("runs"), Path("exported_models"), {"resume": False})


@pytest.mark.parametrize(
    ("flags", "key", "value"),
    [
        ("--dataset tuxpaint", "dataset", Component("tuxpaint")),
        ("--dataset a/b.CSV", "dataset", Component("manifest", {"path": "a/b.CSV"})),
        ("--dataset b.json", "dataset", Component("manifest", {"path": "b.json"})),
        (
            "--dataset shuttersong --data-dir d --set dataset.test_songs=9",
            "dataset",
            Component("shuttersong", {"folder": "d", "test_songs": 9}),
        ),
        ("--dataset npy --data-dir d", "audio", Component("vector")),
        (
            "--dataset npy --data-dir d --task retrieval",
            "dataset",
            Component("npy", {"folder": "d"}),
        ),
        ("--fasttext cc.bin", "features.fasttext", "cc.bin"),
        ("--negatives 4", "train.negatives", 4),
        ("--max-rejected 0.2", "data.max_rejected", 0.2),
        ("--max-rejected 1", "data.max_rejected", 1.0),
        ("--seed 7", "train.seed", 7),
        ("--set text.units=9", "text.kwargs.units", 9),
        ("--seed 7 --set train.seed=8", "train.seed", 8),
        ("--set train.epochs=1 --set train.epochs=2", "train.epochs", 2),
        ("--preset paper", "image", Component("densenet121")),
        ("--task retrieval", "tower_units", 128),
        ("--task retrieval --preset paper", "tower_units", 0),
    ],
)
def test_each_flag_sets_its_key(asked, flags, key, value):
    config, *_ = asked(*flags.split())
    found = dataclasses.asdict(config)
    for part in key.split("."):
        found = found[part]
    expected = dataclasses.asdict(value) if isinstance(value, Component) else value
    assert found == expected
    assert type(found) is type(expected)


def test_folders_and_resume_are_handed_on(asked):
    answer = asked("--runs-dir", "r", "--exports-dir", "e", "--resume")
    assert answer[1:] == (Path("r"), Path("e"), {"resume": True})


@pytest.mark.parametrize("weights", ["imagenet", "none", "w.h5"])
def test_image_weights_make_the_small_preset_a_squeezenet(asked, weights):
    config, *_ = asked("--image-weights", weights)
    assert config.image == Component("squeezenet", {"weights": weights})
    assert config.features.image_size == 224
    config, *_ = asked("--image-weights", weights, "--preset", "paper")
    assert config.image == Component("densenet121", {"weights": weights})
    assert config.features.image_size == 224


@pytest.fixture
def good_table(tmp_path):
    rows = [f"p{n},{('so sad', 'so glad')[n % 2]} {n},{n % 2}" for n in range(40)]
    path = tmp_path / "posts.csv"
    path.write_text("\n".join(["id,caption,label", *rows]) + "\n")
    return path


def test_check_of_a_good_table_is_0(good_table, capsys):
    assert main(["check", str(good_table), "--task", "sentiment"]) == 0
    output = capsys.readouterr().out
    assert "40 rows, 40 usable posts" in output
    assert "sentiment: can be trained (32 train, 4 validation, 4 test)" in output


def test_check_names_the_rows_and_is_1(good_table, capsys):
    text = good_table.read_text().replace("p7,so glad 7,1", "p6,,1")
    good_table.write_text(text.replace("id,", "image,id,").replace("\np", "\n,p"))
    Path(good_table.parent, "cut.png").write_bytes(b"\x89PNG\r\n\x1a\n")
    for n in range(10, 13):
        text = good_table.read_text()
        good_table.write_text(text.replace(f"\n,p{n},", f"\ncut.png,p{n},"))
    assert main(["check", str(good_table), "--task", "sentiment"]) == 1
    output = capsys.readouterr().out
    assert "row 8 (p6): duplicate id, taken by row 7" in output
    assert "row 11 (p10) and 2 more" in output
    assert "cut.png" in output
    assert "4 of 40 rows (10.0%) cannot be used" in output


def test_check_of_no_table_is_1(tmp_path, capsys):
    assert main(["check", str(tmp_path / "no.csv")]) == 1
    assert "There is no table" in capsys.readouterr().out


@pytest.mark.parametrize("top", ["0", "-3"])
def test_an_answer_has_at_least_one_song(fails, tmp_path, top):
    message = fails("predict", tmp_path, "--top", top)
    assert f"`--top` must be at least 1; received {top}." in message


@pytest.fixture
def posts(finished_run, monkeypatch):
    """Posts of a finished run, whose model ``predict`` loads once for all tests."""
    monkeypatch.setattr("keras_jtav.serving.predictor.Predictor", load_once)
    return load_table(finished_run[0]).posts


load_once = functools.cache(lambda folder: Predictor(folder))


for_sentiment = pytest.mark.parametrize("finished_run", ["sentiment"], indirect=True)
for_retrieval = pytest.mark.parametrize("finished_run", ["retrieval"], indirect=True)


def read_csv(path):
    with open(path, encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


@for_sentiment
def test_predict_prints_one_row_a_post(finished_run, posts, tmp_path, capsys):
    write_manifest(posts[:5], tmp_path / "posts.csv")
    exported = finished_run[1].exported
    table = str(tmp_path / "posts.csv")
    assert main(["predict", str(exported), table, "--outside"]) == 0
    header, *rows = capsys.readouterr().out.splitlines()
    assert header.split() == ["id", "probability", "label", "unreadable"]
    assert [row.split()[0] for row in rows] == [post.id for post in posts[:5]]
    assert {row.split()[2] for row in rows} <= {"negative", "positive"}


@for_sentiment
def test_predict_writes_a_table_in_one_step(finished_run, posts, tmp_path, capsys):
    write_manifest(posts[:18], tmp_path / "posts.csv")  # more than a batch
    output = tmp_path / "answers" / "out.csv"
    exported = finished_run[1].exported
    arguments = [str(exported), str(tmp_path / "posts.csv"), "--vectors", "--outside"]
    assert main(["predict", *arguments, "--output", str(output)]) == 0
    assert capsys.readouterr().out == f"18 rows in {output}\n"
    assert [path.name for path in output.parent.iterdir()] == ["out.csv"]
    rows = read_csv(output)
    vectors = [f"u{n}" for n in range(10)]
    assert list(rows[0]) == ["id", "probability", "label", "unreadable", *vectors]
    predictor = load_once(exported)
    answer, _ = predictor.call_on_posts("serving_default", posts[:18], PARTS)
    unified, _ = predictor.call_on_posts("encode", posts[:18], PARTS)
    found = np.array([[float(row[name]) for name in vectors] for row in rows])
    np.testing.assert_allclose(found, unified["vector"], atol=1e-5)
    found = [float(row["probability"]) for row in rows]
    np.testing.assert_allclose(found, answer["probability"], atol=1e-5)
    second = answer["probability"] >= predictor.settings["threshold"]
    assert [row["label"] == "positive" for row in rows] == second.tolist()


@for_sentiment
def test_predict_names_bad_files_and_leaves_out_what_has_no_others(
    finished_run, posts, tmp_path, caplog
):
    (tmp_path / "cut.png").write_bytes(b"\x89PNG")
    (tmp_path / "noise.wav").write_bytes(b"RIFF")
    bad = {"image": tmp_path / "cut.png", "audio": tmp_path / "noise.wav"}
    gone = {"image": tmp_path / "gone.png"}
    table = [
        posts[0],
        dataclasses.replace(posts[1], **bad),
        dataclasses.replace(posts[2], **gone),
        Post("p3", **gone),
        Post("p4", **bad),
    ]
    write_manifest(table, tmp_path / "posts.jsonl")
    output = tmp_path / "out.csv"
    arguments = [str(finished_run[1].exported), str(tmp_path / "posts.jsonl")]
    arguments += ["--outside", "--vectors", "--output", str(output)]
    assert main(["predict", *arguments]) == 0
    first, second, third = read_csv(output)
    assert (first["id"], first["unreadable"]) == (posts[0].id, "")
    assert (second["id"], second["unreadable"]) == (posts[1].id, "cut.png, noise.wav")
    assert (third["id"], third["unreadable"]) == (posts[2].id, "gone.png")
    told = [record.getMessage() for record in caplog.records]
    assert len(told) == 3
    assert told[0].startswith(f"post p3 {tmp_path}/gone.png: cannot be opened")
    assert [("post p4" in line, line[-8:]) for line in told[1:]] == [
        (True, "left out")
    ] * 2


@for_sentiment
def test_predict_of_sentiment_says_what_it_lacks(finished_run, posts, tmp_path, fails):
    exported = finished_run[1].exported
    assert "needs a table of posts" in fails("predict", exported)
    assert "no table" in fails("predict", exported, tmp_path / "no.csv")
    table = tmp_path / "posts.csv"
    table.write_text("id,image\np1,gone.png\n")
    assert "holds no usable row" in fails("predict", exported, table)
    table.write_text("id,caption\np1,la\n")
    message = fails("predict", exported, table, "--output", tmp_path / "out.xls")
    assert "received '.xls'" in message
    assert "holds no SavedModel" in fails("predict", exported.parent, table)


@pytest.fixture
def songs_table(posts, tmp_path):
    """Two posts each of five songs; the recording stands in the second row only."""
    by_song = {}
    for post in posts:
        if post.audio is not None:
            by_song.setdefault(post.song, []).append(post)
    pairs = [pair for pair in by_song.values() if len(pair) > 1][:5]
    rows = [
        post
        for first, second, *_ in pairs
        for post in (dataclasses.replace(first, audio=None), second)
    ]
    write_manifest(rows, tmp_path / "songs.csv")
    return tmp_path / "songs.csv", [second for _, second, *_ in pairs]


@pytest.fixture
def picture(tmp_path):
    pixels = np.random.default_rng(0).integers(0, 256, (40, 30, 3), np.uint8)
    Image.fromarray(pixels).save(tmp_path / "query.png")
    return tmp_path / "query.png"


@for_retrieval
def test_predict_ranks_songs(finished_run, songs_table, picture, tmp_path, capsys):
    table, songs = songs_table
    query = ["--songs", str(table), "--image", str(picture), "--caption", "by the sea"]
    query.append("--outside")
    command = ["predict", str(finished_run[1].exported), *query]
    output = tmp_path / "out.csv"
    assert main([*command, "--output", str(output)]) == 0
    rows = read_csv(output)
    assert list(rows[0]) == ["rank", "song", "score", "unreadable"]
    assert [row["rank"] for row in rows] == ["1", "2", "3", "4", "5"]
    assert sorted(row["song"] for row in rows) == sorted(post.song for post in songs)
    scores = [float(row["score"]) for row in rows]
    assert scores == sorted(scores, reverse=True)

    pairs = [
        dataclasses.replace(
            post, image=picture, texts={**post.texts, "caption": "by the sea"}
        )
        for post in songs
    ]
    predictor = load_once(finished_run[1].exported)
    answer, _ = predictor.call_on_posts("serving_default", pairs, PARTS)
    expected = {p.song: s for p, s in zip(songs, answer["logit"], strict=True)}
    for row, score in zip(rows, scores, strict=True):
        assert score == pytest.approx(expected[row["song"]], abs=1e-4)

    capsys.readouterr()
    assert main([*command, "--top", "2"]) == 0
    header, *printed = capsys.readouterr().out.splitlines()
    assert header.split() == ["rank", "song", "score", "unreadable"]
    assert [line.split()[0] for line in printed] == ["1", "2"]
    assert rows[0]["song"] in printed[0]


@for_retrieval
def test_an_unreadable_recording_is_named(finished_run, posts, picture, tmp_path):
    (tmp_path / "noise.wav").write_bytes(b"RIFF")
    bad = dataclasses.replace(posts[0], audio=tmp_path / "noise.wav")
    write_manifest([bad, posts[-1]], tmp_path / "songs.csv")
    output = tmp_path / "out.csv"
    query = ["--songs", str(tmp_path / "songs.csv"), "--image", str(picture)]
    query.append("--outside")
    command = ["predict", str(finished_run[1].exported), *query]
    assert main([*command, "--output", str(output)]) == 0
    unreadable = {row["song"]: row["unreadable"] for row in read_csv(output)}
    assert unreadable == {bad.song: "noise.wav", posts[-1].song: ""}


@for_retrieval
@pytest.mark.usefixtures("posts")
def test_songs_of_which_nothing_is_known_are_named_and_not_ranked(
    finished_run, picture, tmp_path, caplog, capsys, fails
):
    (tmp_path / "noise.wav").write_bytes(b"RIFF")
    table = tmp_path / "songs.csv"
    empty = ["id,song,audio,lyrics,caption", "p1,captioned,,,so happy"]
    empty += ["p2,noisy,noise.wav,,", "p3,gone,gone.wav,,"]
    table.write_text("\n".join([*empty, "p4,blue,gone.wav,I walk,", "p5,,,la la,"]))
    output = tmp_path / "out.csv"
    model = str(finished_run[1].exported)
    query = ["predict", model, "--songs", str(table), "--image", str(picture)]
    assert main([*query, "--output", str(output)]) == 0
    unreadable = {row["song"]: row["unreadable"] for row in read_csv(output)}
    assert unreadable == {"blue": "gone.wav", "p5": ""}
    told = [record.getMessage() for record in caplog.records]
    assert told[0] == "song captioned: has neither audio nor lyrics, left out"
    assert told[1].startswith(f"post p2 {tmp_path}/noise.wav: is no recording")
    assert told[2].startswith(f"post p3 {tmp_path}/gone.wav: cannot be opened")
    assert len(told) == 3
    table.write_text("\n".join(empty))
    assert "songs.csv holds no usable row" in fails(*query)


@for_retrieval
def test_predict_of_retrieval_says_what_it_lacks(
    finished_run, songs_table, picture, tmp_path, fails
):
    exported, (table, _) = finished_run[1].exported, songs_table
    assert "needs songs and a picture" in fails("predict", exported, table)
    assert "needs songs and a picture" in fails("predict", exported, "--image", picture)
    command = ("predict", exported, "--songs", table, "--outside", "--image")
    gone = fails(*command, tmp_path / "gone.jpg")
    assert f"no picture {tmp_path / 'gone.jpg'}" in gone
    (tmp_path / "page.jpg").write_text("404")
    message = fails(*command, tmp_path / "page.jpg")
    assert "page.jpg: is no picture that can be read" in message


def test_cache_is_shown_and_cleared(capsys, tmp_path, monkeypatch):
    monkeypatch.setenv("KERAS_JTAV_HOME", str(tmp_path))
    (tmp_path / "features").mkdir()
    (tmp_path / "features" / "file").write_bytes(b"x" * 2_000_000)
    assert main(["cache"]) == 0
    assert "2.0 MB  features" in capsys.readouterr().out
    assert main(["cache", "--clear"]) == 0
    assert "removed 2.0 MB" in capsys.readouterr().out
    assert not (tmp_path / "features").exists()


@for_sentiment
def test_files_outside_of_the_tables_folder_need_a_word(
    finished_run, posts, tmp_path, caplog, fails, capsys
):
    write_manifest([p for p in posts if p.image][:3], tmp_path / "posts.csv")
    table, model = str(tmp_path / "posts.csv"), str(finished_run[1].exported)
    message = "lies outside of the table's folder: .* --outside"
    folders = ("--runs-dir", tmp_path / "runs", "--exports-dir", tmp_path)
    assert "holds no usable row" in fails("predict", model, table)
    assert re.search(message, caplog.text)
    assert "holds no usable row" in fails("explain", model, table, "--id", posts[0].id)
    out = ("--out", tmp_path / "out")
    assert re.search(message, fails("train", "--dataset", table, *folders))
    assert re.search(message, fails("prepare", "--dataset", table, *out))
    assert main(["check", table]) == 1
    assert re.search(message, capsys.readouterr().out)
    assert main(["check", table, "--outside"]) == 1  # three posts are too few
    assert not re.search(message, capsys.readouterr().out)


def test_the_word_reaches_the_config(asked):
    assert asked("--outside")[0].data.outside
    assert not asked()[0].data.outside


def test_both_tasks_have_a_folder_for_their_fusions(monkeypatch):
    names = []
    monkeypatch.setattr(
        "keras_jtav.tabulate.run_table", lambda name, *arguments: names.append(name)
    )
    for task in ("sentiment", "retrieval"):
        main(["train", "--task", task, "--experiment", "fusions"])
    main(["train", "--task", "sentiment", "--experiment", "table1"])
    assert names == ["fusions-sentiment", "fusions-retrieval", "table1"]
