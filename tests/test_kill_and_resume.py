"""A run that is killed with SIGKILL and resumed ends as an undisturbed one."""

import json
import random
import subprocess
import sys
import time
from pathlib import Path

import h5py
import pytest

from keras_jtav.row_workers import THREAD_POOLS

PATIENCE_SECONDS = 300


@pytest.fixture(autouse=True)
def _threads_of_users(monkeypatch):
    """Let a run add up in several threads, as a user's does."""
    for name in THREAD_POOLS:
        monkeypatch.delenv(name, raising=False)


@pytest.fixture
def command(task_at_length, tiny_settings):
    """Return the words that train a tiny model for six epochs in a folder."""
    settings = (*tiny_settings, "train.epochs=6", "train.batch_size=16")
    settings += ("train.patience=8",)

    def words(folder, *more):
        folders = ("--runs-dir", folder / "runs", "--exports-dir", folder / "exports")
        flags = [word for setting in settings for word in ("--set", setting)]
        train = (sys.executable, "-m", "keras_jtav", "train", "--task", task_at_length)
        return [str(word) for word in (*train, *folders, *flags, *more)]

    return words


def finish(command):
    process = subprocess.run(command, capture_output=True, text=True)
    assert process.returncode == 0, process.stderr
    return process.stdout


def kill_after_first_checkpoint(command, folder, delay_seconds, log):
    """Start a run, wait for its first state and then a little, and kill it."""
    with open(log, "wb") as output:
        process = subprocess.Popen(command, stdout=output, stderr=output)
    try:
        deadline = time.monotonic() + PATIENCE_SECONDS
        while not list(folder.glob("runs/*/checkpoints/train/state.json")):
            assert process.poll() is None, log.read_text()
            assert time.monotonic() < deadline, log.read_text()
            time.sleep(0.02)
        time.sleep(delay_seconds)
        assert process.poll() is None, "it was over before it could be killed"
    finally:
        process.kill()
        process.wait()


def the_run(folder) -> Path:
    (run,) = (folder / "runs").iterdir()
    return run


def metrics_of(folder):
    saved = json.loads((the_run(folder) / "metrics.json").read_text())
    return {"metrics": saved["metrics"], "history": saved["history"]}


def check_nothing_is_half_written(folder):
    run = the_run(folder)
    for path in run.rglob("*.json"):
        json.loads(path.read_text())
    state = json.loads((run / "checkpoints/train/state.json").read_text())
    for entry in (len(state["history"]) - 1, state["best_entry"]):
        with h5py.File(run / f"checkpoints/train/entry-{entry:04d}.weights.h5") as file:
            assert "layers" in file
    assert not (run / "metrics.json").exists()
    assert not list(folder.glob("exports/*/[0-9]*"))


def same(one, other):
    """Return whether two trees hold the same keys, texts and, to 1e-4, numbers."""
    if isinstance(one, dict):
        return one.keys() == other.keys() and all(same(one[k], other[k]) for k in one)
    if isinstance(one, list):
        return len(one) == len(other) and all(map(same, one, other))
    if isinstance(one, float):
        return one == pytest.approx(other, abs=1e-4, nan_ok=True)
    return one == other


def test_a_killed_run_ends_as_an_undisturbed_one(command, tmp_path):
    calm, killed = tmp_path / "calm", tmp_path / "killed"
    finish(command(calm))
    expected = metrics_of(calm)
    assert len(expected["history"]) > 3

    delay_seconds = random.Random(3).uniform(0, 2)
    log = tmp_path / "killed.log"
    kill_after_first_checkpoint(command(killed), killed, delay_seconds, log)
    check_nothing_is_half_written(killed)
    state = json.loads((the_run(killed) / "checkpoints/train/state.json").read_text())
    begun = zip(expected["history"], state["history"], strict=False)
    assert all(entry | again == entry for entry, again in begun), "two runs differ"

    finish(command(killed, "--resume"))
    resumed = metrics_of(killed)
    assert same(resumed, expected), f"{resumed}\n{expected}"
    assert [path.name for path in killed.glob("exports/*/*")] == ["1"]

    state = the_run(killed) / "checkpoints/train/state.json"
    written = state.stat().st_mtime_ns
    assert "complete" in finish(command(killed, "--resume"))
    assert same(metrics_of(killed), expected)
    assert [path.name for path in killed.glob("exports/*/*")] == ["1"]
    assert state.stat().st_mtime_ns == written, "a finished run was trained again"
