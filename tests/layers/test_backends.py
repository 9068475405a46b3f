"""CMF-AP gives the same values and gradients on another backend of Keras."""

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf

from keras_jtav.layers import CrossModalFusion
from keras_jtav.layers.position_logits import nodes_needed

SCRIPT = Path(__file__).with_name("fusion_apart.py")


# What multiplies the first weights, and the nodes that are then exact.
STEEPNESS = {3.0: 17, 60.0: 65, 600.0: None}


def make_case(rng, steepness):
    """Return a layer, two vectors for it, and what flows back."""
    m, n = (rng.normal(size=(3, d)).astype("float32") for d in (250, 220))
    m, n = (v / np.linalg.norm(v, axis=1, keepdims=True) for v in (m, n))
    layer = CrossModalFusion(units=12)
    layer.build([m.shape, n.shape])
    layer.set_weights([rng.normal(0, 0.1, w.shape) for w in layer.weights])
    for pooling in (layer.row_pooling, layer.column_pooling):
        pooling.kernel.assign(steepness * pooling.kernel)
    return layer, m, n, rng.normal(size=(3, 470)).astype("float32")


def test_jax_gives_the_values_and_gradients_of_tensorflow(tmp_path, rng):
    pytest.importorskip("jax")
    cases = {number: make_case(rng, number) for number in STEEPNESS}
    files = {number: tmp_path / f"{number}.npz" for number in cases}
    for number, (layer, m, n, upstream) in cases.items():
        weights = {f"w{i}": np.asarray(w) for i, w in enumerate(layer.weights)}
        np.savez(files[number], m=m, n=n, upstream=upstream, **weights)
    subprocess.run(
        [sys.executable, str(SCRIPT), *map(str, files.values())],
        env={**os.environ, "KERAS_BACKEND": "jax"},
        check=True,
        capture_output=True,
    )
    for number, (layer, m, n, upstream) in cases.items():
        pooling = layer.row_pooling
        nodes = nodes_needed(n, np.matmul(m, pooling.kernel), pooling.context)
        assert nodes == STEEPNESS[number]
        m, n = tf.constant(m), tf.constant(n)
        with tf.GradientTape() as tape:
            tape.watch([m, n])
            out = layer([m, n])
            loss = tf.reduce_sum(out * upstream)
        sources = [*(weight.value for weight in layer.weights), m, n]
        gradients = tape.gradient(loss, sources)
        with np.load(files[number].with_suffix(".jax.npz")) as theirs:
            np.testing.assert_allclose(theirs["out"], out, atol=1e-6)
            for i, gradient in enumerate(gradients):
                scale = max(1.0, float(np.abs(gradient).max()))
                assert np.abs(theirs[f"g{i}"] - gradient).max() < 2e-6 * scale
