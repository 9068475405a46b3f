"""Integrated gradients, and the activations and gradients inside a Keras model."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

import keras
import numpy as np
import tensorflow as tf

STEPS = 64
MOST_NUMBERS_AT_ONCE = 2**22  # so that minutes of sound do not fill the memory


def integrated_gradients(
    logits_of: Callable[[tf.Tensor], tf.Tensor], end: np.ndarray, steps: int = STEPS
) -> np.ndarray:
    """Return what each number of ``end`` adds to a logit on the way from zero.

    Args:
        logits_of: From ``(points, ...)`` to logits ``(points,)``.
        end: Where the straight way ends, float ``(...)``.
        steps: Points on it, at the middles of as many parts. The parts are the
            shorter the nearer to zero, as vectors that are brought to unit length turn
            fastest there.

    Returns:
        float64 of ``end``'s shape; the sum is the logit at the end less that at zero,
        but for the error of the sum over points.

    Source:
        Sundararajan, Taly and Yan 2017, Axiomatic Attribution for Deep Networks.

    Example:
        >>> square = lambda x: tf.reduce_sum(x**2, axis=1)
        >>> integrated_gradients(square, np.array([1.0, 3.0], "float32")).round(3)
        array([1., 9.])
    """
    total = np.zeros(end.shape)
    edges = np.linspace(0, 1, steps + 1) ** 3
    lengths, middles = np.diff(edges), (edges[1:] + edges[:-1]) / 2
    at_once = max(1, MOST_NUMBERS_AT_ONCE // max(1, end.size))
    for start in range(0, steps, at_once):
        part = middles[start : start + at_once].astype("float32")
        points = tf.constant(part.reshape(-1, *[1] * end.ndim) * end)
        with tf.GradientTape(watch_accessed_variables=False) as tape:
            tape.watch(points)
            logits = logits_of(points)
        gradient = tape.gradient(logits, points)
        if gradient is not None:
            weights = lengths[start : start + at_once]
            total += np.tensordot(weights, gradient.numpy(), 1)
    return total * end


@contextmanager
def hook(layer: keras.Layer, change: Callable[..., tf.Tensor]) -> Iterator[None]:
    """Let a function see, and change, what a layer returns in eager calls.

    Args:
        layer: Any layer, inside of models or not.
        change: From the layer's first input and its output to what stands for the
            output.
    """
    call = layer.call

    def changed(inputs, *args, **kwargs):
        return change(inputs, call(inputs, *args, **kwargs))

    layer.call = changed
    try:
        yield
    finally:
        layer.call = call


def class_activation_map(
    logit_of: Callable[[], tf.Tensor], layer: keras.Layer
) -> np.ndarray:
    """Return where a convolution's activations speak for a logit (Grad-CAM).

    Args:
        logit_of: Runs the model on one row; the logit of it, ``(1,)``.
        layer: Gives float ``(1, height, width, channels)`` meanwhile.

    Returns:
        float64 ``(height, width)``, no negative values.

    Source:
        Selvaraju et al. 2017, Grad-CAM.
    """
    seen = []
    with tf.GradientTape(watch_accessed_variables=False) as tape:

        def watch(_, output):
            tape.watch(output)
            seen.append(output)
            return output

        with hook(layer, watch):
            logit = logit_of()
    (activation,) = seen
    gradient = tape.gradient(logit, activation)
    if gradient is None:
        return np.zeros(activation.shape[1:3])
    weights = tf.reduce_mean(gradient, axis=(1, 2), keepdims=True)
    return np.maximum(tf.reduce_sum(weights * activation, -1)[0].numpy(), 0).astype(
        "float64"
    )
