import json
import os
import re
import socket
import subprocess
import sys
import time
from pathlib import Path

import keras
import numpy as np
import pytest

from keras_jtav.devices import Processes, check_devices, find_devices
from keras_jtav.experiments import preset_config
from keras_jtav.options import TrainOptions
from keras_jtav.running import run

SCRIPT = Path(__file__).with_name("train_apart.py")
PATIENCE_SECONDS = 500
# What is drawn differs between programs of XLA and TensorFlow, and between replicas.
NO_DRAWS = (
    "text.dropout=0.0",
    "image.dropout=0.0",
    "image.augment=false",
    "train.modality_dropout=0.0",
    "train.batch_size=8",
)


@pytest.fixture
def train_apart(tiny_settings, tmp_path):
    """Return a function that trains in a new process and returns what came out."""

    def train(name, *settings, **more):
        wanted = {
            "task": "sentiment",
            "settings": [*tiny_settings, *NO_DRAWS, *settings],
            "folder": str(tmp_path / name),
            "out": str(tmp_path / f"{name}.npz"),
            **more,
        }
        command = [sys.executable, str(SCRIPT), json.dumps(wanted)]
        process = subprocess.run(command, capture_output=True, text=True)
        assert process.returncode == 0, process.stderr
        with np.load(wanted["out"]) as saved:
            weights = dict(saved)
        return weights.pop("history").item(), weights

    return train


def check_same(one, other, atol):
    assert one.keys() == other.keys()
    for key in one:
        np.testing.assert_allclose(one[key], other[key], atol=atol)


@pytest.mark.slow
def test_two_devices_and_a_compiled_step_give_the_weights_of_one_device(train_apart):
    # One modality without batch normalisation, whose statistics would be per replica.
    text = ("modalities=text",)
    history, alone = train_apart("alone", *text)
    mirrored_history, mirrored = train_apart(
        "mirrored", *text, "train.strategy=mirrored", logical_cpus=2
    )
    check_same(mirrored, alone, atol=2e-6)
    losses = [epoch["loss"] for epoch in json.loads(history)]
    same_losses = [epoch["loss"] for epoch in json.loads(mirrored_history)]
    np.testing.assert_allclose(same_losses, losses, rtol=1e-5)
    _, compiled = train_apart("compiled", *text, "train.jit=true")
    check_same(compiled, alone, atol=2e-5)


@pytest.mark.slow
def test_the_whole_network_of_retrieval_trains_on_two_devices(train_apart):
    history, weights = train_apart(
        "mirrored",
        "train.strategy=mirrored",
        "train.epochs=1",
        task="retrieval",
        logical_cpus=2,
    )
    assert np.isfinite([epoch["loss"] for epoch in json.loads(history)]).all()
    assert all(np.isfinite(array).all() for array in weights.values())


@pytest.mark.slow
def test_a_batch_that_devices_do_not_divide_is_refused(train_apart):
    with pytest.raises(AssertionError, match="to a multiple of 2, no larger"):
        train_apart(
            "odd",
            "train.strategy=mirrored",
            "train.batch_size=7",
            "modalities=text",
            logical_cpus=2,
        )


@pytest.mark.parametrize(
    ("environment", "message"),
    [
        ({}, "`train.strategy=data_parallel` needs JAX"),
        ({"KERAS_DISTRIBUTION_NUM_PROCESSES": "2"}, "data_parallel` needs JAX"),
    ],
)
def test_data_parallel_is_for_jax(monkeypatch, environment, message):
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    with pytest.raises(ValueError, match=message):
        check_devices(TrainOptions(strategy="data_parallel"))


def test_mirrored_is_for_tensorflow(monkeypatch):
    monkeypatch.setattr(keras.backend, "backend", lambda: "jax")
    with pytest.raises(ValueError, match="use --strategy data_parallel"):
        check_devices(TrainOptions(strategy="mirrored"))


def test_several_processes_are_not_left_to_train_apart(monkeypatch):
    monkeypatch.setenv("KERAS_DISTRIBUTION_NUM_PROCESSES", "2")
    with pytest.raises(ValueError, match="is set, and one device is to train"):
        check_devices(TrainOptions())


def test_one_process_keeps_what_it_has(tmp_path):
    one = Processes()
    assert one.is_first
    assert one.agree({"a": 1.5}) == {"a": 1.5}
    with one.everywhere(tmp_path) as path:
        assert path == tmp_path
    one.leave()


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"jit": True}, "--jit cannot be combined with --strategy mirrored"),
        ({"precision": "mixed_float16"}, "Use mixed_bfloat16 or float32"),
    ],
)
def test_what_does_not_work_on_mirrored_devices_is_refused(options, message):
    options = TrainOptions(strategy="mirrored", **options)
    with pytest.raises(ValueError, match=message):
        check_devices(options)


def workers(number):
    hosts = [f"host{n}:12345" for n in range(number)]
    return json.dumps(
        {"cluster": {"worker": hosts}, "task": {"type": "worker", "index": 0}}
    )


def test_several_workers_of_tensorflow_are_sent_to_jax(monkeypatch, tmp_path):
    monkeypatch.setenv("TF_CONFIG", workers(2))
    config = preset_config("sentiment", "small").override(["dataset=tuxpaint"])
    with pytest.raises(ValueError, match="KERAS_BACKEND=jax") as error:
        run(config, tmp_path / "runs", tmp_path / "exports")
    assert "--strategy data_parallel" in str(error.value)
    assert not (tmp_path / "runs").exists()  # before data is read


