"""A training step with TensorFlow's oneDNN operations beside one without.

Embedded data, small preset, deterministic as ``train`` is. The operations are chosen
when TensorFlow is imported, so that each way has a process of its own; they take turns.
On CPUs with AVX-512's neural network instructions TensorFlow has oneDNN on by itself,
on others of x86-64 importing ``keras_jtav`` turns it on.
"""

import contextlib
import io
import multiprocessing
import os
import tempfile

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

from timing import cell, in_turns, ratio

SWITCH = "TF_ENABLE_ONEDNN_OPTS"
WAYS = {"with oneDNN": "1", "without": "0"}
ROUNDS, CALLS = 7, 5


def train_when_asked(connection, task):
    """Make a training step at every message, and answer when it is done."""
    import numpy as np
    from data_path import in_training

    from keras_jtav.experiments import preset_config
    from keras_jtav.preparation import prepare, silent
    from keras_jtav.process_memory import keep_freed_memory
    from keras_jtav.training import seed_everything

    keep_freed_memory()
    config = preset_config(task, "small")
    seed_everything(config.train.seed)
    with contextlib.redirect_stdout(io.StringIO()):
        model, batches = in_training(config, prepare(config, silent))
    stream = iter(batches)
    while connection.recv():
        connection.send(float(np.asarray(model.train_function(stream)["loss"])))


def start(task, switch):
    """Return a function that makes a step in a process of its own."""
    os.environ[SWITCH] = switch
    here, there = multiprocessing.Pipe()
    context = multiprocessing.get_context("spawn")
    process = context.Process(target=train_when_asked, args=(there, task), daemon=True)
    process.start()

    def step():
        here.send(True)
        return here.recv()

    step()  # writes the embedded data, which the next process reads
    return step


def main():
    print(f"{os.cpu_count()} CPU cores; milliseconds a step: median of {ROUNDS} rounds")
    print(f"of {CALLS} (least to most)")
    with tempfile.TemporaryDirectory() as home:
        os.environ["KERAS_JTAV_HOME"] = home
        for task in ("sentiment", "retrieval"):
            forms = {way: start(task, switch) for way, switch in WAYS.items()}
            seconds = in_turns(forms, ROUNDS, CALLS)
            print(f"\n{task}")
            for way, times in seconds.items():
                print(f"  {way.ljust(14)}{cell(times).rjust(32)}")
            print(f"  ratio {ratio(seconds['without'], seconds['with oneDNN']):.2f}")


if __name__ == "__main__":
    main()
