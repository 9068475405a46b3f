"""Where the disk is full, an error says so and what was complete stays as it was.

A limit on the size of files stands in for the disk: it fails the same writes, and every
machine has it. Where a small file system can be mounted, a real disk is filled too.
"""

import contextlib
import errno
import json
import os
import resource
import subprocess

import keras
import numpy as np
import pytest
import tensorflow as tf
from matplotlib.figure import Figure

from keras_jtav.cli import main
from keras_jtav.data.cache import FeatureCache
from keras_jtav.data.manifest import write_manifest
from keras_jtav.data.tables import read_table, write_table
from keras_jtav.data.whole_file import told_where_full, written_whole
from keras_jtav.evaluation.figures import save_figure
from keras_jtav.experiments import preset_config
from keras_jtav.features.vocabulary import Vocabulary
from keras_jtav.preparation import load_table
from keras_jtav.recording import prepare_records
from keras_jtav.serving.export import write_version
from keras_jtav.serving.song_index import SongIndex

MESSAGE = "cannot be written: no space is left, or a limit on sizes is reached"


@contextlib.contextmanager
def limited(num_bytes):
    """Let no file of this process grow beyond a size."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (num_bytes, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


@contextlib.contextmanager
def filled(folder, num_bytes):
    """Leave so much room on a folder's disk, and no more."""
    filler = folder / "filler"
    room = os.statvfs(folder)
    with open(filler, "wb") as file:
        os.posix_fallocate(file.fileno(), 0, room.f_bavail * room.f_frsize - num_bytes)
    try:
        yield
    finally:
        filler.unlink()


@pytest.fixture(params=["limit", "disk"])
def disk(request, tmp_path):
    """A folder, and what makes its disk full but for some bytes."""
    if request.param == "limit":
        yield tmp_path, limited
        return
    folder = tmp_path / "disk"
    folder.mkdir()
    words = ["mount", "-t", "tmpfs", "-o", "size=8m", "tmpfs", str(folder)]
    try:
        mounted = subprocess.run(words, capture_output=True, text=True)
    except FileNotFoundError:
        pytest.skip("there is no mount command")
    if mounted.returncode:
        pytest.skip(f"no file system can be mounted: {mounted.stderr.strip()}")
    try:
        yield folder, lambda num_bytes: filled(folder, num_bytes)
    finally:
        subprocess.run(["umount", "--lazy", str(folder)], check=True)


def content(folder):
    """Return all files below a folder, hidden ones too."""
    return {
        path.relative_to(folder): path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file() and path.name != "filler"
    }


@pytest.fixture
def refused(disk):
    """Return a function that writes on a full disk, and looks at what is left."""
    folder, full = disk

    def try_it(write, num_bytes=4_096):
        before = content(folder)
        with pytest.raises(OSError, match=MESSAGE) as error, full(num_bytes):
            write()
        assert content(folder) == before
        return str(error.value)

    return try_it


@pytest.mark.parametrize("suffix", [".csv", ".jsonl", ".parquet"])
def test_tables(disk, refused, suffix):
    path = disk[0] / f"posts{suffix}"
    write_table(path, ["id"], [{"id": "old"}])
    draw = np.random.default_rng(0)
    rows = [{"id": draw.bytes(40).hex()} for _ in range(2_000)]
    assert str(path) in refused(lambda: write_table(path, ["id"], rows))
    assert read_table(path)[1] == [{"id": "old"}]


def test_cached_features(disk, refused):
    cache = FeatureCache(disk[0], "image", {})
    cache.put("ab12", np.ones(3))
    big = np.ones((64, 64, 3))
    refused(lambda: cache.put("ab34", big))
    assert "ab34" not in cache
    assert cache.get("ab12").tolist() == [1, 1, 1]


def test_word_vectors(disk, refused):
    path = disk[0] / "words.npz"
    Vocabulary(["la"], np.zeros((3, 2), "float32")).save(path)
    words = [f"word{number}" for number in range(500)]
    large = Vocabulary(words, np.zeros((502, 64), "float32"))
    refused(lambda: large.save(path))
    assert Vocabulary.load(path).words == ("la",)


def test_pictures(disk, refused):
    path = disk[0] / "ranks.png"
    save_figure(Figure((1, 1)), path)
    noise = np.random.default_rng(0).random((200, 200))
    figure = Figure((4, 4))
    figure.subplots().imshow(noise)
    refused(lambda: save_figure(figure, path))
    assert path.read_bytes().startswith(b"\x89PNG")


