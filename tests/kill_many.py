"""Kills a tiny job at random moments with SIGKILL, resumes it, and compares the ends.

    python tests/kill_many.py --times 20

does so in five stages: ``records`` (``keras-jtav prepare``), ``preparation`` (the data,
words and features of a run), ``training``, ``checkpointing`` (while weights and state
are written) and ``export``. After each kill all files under final names must be whole;
resumed, the job must end as one that nobody disturbed. The jobs are forked from this
process, which has loaded what they need, so that little time is lost on starting.
"""

import argparse
import contextlib
import csv
import json
import os
import random
import shutil
import signal
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import h5py
import numpy as np
from conftest import TINY
from PIL import Image
from train_apart import main as train_only

from keras_jtav.experiments import preset_config
from keras_jtav.recording import prepare_records
from keras_jtav.running import run

SETTINGS = (*TINY, "dataset.songs=24", "train.epochs=6", "train.patience=9")
PATIENCE_SECONDS = 300
TOLERANCE = 1e-4
LOOK_SECONDS = 0.0005
BEYOND = 1.5  # what is written just after a stage is killed too


def config():
    return preset_config("sentiment", "small").override(SETTINGS)


def job_records(folder):
    prepare_records(config(), str(folder / "out"), num_shards=6, workers=1)


def job_training(folder):
    out = str(folder / "out.npz")
    train_only("sentiment", list(SETTINGS), str(folder / "work"), out)


def job_run(folder):
    resume = any(folder.glob("runs/*/config.json"))
    run(config(), folder / "runs", folder / "exports", resume)


def end_of_records(folder):
    return {path.name: path.read_bytes() for path in (folder / "out").iterdir()}


def end_of_training(folder):
    with np.load(folder / "out.npz") as saved:
        arrays = {name: saved[name] for name in saved.files}
    history = json.loads(arrays.pop("history").item())
    return {**{name: array.tolist() for name, array in arrays.items()}, "h": history}


def end_of_run(folder):
    (path,) = folder.glob("runs/*/metrics.json")
    saved = json.loads(path.read_text())
    exports = [path.name for path in folder.glob("exports/*/[0-9]*")]
    whole = {"metrics": saved["metrics"], "history": saved["history"]}
    return {**whole, "exports": exports}


@dataclass(frozen=True)
class Stage:
    """What is killed, and when.

    Args:
        job: What runs, and goes on when it is called again.
        end: What must be the same at the end.
        begun: Whether the stage has begun, told by files.
        over: Whether it is over.
        own_home: Whether each attempt starts without data, words and features.
        rounds: How often the stage comes in one job.
    """

    job: object
    end: object
    begun: object
    over: object
    own_home: bool = False
    rounds: int = 1


def some(pattern):
    """Return a look for files of a pattern."""
    return lambda folder: any(folder.glob(pattern))


WORK = "work/checkpoints/train"
ASIDE = some(f"{WORK}/.*.weights.h5")
STAGES = {
    "records": Stage(
        job_records, end_of_records, begun=some("out/*"), over=some("out/index.json")
    ),
    "preparation": Stage(
        job_run,
        end_of_run,
        begun=some("runs/*/config.json"),
        over=some("runs/*/rejected.csv"),
        own_home=True,
    ),
    "training": Stage(
        job_training, end_of_training, begun=some(WORK), over=some("out.npz")
    ),
    "checkpointing": Stage(
        job_training,
        end_of_training,
        begun=ASIDE,
        over=lambda folder: not ASIDE(folder),
        rounds=6,
    ),
    "export": Stage(
        job_run,
        end_of_run,
        begun=some("exports/*/.export-*"),
        over=some("exports/*/[0-9]*"),
    ),
}


@contextlib.contextmanager
def started(job, folder, home):
    """Fork a process that does a job; it is dead afterwards."""
    folder.mkdir(parents=True, exist_ok=True)
    child = os.fork()
    if child == 0:
        status = 1
        try:
            os.environ["KERAS_JTAV_HOME"] = str(home)
            log = os.open(folder / "log", os.O_WRONLY | os.O_CREAT | os.O_APPEND)
            for stream in (1, 2):
                os.dup2(log, stream)
            job(folder)
            status = 0
        except BaseException as error:
            os.write(2, repr(error).encode())
        finally:
            os._exit(status)
    try:
        yield child
    finally:
        with contextlib.suppress(ProcessLookupError, ChildProcessError):
            os.kill(child, signal.SIGKILL)
            os.waitpid(child, 0)


def is_over(child):
    done, status = os.waitpid(child, os.WNOHANG)
    return bool(done), status


def wait(child, folder, look):
    """Wait until a look says yes; return False where the job is over before."""
    deadline = time.monotonic() + PATIENCE_SECONDS
    while not look(folder):
        if time.monotonic() > deadline:
            raise TimeoutError(f"see {folder / 'log'}")
        if is_over(child)[0]:
            return False
        time.sleep(LOOK_SECONDS)
    return True


