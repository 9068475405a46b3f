import csv
import dataclasses
import json
import os
import shutil
import subprocess
import sys
import time

import pytest

from keras_jtav import recording
from keras_jtav.data.any_path import names_in
from keras_jtav.data.manifest import write_manifest
from keras_jtav.data.record_folder import RecordFolder
from keras_jtav.experiments import preset_config
from keras_jtav.preparation import load_table, prepare, silent
from keras_jtav.recording import prepare_records
from keras_jtav.running import run
from keras_jtav.sharding import make_shard

PATIENCE_SECONDS = 300


def contents(folder):
    return {path.name: path.read_bytes() for path in folder.iterdir()}


@pytest.fixture(scope="module")
def settings(tiny_settings):
    return [*tiny_settings, "dataset.songs=16"]


@pytest.fixture(scope="module")
def config(settings):
    return preset_config("sentiment", "small").override(settings)


@pytest.fixture(scope="module")
def undisturbed(config, tmp_path_factory):
    folder = tmp_path_factory.mktemp("undisturbed")
    prepare_records(config, str(folder), num_shards=4, workers=1)
    return contents(folder)


def test_a_folder_holds_shards_tables_and_an_index(undisturbed):
    shards = [name for name in undisturbed if name.endswith(".tfrecord.gz")]
    tables = {name.replace(".tfrecord.gz", ".json") for name in shards}
    assert len(shards) > 6
    assert set(undisturbed) == {*shards, *tables, "index.json", "rejected.csv"}
    index = json.loads(undisturbed["index.json"])
    assert [f"{shard['name']}.tfrecord.gz" for shard in index["shards"]] != sorted(
        shards
    )  # train, validation, test
    assert {f"{shard['name']}.tfrecord.gz" for shard in index["shards"]} == set(shards)


def test_processes_make_the_same_bytes(config, undisturbed, tmp_path, capsys):
    prepare_records(config, str(tmp_path), num_shards=4, workers=2)
    assert contents(tmp_path) == undisturbed
    assert "0 made before" in capsys.readouterr().out


def test_an_interrupted_preparation_goes_on(
    config, undisturbed, tmp_path, monkeypatch, capsys
):
    made = []

    def interrupted(shard):
        if len(made) == 3:
            (tmp_path / f"{shard.name}.tfrecord.gz.0a1b.part").write_bytes(b"half")
            raise KeyboardInterrupt
        made.append(make_shard(shard))

    with monkeypatch.context() as patch:
        patch.setattr(recording, "make_shard", interrupted)
        with pytest.raises(KeyboardInterrupt):
            prepare_records(config, str(tmp_path), num_shards=4, workers=1)
    assert "index.json" not in contents(tmp_path)
    times = {
        path: path.stat().st_mtime_ns
        for path in tmp_path.iterdir()
        if not path.name.endswith(".part")
    }
    assert len(times) == 6
    prepare_records(config, str(tmp_path), num_shards=4, workers=1)
    assert "3 made before" in capsys.readouterr().out
    assert contents(tmp_path) == undisturbed
    assert times == {path: path.stat().st_mtime_ns for path in times}


def test_a_complete_preparation_is_not_made_again(config, tmp_path, monkeypatch):
    prepare_records(config, str(tmp_path), num_shards=1, workers=1)
    before = contents(tmp_path)
    monkeypatch.setattr(recording, "make_shard", None)
    prepare_records(config, str(tmp_path), num_shards=1, workers=1)
    assert contents(tmp_path) == before