def module(num_weights):
    """Return what can be exported, and its endpoint."""
    holder = tf.Module()
    start = np.random.default_rng(0).normal(size=num_weights)
    holder.weights = tf.Variable(start)
    spec = [tf.TensorSpec((), tf.float64)]
    answer = tf.function(lambda x: {"sum": x + tf.reduce_sum(holder.weights)}, spec)
    return holder, {"serving_default": answer}


def test_exports(disk, refused):
    folder = disk[0] / "exports"
    first = write_version(*module(3), "{}", folder)
    before = tf.saved_model.load(str(first)).weights.numpy()
    message = refused(lambda: write_version(*module(500_000), "{}", folder), 200_000)
    assert str(folder) in message
    assert [path.name for path in folder.iterdir()] == ["1"]
    again = tf.saved_model.load(str(first)).weights.numpy()
    np.testing.assert_array_equal(again, before)


def songs(count):
    towers = np.random.default_rng(0).normal(size=(count, 16)).astype("float32")
    return {"song_tower": towers / np.linalg.norm(towers, axis=1, keepdims=True)}


def test_an_index(disk, refused):
    folder = disk[0] / "index"
    index = SongIndex("model")
    index.add(["a", "b"], songs(2))
    index.save(folder)
    index.add([f"s{number}" for number in range(900)], songs(900))
    refused(lambda: index.save(folder))
    assert SongIndex.load(folder).ids() == ["a", "b"]
    index.save(folder)  # there is room again
    assert len(SongIndex.load(folder)) == 902
    other = disk[0] / "other"
    new = SongIndex("model")
    new.add([f"s{number}" for number in range(900)], songs(900))
    refused(lambda: new.save(other))
    assert not other.exists()


@pytest.fixture
def config(tiny_settings):
    small = [*tiny_settings, "dataset.songs=16"]
    return preset_config("sentiment", "small").override(small)


def test_prepared_records(config, disk):
    load_table(config)  # its synthetic posts lie on another disk
    folder, full = disk
    out = folder / "out"

    def prepare(out):
        prepare_records(config, str(out), num_shards=2, workers=1)

    prepare(folder / "calm")
    expected = content(folder / "calm")
    largest = max(len(data) for name, data in expected.items())
    room = largest + 1_000 if full is not limited else largest - 1_000
    with pytest.raises(OSError, match=MESSAGE), full(room):
        prepare(out)
    left = content(out)
    assert 0 < len(left) < len(expected)
    assert left.items() <= expected.items(), "half a file under its final name"
    prepare(out)
    assert content(out) == expected


def test_checkpoints(disk):
    folder, full = disk
    path = folder / "entry-0000.weights.h5"
    small = keras.Sequential([keras.Input((2,)), keras.layers.Dense(1)])
    large = keras.Sequential([keras.Input((200,)), keras.layers.Dense(500)])
    with written_whole(path) as aside:
        small.save_weights(aside)
    before = content(folder)
    with pytest.raises(OSError, match=MESSAGE), full(50_000), written_whole(path) as a:
        large.save_weights(a)
    assert content(folder) == before
    small.load_weights(path)


@pytest.mark.parametrize("finished_run", ["sentiment"], indirect=True)
def test_predict_says_it_and_keeps_the_old_table(finished_run, tmp_path, capsys):
    posts = load_table(finished_run[0]).posts[:20]
    write_manifest(posts, tmp_path / "posts.csv")
    output = tmp_path / "answers.csv"
    output.write_text("old\n")
    words = ["predict", str(finished_run[1].exported), str(tmp_path / "posts.csv")]
    with limited(600):
        assert main([*words, "--outside", "--output", str(output)]) == 1
    error = capsys.readouterr().err
    assert f"keras-jtav: {output} {MESSAGE}" in error
    assert "Make room and repeat the command" in error
    assert output.read_text() == "old\n"
    assert len(list(tmp_path.iterdir())) == 2


def test_other_errors_stay_what_they_are(tmp_path):
    for error in (
        PermissionError(errno.EACCES, "no"),
        RuntimeError("no"),
        ValueError(),
    ):
        with pytest.raises(type(error)), told_where_full(tmp_path):
            raise error


def test_state_is_json_after_all(tmp_path):
    with written_whole(tmp_path / "state.json") as aside:
        aside.write_text(json.dumps({"epoch": 1}))
        assert not (tmp_path / "state.json").exists()
    assert os.listdir(tmp_path) == ["state.json"]
