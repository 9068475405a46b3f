"""Time and memory of training as posts grow: embedded data, small preset.

Each size in a process of its own: features of all posts, word vectors, and epochs of
both tasks. What grows with posts is the difference between two sizes.
"""

import contextlib
import io
import os
import tempfile
import time
from dataclasses import replace
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

from timing import alone

SONGS = (300, 600, 1200)  # with two posts each
EPOCHS = 3


def train(task, songs):
    """Return the seconds of all features and of the last epoch, for ``alone``."""
    import keras

    from keras_jtav.config import Component
    from keras_jtav.experiments import preset_config
    from keras_jtav.model import build_model
    from keras_jtav.preparation import load_table, prepare, silent
    from keras_jtav.training import seed_everything
    from keras_jtav.transfer import train_phases

    times = []

    class Clock(keras.callbacks.Callback):
        def on_epoch_begin(self, epoch, logs=None):
            times.append(time.perf_counter())

        def on_epoch_end(self, epoch, logs=None):  # after the validation split
            times.append(time.perf_counter())

    config = preset_config(task, "small").override([f"train.epochs={EPOCHS}"])
    config = replace(config, dataset=Component("synthetic", {"songs": songs}))
    seed_everything(config.train.seed)
    with tempfile.TemporaryDirectory() as folder:
        os.environ["KERAS_JTAV_HOME"] = folder
        with contextlib.redirect_stdout(io.StringIO()):
            load_table(config)  # writes the files
            start = time.perf_counter()
            prepared = prepare(config, silent)
            preparing = time.perf_counter() - start
            models = build_model(config, prepared.spec, prepared.vocabulary.matrix)
            folder = Path(folder)
            train_phases(config, models, prepared, None, folder, lambda *_: [Clock()])
    return preparing, times[-1] - times[-2]


def main():
    print(f"{os.cpu_count()} CPU cores; seconds, and MiB of the whole process\n")
    print("task       posts   features and words   an epoch    peak")
    for task in ("sentiment", "retrieval"):
        for songs in SONGS:
            (preparing, epoch), peak = alone(train, task, songs)
            print(f"{task} {2 * songs:6d} {preparing:20.1f} {epoch:10.2f} {peak:7.0f}")


if __name__ == "__main__":
    main()