@pytest.mark.slow
def test_a_killed_preparation_ends_as_an_undisturbed_one(
    settings, undisturbed, tmp_path
):
    flags = [word for setting in settings for word in ("--set", setting)]
    folder = tmp_path / "out"
    shape = ("--shards", "4", "--workers", "2", "--out", str(folder))
    command = [sys.executable, "-m", "keras_jtav", "prepare", *shape, *flags]
    with open(tmp_path / "log", "wb") as log:
        process = subprocess.Popen(command, stdout=log, stderr=log)
    try:
        deadline = time.monotonic() + PATIENCE_SECONDS
        while not list(folder.glob("*.json")):
            assert process.poll() is None, (tmp_path / "log").read_text()
            assert time.monotonic() < deadline, (tmp_path / "log").read_text()
            time.sleep(0.005)
        assert process.poll() is None, "it was over before it could be killed"
    finally:
        process.kill()
        process.wait()
    time.sleep(1)  # its own processes end with it
    assert not (folder / "index.json").exists()
    tables = {path for path in folder.glob("*.json")}
    for table in tables:
        shard = table.name.replace(".json", ".tfrecord.gz")
        assert (folder / shard).read_bytes() == undisturbed[shard]
    times = {table: table.stat().st_mtime_ns for table in tables}
    process = subprocess.run(command, capture_output=True, text=True)
    assert process.returncode == 0, process.stderr
    assert f"{len(tables)} made before" in process.stdout
    assert contents(folder) == undisturbed
    assert times == {table: table.stat().st_mtime_ns for table in tables}


@pytest.fixture
def spoiled(config, tmp_path):
    """A table of 32 posts, three of whose files are bad."""
    table = load_table(config)
    posts = []
    for number, post in enumerate(table.posts):
        image = tmp_path / f"{number}.png"
        if post.image is not None:
            shutil.copy(post.image, image)
            post = dataclasses.replace(post, image=image)
        posts.append(post)
    path = tmp_path / "posts.csv"
    write_manifest(posts, path)
    with_images = [post for post in posts if post.image is not None]
    first, second, third = with_images[3:6]
    first.image.write_bytes(first.image.read_bytes()[:50])
    second.image.write_bytes(b"<html>404</html>")
    third.image.write_bytes(b"")
    rows = ["dataset=manifest", f"dataset.path={path}", "data.outside=true"]
    return config.override(rows), {f"post {p.id}" for p in (first, second, third)}


