"""Compute CMF-AP and its gradients under another backend, for ``test_backends.py``."""

import sys
from pathlib import Path

import jax
import keras
import numpy as np

from keras_jtav.layers import CrossModalFusion


def main():
    if keras.backend.backend() != "jax":
        raise RuntimeError("Set KERAS_BACKEND=jax.")
    for name in sys.argv[1:]:
        path = Path(name)
        with np.load(path) as given:
            np.savez(path.with_suffix(".jax.npz"), **compute(dict(given)))


def compute(given):
    """Return values and gradients, by name."""
    m, n, scale = given.pop("m"), given.pop("n"), given.pop("upstream")
    layer = CrossModalFusion(units=len(given["w2"]))
    layer.build([m.shape, n.shape])
    layer.set_weights([given[f"w{i}"] for i in range(len(given))])
    variables = [weight.value for weight in layer.weights]

    def loss(variables, m, n):
        out, _ = layer.stateless_call(variables, [], [m, n])
        return (out * scale).sum(), out

    gradients, out = jax.jit(jax.grad(loss, argnums=(0, 1, 2), has_aux=True))(
        variables, m, n
    )
    flat = [*gradients[0], *gradients[1:]]
    return {"out": out, **{f"g{i}": g for i, g in enumerate(flat)}}


if __name__ == "__main__":
    main()
