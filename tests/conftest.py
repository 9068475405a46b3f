import ctypes
import fcntl
import functools
import gc
import os
import pickle
import sys
from collections import defaultdict

os.environ["TF_CPP_MIN_LOG_LEVEL"] = "2"

import pytest

from keras_jtav.process_memory import SELDOM
from keras_jtav.row_workers import THREAD_POOLS

if "PYTEST_XDIST_WORKER" in os.environ:  # the cores have a process each
    os.environ |= dict.fromkeys(THREAD_POOLS, "1")  # read when NumPy is imported

from keras_jtav.data.home import home_folder

gc.set_threshold(*SELDOM)

collect_ignore = ["kill_many.py"]  # a script that imports what lies beside it


@pytest.fixture(scope="session", autouse=True)
def _home(tmp_path_factory):
    """A home of the tests' own; only fetched weights are shared with the user's."""
    weights = home_folder() / "weights"
    home = tmp_path_factory.mktemp("home")
    if weights.is_dir():
        (home / "weights").symlink_to(weights)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("KERAS_JTAV_HOME", str(home))
        yield


# Below it nothing is given back: later tests of a shared model would compile it again.
LARGE = 2 * 2**30  # bytes


@pytest.fixture(scope="module", autouse=True)
def _memory():
    """Give back what a file's tests held, from where the process is large."""
    yield
    if "keras" in sys.modules and _resident_bytes() > LARGE:
        from keras_jtav.training import release_models

        release_models()
    if sys.platform.startswith("linux"):
        getattr(ctypes.CDLL(None), "malloc_trim", lambda pad: None)(0)


def _resident_bytes():
    """Return the memory that this process holds, or infinity where it is not told."""
    try:
        with open("/proc/self/statm") as file:
            return int(file.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")
    except OSError:
        return float("inf")


TINY = (
    "dataset.songs=40",
    "dataset.missing=0.1",
    "data.max_rejected=0.3",
    "features.words=20",
    "features.embedding_dim=16",
    "features.clip_seconds=2.0",
    "features.image_size=32",
    "text.units=6",
    "text.attention_units=6",
    "audio.filters=[4,4]",
    "audio.units=6",
    "audio.dim=8",
    "image.dim=12",
    "fusion.attention_units=6",
    "fusion.units=10",
    "train.epochs=2",
    "data.fractions=0.6,0.2,0.2",
    # No closed-form start, which two epochs may not beat: the fusion that stands beside
    # it would say nothing, and tests of its scores would prove nothing.
    "train.canonical_start=false",
)


@pytest.fixture(scope="session")
def tiny_settings():
    """Overrides of the small preset that train within seconds."""
    return TINY


RECORDED = (*TINY, "dataset.songs=30")
# The main job in the ordinary suite, the other task beside it in the slow one.
EACH_TASK = [pytest.param("sentiment", marks=pytest.mark.slow), "retrieval"]


@pytest.fixture(
    params=[
        pytest.param("sentiment", marks=pytest.mark.endurance),
        pytest.param("retrieval", marks=pytest.mark.slow),
    ]
)
def task_at_length(request):
    """Each task, for tests of several trainings: the main job in the slow suite."""
    return request.param


@pytest.fixture(scope="session")
def made_once(tmp_path_factory):
    """Return a function that makes a thing once for all processes of the suite.

    The first process that asks for it makes it, in a folder; the others wait.
    """
    folder = tmp_path_factory.getbasetemp()
    folder = folder.parent if "PYTEST_XDIST_WORKER" in os.environ else folder

    def get(name, make):
        saved = folder / f"{name}.pickle"
        with open(folder / f"{name}.lock", "w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            if not saved.exists():
                (folder / name).mkdir()
                saved.write_bytes(pickle.dumps(make(folder / name)))
        return pickle.loads(saved.read_bytes())

    return get


@pytest.fixture(scope="session", params=EACH_TASK)
def recorded(request, made_once):
    """A config of each task, and one of the same posts read from shards."""
    return recorded_pair(request.param, made_once)


@pytest.fixture
def recorded_at_length(task_at_length, made_once):
    """The same as ``recorded``, for a test that trains."""
    return recorded_pair(task_at_length, made_once)


def recorded_pair(task, made_once):
    """Return a config, and one of the same posts, which are written to shards once."""
    from keras_jtav.experiments import preset_config
    from keras_jtav.recording import prepare_records

    config = preset_config(task, "small").override(RECORDED)

    def make(folder):
        prepare_records(config, str(folder), num_shards=3, workers=1)
        return folder

    return config, from_records(config, made_once(f"{task}-records", make))


def from_records(config, folder):
    """Return the config with its data set read from a folder of records."""
    dataset = ["dataset=records", f"dataset.folder={folder}"]
    return config.override(dataset)


@pytest.fixture(scope="session", params=EACH_TASK)
def finished_run(request, made_once):
    """A whole run of each task: its config, and what it left behind."""
    return finished_run_of(request.param, made_once)


@pytest.fixture
def finished_run_at_length(task_at_length, made_once):
    """The same as ``finished_run``, for a test that trains or exports."""
    return finished_run_of(task_at_length, made_once)


def finished_run_of(task, made_once):
    """Return a config, and what its run left behind, which all processes share."""
    from keras_jtav.experiments import preset_config
    from keras_jtav.running import run

    config = preset_config(task, "small").override(TINY)

    def make(folder):
        return run(config, folder / "runs", folder / "models")

    return config, made_once(task, make)


@functools.cache
def _loaded(folder):
    from keras_jtav.serving.predictor import Predictor

    return Predictor(folder)


@pytest.fixture(scope="session")
def predictor(finished_run):
    """The exported model of a finished run; a process loads and traces it once."""
    return _loaded(finished_run[1].exported)


def pytest_collection_modifyitems(items):
    """Order the files so that neither of two processes waits for the other.

    First comes a file that needs the finished runs of most tasks, which one process
    makes; then the files of slow tests that need none, which occupy the other
    meanwhile; then those that share the runs; and the short ones at the end.
    """
    slow = {item.path for item in items if item.get_closest_marker("slow")}
    runs = defaultdict(set)
    for item in items:
        if "finished_run" in item.fixturenames:
            runs[item.path].add(item.callspec.params["finished_run"])
    first = max(runs, key=lambda path: len(runs[path]), default=None)

    def turn(item):
        if item.path == first:
            return 0
        if item.path in runs:
            return 2
        return 1 if item.path in slow else 3

    items.sort(key=turn)
