"""What the other processes do where several train one network together."""

from __future__ import annotations

import tempfile
from pathlib import Path

from keras_jtav import console
from keras_jtav.config import Config
from keras_jtav.devices import Processes
from keras_jtav.model import build_model
from keras_jtav.preparation import prepare, silent
from keras_jtav.process_memory import keep_freed_memory
from keras_jtav.training import seed_everything
from keras_jtav.transfer import pretrained_pictures, train_phases


def train_along(config: Config, processes: Processes) -> None:
    """Train in a process that is not the first, which has all the results.

    Args:
        config: What ``run`` was given; the same in all processes.
        processes: This process among them.
    """
    if processes.agree({})["is_complete"]:
        return processes.leave()
    keep_freed_memory()
    seed_everything(config.train.seed, config.train.jit)
    prepared = prepare(config, silent)
    models = build_model(config, prepared.spec, prepared.vocabulary.matrix)
    pictures = pretrained_pictures(models, prepared, silent)
    with tempfile.TemporaryDirectory() as folder:
        train_phases(
            config, models, prepared, pictures, Path(folder), lambda *phase: []
        )
    processes.leave()
    console.say(f"process {processes.index} is done; process 0 has the results")