def test_bad_posts_are_listed_and_not_fatal(spoiled, tmp_path, capsys):
    config, bad = spoiled
    folder = tmp_path / "out"
    prepare_records(config, str(folder), workers=1)
    assert "rejected   3 rows, all of them in rejected.csv" in capsys.readouterr().out
    with open(folder / "rejected.csv", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    assert {row["row"] for row in rows} == bad
    assert all(row["reason"] and row["file"].endswith(".png") for row in rows)
    direct = prepare(config, silent)
    records = ["dataset=records", f"dataset.folder={folder}"]
    again = prepare(config.override(records), silent)
    assert again.rejections == direct.rejections
    for split, posts in direct.posts.items():
        assert [p.id for p in again.posts[split]] == [p.id for p in posts]
    assert sum(map(len, again.posts.values())) == 29


def test_too_many_bad_posts_leave_a_list_and_no_index(spoiled, tmp_path):
    config, bad = spoiled
    folder = tmp_path / "out"
    message = r"3 of 32 rows .* --max-rejected 0\.05 allows"
    with pytest.raises(ValueError, match=message):
        prepare_records(
            config.override(["data.max_rejected=0.05"]), str(folder), workers=1
        )
    assert all(row in (folder / "rejected.csv").read_text() for row in bad)
    assert not (folder / "index.json").exists()
    before = contents(folder)
    prepare_records(config, str(folder), workers=1)  # accepts more: no shard anew
    assert {n: before[n] for n in before} == {
        n: c for n, c in contents(folder).items() if n != "index.json"
    }


def test_too_many_bad_rows_stop_before_anything_is_written(spoiled, tmp_path):
    config, bad = spoiled
    for row in bad:
        post = next(p for p in load_table(config).posts if f"post {p.id}" == row)
        post.image.unlink()
    with pytest.raises(ValueError, match=r"3 of 32 rows .*`keras-jtav check` lists"):
        prepare_records(
            config.override(["data.max_rejected=0.05"]), str(tmp_path / "out")
        )
    assert not (tmp_path / "out").exists()


def test_a_file_that_was_mended_makes_its_shard_again(spoiled, tmp_path, capsys):
    config, _ = spoiled
    folder = tmp_path / "out"
    prepare_records(config, str(folder), num_shards=3, workers=1)
    with open(folder / "rejected.csv", encoding="utf-8") as file:
        path = next(csv.DictReader(file))["file"]
    good = next(post.image for post in load_table(config).posts if post.image)
    shutil.copy(good, path)
    capsys.readouterr()
    prepare_records(config, str(folder), num_shards=3, workers=1)
    num_shards = len(RecordFolder.open(str(folder)).num_posts)
    assert f"{num_shards}, {num_shards - 1} made before" in capsys.readouterr().out
    assert len(RecordFolder.open(str(folder)).index["rejections"]) == 2


def test_any_file_system_of_tensorflow_will_do(config, tmp_path, undisturbed):
    folder = f"ram://{tmp_path.name}/posts"
    path = prepare_records(config, folder, num_shards=4, workers=1)
    assert path == f"{folder}/index.json"
    assert names_in(folder) == sorted(undisturbed)
    records = ["dataset=records", f"dataset.folder={folder}"]
    settings = [*records, "train.shuffle_buffer=4"]
    prepared = prepare(config.override(settings), silent)
    assert sum(map(len, prepared.posts.values())) == 32


def test_the_folder_of_another_preparation_is_left_alone(config, tmp_path):
    prepare_records(config, str(tmp_path), num_shards=2, workers=1)
    before = contents(tmp_path)
    with pytest.raises(ValueError, match=r"holds train-.* of another preparation"):
        prepare_records(config, str(tmp_path), num_shards=3, workers=1)
    assert contents(tmp_path) == before


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"workers": 0}, "`--workers` must be at least 1; received 0"),
        ({"runner_options": ["--region=x"]}, "'--region=x' is an option of Beam"),
    ],
)
def test_wrong_arguments_are_refused(config, tmp_path, arguments, message):
    with pytest.raises(ValueError, match=message):
        prepare_records(config, str(tmp_path / "out"), **arguments)
    assert not (tmp_path / "out").exists()


def test_a_runner_of_beam_needs_beam(config, tmp_path, monkeypatch):
    monkeypatch.setattr(recording.importlib.util, "find_spec", lambda name: None)
    with pytest.raises(ImportError, match=r"keras-jtav\[beam\]"):
        prepare_records(config, str(tmp_path), runner="direct")


def test_records_are_not_prepared_again(recorded, tmp_path):
    with pytest.raises(ValueError, match="'records' has features, not media"):
        prepare_records(recorded[1], str(tmp_path))


@pytest.mark.slow
def test_a_training_on_records_equals_the_direct_one(finished_run, tmp_path):
    config, result = finished_run
    prepare_records(config, str(tmp_path / "records"), num_shards=3, workers=1)
    records = ["dataset=records", f"dataset.folder={tmp_path / 'records'}"]
    again = run(config.override(records), tmp_path / "runs", tmp_path / "exported")
    assert again.metrics == result.metrics
    histories = [
        json.loads((folder / "metrics.json").read_text())["history"]
        for folder in (again.folder, result.folder)
    ]
    assert histories[0] == histories[1]
    assert os.listdir(again.folder) == os.listdir(result.folder)


def test_a_training_streams_records(recorded_at_length, tmp_path):
    config = recorded_at_length[1].override(["train.shuffle_buffer=16"])
    result = run(config, tmp_path / "runs", tmp_path / "exported")
    saved = json.loads((result.folder / "metrics.json").read_text())
    assert len(saved["history"]) == config.train.epochs
    assert saved["history"][-1]["loss"] < saved["history"][0]["loss"]
