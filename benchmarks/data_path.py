"""What the cache, prepared records and ``tf.data`` save a training.

Embedded data, sentiment, small preset, everything in a folder of its own that starts
empty: the first run, a later one, a run on prepared records with no cache, and how long
a step of training waits for its batch.
"""

import contextlib
import io
import os
import shutil
import statistics
import tempfile
import time
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import keras
import numpy as np
import tensorflow as tf
from timing import cell, in_turns

from keras_jtav.config import Component, Config
from keras_jtav.data.home import home_folder
from keras_jtav.data.pairs import BatchPlan
from keras_jtav.experiments import preset_config
from keras_jtav.model import build_model
from keras_jtav.preparation import prepare, silent
from keras_jtav.recording import prepare_records
from keras_jtav.tasks import LogitLoss
from keras_jtav.training import seed_everything

ROUNDS, CALLS = 9, 20


def seconds_to_prepare(config):
    """Return the seconds from a config to features, and the prepared data."""
    start = time.perf_counter()
    with contextlib.redirect_stdout(io.StringIO()):
        prepared = prepare(config, silent)
    return time.perf_counter() - start, prepared


def forget_features():
    shutil.rmtree(home_folder() / "features", ignore_errors=True)


def on_records(config, folder):
    """Return the config that reads records, and the seconds that writing them took."""
    start = time.perf_counter()
    with contextlib.redirect_stdout(io.StringIO()):
        prepare_records(config, str(folder))
    seconds = time.perf_counter() - start
    settings = {
        **vars(config),
        "dataset": Component("records", {"folder": str(folder)}),
    }
    return Config(**settings), seconds


def in_training(config, prepared):
    """Return a model that is ready to be trained, and the batches of its training."""
    options, posts = config.train, prepared.posts["train"]
    negatives = options.negatives if config.task == "retrieval" else 0
    plan = BatchPlan(posts, options.batch_size, negatives, options.seed)
    models = build_model(config, prepared.spec, prepared.vocabulary.matrix)
    model = models["train"]
    model.compile(keras.optimizers.Adam(), LogitLoss())
    model.make_train_function()
    names = [tensor.name for tensor in model.inputs]
    return model, prepared.features["train"].training(plan, names)


def waiting(config, prepared):
    """Time a batch alone, a step on a batch that is there, and both together."""
    model, batches = in_training(config, prepared)
    batch = next(iter(batches))
    kept = iter(tf.data.Dataset.from_tensors(batch).repeat())
    read, trained = iter(batches), iter(batches)
    forms = {
        "a batch": lambda: next(read),
        "a step": lambda: np.asarray(model.train_function(kept)["loss"]),
        "both": lambda: np.asarray(model.train_function(trained)["loss"]),
    }
    return in_turns(forms, ROUNDS, CALLS)


def main():
    with tempfile.TemporaryDirectory() as folder:
        os.environ["KERAS_JTAV_HOME"] = str(Path(folder) / "home")
        config = preset_config("sentiment", "small")
        seed_everything(config.train.seed)
        print(f"{os.cpu_count()} CPU cores, TensorFlow {tf.__version__}\n")
        seconds_to_prepare(config)  # writes the embedded data, too
        forget_features()
        first, _ = seconds_to_prepare(config)
        later, prepared = seconds_to_prepare(config)
        num_posts = sum(map(len, prepared.posts.values()))
        print(f"{num_posts} posts to features, words' vectors trained before")
        print(f"  first run                   {first:7.2f} s")
        print(f"  later run                   {later:7.2f} s")
        records, writing = on_records(config, Path(folder) / "records")
        forget_features()
        unpacking, _ = seconds_to_prepare(records)
        again, _ = seconds_to_prepare(records)
        print(f"  keras-jtav prepare          {writing:7.2f} s")
        print(f"  first run on its records    {unpacking:7.2f} s")
        print(f"  later run on its records    {again:7.2f} s")
        forget_features()
        seconds = waiting(config, seconds_to_prepare(config)[1])
        print(
            f"\ntraining, batch {config.train.batch_size}, milliseconds: median of "
            f"{ROUNDS} rounds of {CALLS} (least to most)"
        )
        for name, times in seconds.items():
            print(f"  {name.ljust(10)}{cell(times).rjust(28)}")
        step, both = (statistics.median(seconds[name]) for name in ("a step", "both"))
        print(
            f"  share of time spent waiting for a batch: {max(0, 1 - step / both):.3f}"
        )


if __name__ == "__main__":
    main()
