"""Trains a tiny model in a process of its own, and writes down what came out.

How many devices a process has, and its backend, can be chosen once only, so tests of
these start this script: with JSON of ``task``, ``settings``, ``folder``, ``out`` and,
if wanted, ``logical_cpus``.
"""

import json
import sys
from pathlib import Path

import numpy as np


def split_cpu(number):
    """Make TensorFlow see several CPUs."""
    import tensorflow as tf

    (cpu,) = tf.config.list_physical_devices("CPU")
    each = [tf.config.LogicalDeviceConfiguration()] * number
    tf.config.set_logical_device_configuration(cpu, each)


def main(task, settings, folder, out, logical_cpus=1):
    split_cpu(logical_cpus)
    from keras_jtav.devices import join_processes
    from keras_jtav.experiments import preset_config
    from keras_jtav.model import build_model
    from keras_jtav.preparation import prepare, silent
    from keras_jtav.training import seed_everything
    from keras_jtav.transfer import pretrained_pictures, train_phases

    config = preset_config(task, "small").override(settings)
    processes = join_processes(config.train)
    seed_everything(config.train.seed, config.train.jit)
    prepared = prepare(config, silent)
    models = build_model(config, prepared.spec, prepared.vocabulary.matrix)
    pictures = pretrained_pictures(models, prepared, silent)
    history = train_phases(
        config, models, prepared, pictures, Path(folder), lambda *phase: []
    )
    processes.leave()
    if not processes.is_first:
        return
    weights = {f"{n:04d}": w for n, w in enumerate(models["train"].get_weights())}
    np.savez(out, history=json.dumps(history), **weights)


if __name__ == "__main__":
    main(**json.loads(sys.argv[1]))
