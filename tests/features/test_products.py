import os
import platform
import subprocess
import sys

import numpy as np
import pytest
import tensorflow as tf

from keras_jtav.features.products import multiply

# What all recordings go through, in the order in which a fresh process meets it.
DIGESTS = """
import hashlib, numpy as np, tensorflow as tf
from keras_jtav.features.cqt import ConstantQ
from keras_jtav.features.mel import MelSpectrogram
from keras_jtav.serving.resample import resample
wave = np.random.default_rng(0).normal(size=44_100).astype("float32")
calls = [lambda wave, hz=hz: resample(wave[0], hz) for hz in (44_100, 23_456)]
for call in (*calls, ConstantQ(), MelSpectrogram()):
    for form in (call, tf.function(call, autograph=False)):
        print(hashlib.sha256(form(wave[None]).numpy().tobytes()).hexdigest())
"""
PRINT_SWITCH = "import os, keras_jtav; print(os.environ.get('TF_ENABLE_ONEDNN_OPTS'))"


def test_products_of_stacks_are_those_of_their_matrices():
    random = np.random.default_rng(0)
    rows = random.normal(size=(2, 5, 7)).astype("float32")
    matrix = random.normal(size=(7, 3)).astype("float32")
    np.testing.assert_allclose(multiply(rows, matrix), rows @ matrix, atol=1e-5)
    assert multiply(rows.astype("float64"), matrix).dtype == tf.float64


def test_recordings_give_the_same_bits_with_onednn_and_without():
    outputs = set()
    for switch in ("0", "1"):
        done = subprocess.run(
            [sys.executable, "-c", DIGESTS],
            env=os.environ | {"TF_ENABLE_ONEDNN_OPTS": switch},
            capture_output=True,
            text=True,
            check=True,
        )
        outputs.add(done.stdout)
    assert len(outputs) == 1
    digests = outputs.pop().split()
    assert digests[0::2] == digests[1::2]  # directly and in a graph
    assert len(set(digests)) == 4


@pytest.mark.parametrize("asked", [None, "0"])
def test_onednn_is_on_unless_the_user_says_otherwise(asked):
    environment = dict(os.environ)
    environment.pop("TF_ENABLE_ONEDNN_OPTS", None)
    if asked is not None:
        environment["TF_ENABLE_ONEDNN_OPTS"] = asked
    done = subprocess.run(
        [sys.executable, "-c", PRINT_SWITCH],
        env=environment,
        capture_output=True,
        text=True,
        check=True,
    )
    usual = "1" if platform.machine() in ("x86_64", "AMD64") else None
    assert done.stdout.split() == [str(asked or usual)]