def finish(job, folder, home):
    """Do a job to its end."""
    with started(job, folder, home) as child:
        _, status = os.waitpid(child, 0)
    if status:
        raise RuntimeError(f"a job failed: {(folder / 'log').read_text()[-3000:]}")


def length(stage, folder, home):
    """Return how many seconds a stage takes, once."""
    with started(stage.job, folder, home) as child:
        wait(child, folder, stage.begun)
        start = time.monotonic()
        wait(child, folder, stage.over)
        return time.monotonic() - start


def kill(stage, folder, home, draw, seconds):
    """Kill a job in a stage; return after how many seconds of it, None for too late."""
    with started(stage.job, folder, home) as child:
        for _ in range(draw.randrange(stage.rounds)):
            if not wait(child, folder, stage.begun) or not wait(
                child, folder, stage.over
            ):
                return None
        if not wait(child, folder, stage.begun):
            return None
        after = draw.uniform(0, BEYOND * seconds)
        time.sleep(after)
        if is_over(child)[0]:
            return None
    return after


def half_written(folder):
    """Return files under final names that are not whole."""
    bad = []
    for path in folder.rglob("*"):
        parts = path.relative_to(folder).parts
        aside = any(part.startswith(".") for part in parts)
        if aside or path.is_dir() or path.name.endswith(".part"):
            continue
        try:
            check(path)
        except Exception as error:
            bad.append(f"{path}: {error!r}")
    for version in folder.glob("exports/*/[0-9]*"):
        for name in ("saved_model.pb", "variables/variables.index"):
            if not (version / name).is_file():
                bad.append(f"{version} lacks {name}")
    return bad


def check(path):
    """Raise where a file is not whole, by its ending."""
    if path.suffix == ".json":
        json.loads(path.read_text())
    elif path.suffix == ".h5":
        with h5py.File(path) as file:
            if "layers" not in file:
                raise ValueError("no layers")
    elif path.suffix == ".npy":
        np.load(path, allow_pickle=False)
    elif path.suffix == ".npz":
        with np.load(path, allow_pickle=False) as arrays:
            for name in arrays.files:
                arrays[name]
    elif path.suffix == ".png":
        Image.open(path).load()
    elif path.suffix == ".csv":
        with open(path, newline="") as file:
            list(csv.reader(file, strict=True))
    elif path.suffix == ".html" and not path.read_text().rstrip().endswith("</html>"):
        raise ValueError("no end")


def same(one, other):
    """Return whether two trees hold the same, numbers to the tolerance."""
    if isinstance(one, dict):
        return one.keys() == other.keys() and all(same(one[k], other[k]) for k in one)
    if isinstance(one, list):
        return len(one) == len(other) and all(map(same, one, other))
    if isinstance(one, float):
        return bool(
            np.isclose(one, other, rtol=TOLERANCE, atol=TOLERANCE, equal_nan=True)
        )
    return one == other


def attempts(name, times, draw, folder):
    """Yield the moment of each kill, and what was wrong after it (empty: nothing)."""
    stage = STAGES[name]
    shared = folder / "home"
    calm = folder / name / "calm"
    finish(stage.job, calm, shared)
    expected = stage.end(calm)
    homes = (folder / name / "first-home" if stage.own_home else shared), shared
    seconds = length(stage, folder / name / "measured", homes[0])
    number = 0
    while number < times:
        place = folder / name / f"killed-{number}"
        home = place / "home" if stage.own_home else shared
        after = kill(stage, place, home, draw, seconds)
        if after is None:  # it was over: another moment is drawn
            shutil.rmtree(place)
            continue
        bad = half_written(place)
        if name == "records":
            found = end_of_records(place) if (place / "out").exists() else {}
            whole = {n: data for n, data in found.items() if not n.endswith(".part")}
            bad += [n for n, data in whole.items() if expected.get(n) != data]
        finish(stage.job, place, home)
        if not same(stage.end(place), expected):
            bad.append("another end")
        yield after, bad
        shutil.rmtree(place)
        number += 1


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--times", type=int, default=20)
    parser.add_argument("--stages", nargs="+", choices=STAGES, default=list(STAGES))
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    failures = 0
    with tempfile.TemporaryDirectory() as folder:
        for name in options.stages:
            draw = random.Random(f"{options.seed} {name}")
            moments = []
            for after, bad in attempts(name, options.times, draw, Path(folder)):
                moments.append(after)
                failures += bool(bad)
                for problem in bad:
                    sys.stdout.write(f"{name} after {after:.3f} s: {problem}\n")
            sys.stdout.write(
                f"{name}: {len(moments)} kills between {min(moments):.3f} and "
                f"{max(moments):.3f} s of the stage\n"
            )
            sys.stdout.flush()
    sys.stdout.write(f"{failures} kills left something wrong\n")
    return int(failures > 0)


if __name__ == "__main__":
    sys.exit(main())