@pytest.mark.parametrize("tf_config", ["", "{}", "[]", "no JSON", workers(1)])
def test_one_worker_of_tensorflow_may_train(monkeypatch, tf_config):
    monkeypatch.setenv("TF_CONFIG", tf_config)
    check_devices(TrainOptions())
    assert find_devices(TrainOptions(), batch_size=7).count == 1


def free_port():
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return listener.getsockname()[1]


@pytest.fixture(scope="module")
def jax_folder(tmp_path_factory):
    return tmp_path_factory.mktemp("jax")


@pytest.fixture(scope="module")
def jax_processes(tiny_settings, jax_folder):
    """Return a function that starts processes which train together, by JAX."""
    pytest.importorskip("jax")
    started = []

    def start(name, count):
        address, of_name = f"127.0.0.1:{free_port()}", []
        strategy = ["train.strategy=data_parallel"] if count > 1 else []
        for index in range(count):
            wanted = {
                "task": "sentiment",
                "settings": [
                    *tiny_settings,
                    *NO_DRAWS,
                    "modalities=text",
                    "train.epochs=4",
                    "train.patience=9",
                    *strategy,
                ],
                # Every process has a disk of its own; only the first one uses it.
                "folder": str(jax_folder / f"{name}-{index}"),
                "out": str(jax_folder / f"{name}.npz"),
            }
            environment = {**os.environ, "KERAS_BACKEND": "jax"}
            if count > 1:
                environment |= {
                    "KERAS_DISTRIBUTION_JOB_ADDRESSES": address,
                    "KERAS_DISTRIBUTION_NUM_PROCESSES": str(count),
                    "KERAS_DISTRIBUTION_PROCESS_ID": str(index),
                }
            command = [sys.executable, str(SCRIPT), json.dumps(wanted)]
            with open(jax_folder / f"{name}-{index}.log", "wb") as log:
                of_name.append(
                    subprocess.Popen(command, stdout=log, stderr=log, env=environment)
                )
        started.extend(of_name)
        return of_name

    yield start
    for process in started:
        process.kill()
        process.wait()


def results(folder, name, processes):
    for index, process in enumerate(processes):
        log = folder / f"{name}-{index}.log"
        assert process.wait(PATIENCE_SECONDS) == 0, log.read_text()
    with np.load(folder / f"{name}.npz") as saved:
        weights = dict(saved)
    return json.loads(weights.pop("history").item()), weights


@pytest.fixture(scope="module")
def calm(jax_processes, jax_folder):
    """The history and the weights of two processes that nothing disturbs."""
    return results(jax_folder, "calm", jax_processes("calm", 2))


def await_state(folder, name, first):
    """Wait for the first checkpoint of a run, and return it."""
    state = folder / f"{name}-0/checkpoints/train/state.json"
    deadline = time.monotonic() + PATIENCE_SECONDS
    while not state.exists():
        assert time.monotonic() < deadline
        assert first.poll() is None, (folder / f"{name}-0.log").read_text()
        time.sleep(0.02)
    return state


@pytest.mark.slow
def test_two_jax_processes_equal_one(jax_processes, jax_folder, calm):
    history, alone = results(jax_folder, "alone", jax_processes("alone", 1))
    calm_history, calm_weights = calm
    check_same(calm_weights, alone, atol=1e-6)
    losses = [epoch["loss"] for epoch in history]
    calm_losses = [epoch["loss"] for epoch in calm_history]
    np.testing.assert_allclose(calm_losses, losses, rtol=1e-5)


@pytest.mark.parametrize(
    "victim",
    [
        pytest.param(0, marks=pytest.mark.slow),
        pytest.param(1, marks=pytest.mark.endurance),  # told after JAX's 100 seconds
    ],
)
def test_where_one_process_dies_the_other_stops_and_both_resume(
    jax_processes, jax_folder, calm, victim
):
    calm_history, calm_weights = calm
    name = f"without-{victim}"
    processes = jax_processes(name, 2)
    state = await_state(jax_folder, name, processes[0])
    processes[victim].kill()
    survivor = processes[1 - victim]
    assert survivor.wait(PATIENCE_SECONDS) != 0
    left = json.loads(state.read_text())
    assert not left["finished"], "it was over before it could be killed"
    log = (jax_folder / f"{name}-{1 - victim}.log").read_text()
    assert re.search("lost the others while it trained|another task died", log), log
    history, resumed = results(jax_folder, name, jax_processes(name, 2))
    check_same(resumed, calm_weights, atol=1e-6)
    assert len(history) == len(calm_history)
    assert not (jax_folder / f"{name}-1/checkpoints").exists()


def test_a_process_that_is_lost_is_told(monkeypatch):
    registered = []
    monkeypatch.setattr("atexit.register", registered.append)
    lost = RuntimeError("Connection closed by peer\nand more")
    message = r"Process 1 of 2 lost the others .* \(Connection closed by peer\)\. Start"
    with pytest.raises(ConnectionError, match=message), Processes(1, 2).watched():
        raise lost
    assert len(registered) == 1  # JAX would wait for the dead
    with pytest.raises(RuntimeError, match="closed by peer"), Processes().watched():
        raise lost
    assert len(registered) == 1
