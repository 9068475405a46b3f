"""CMF-AP of one pair: the rank-one layer beside Eq. 3 as it is printed.

Both are compiled by ``tf.function`` and run in turns, so that a slow moment of the
machine hits both. ``python benchmarks/fusion.py`` takes less than two minutes.
"""

import os
import statistics
import time

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import keras
import numpy as np
import tensorflow as tf
from materialised import materialised

from keras_jtav.layers import CrossModalFusion

BATCH = 64
DIM = UNITS = 300
ROUNDS = 9
CALLS_PER_ROUND = 5


def with_gradients(function, variables):
    """Return a function that gives the values and all gradients."""

    def run(m, n):
        with tf.GradientTape() as tape:
            tape.watch([m, n])
            values = function(m, n)
            loss = tf.reduce_mean(tf.square(values))
        return [values, *tape.gradient(loss, [m, n, *variables])]

    return run


def milliseconds_per_call(function, *inputs):
    start = time.perf_counter()
    for _ in range(CALLS_PER_ROUND):
        result = function(*inputs)
    _ = [tensor.numpy() for tensor in tf.nest.flatten(result)]  # waits for the end
    return (time.perf_counter() - start) * 1000 / CALLS_PER_ROUND


def compare(title, forms, inputs):
    """Print one line of the table; return the first results of both forms."""
    results = [form(*inputs) for form in forms.values()]  # compiles
    times = {name: [] for name in forms}
    for _ in range(ROUNDS):
        for name, form in forms.items():
            times[name].append(milliseconds_per_call(form, *inputs))
    cells = [
        f"{statistics.median(t):7.1f} ({min(t):.1f} to {max(t):.1f})".rjust(26)
        for t in times.values()
    ]
    medians = [statistics.median(t) for t in times.values()]
    print(title.ljust(22), *cells, f"{medians[0] / medians[1]:7.1f}x")
    return results


def largest_differences(results):
    """Say how far the results of both forms are apart, tensor by tensor."""
    pairs = list(zip(*(tf.nest.flatten(result) for result in results), strict=True))
    absolute = [float(tf.reduce_max(tf.abs(a - b))) for a, b in pairs]
    sizes = [float(tf.reduce_max(tf.abs(a))) for a, _ in pairs]
    relative = [d / size for d, size in zip(absolute, sizes, strict=True)]
    return f"{max(absolute):.1e}, relative to the tensor's largest {max(relative):.1e}"


def main():
    keras.utils.set_random_seed(0)
    generator = np.random.default_rng(0)
    m, n = (
        tf.math.l2_normalize(
            tf.constant(generator.normal(size=(BATCH, DIM)), tf.float32), axis=-1
        )
        for _ in range(2)
    )
    layer = CrossModalFusion(units=UNITS)
    layer.build([m.shape, n.shape])
    weights = layer.get_weights()  # larger than at the start, so that all terms count
    layer.set_weights([generator.normal(0, 0.3, w.shape) for w in weights])
    variables = [variable.value for variable in layer.trainable_variables]
    plain = {
        "materialised": lambda m, n: materialised(layer, m, n),
        "rank one": lambda m, n: layer([m, n]),
    }
    forward = {name: tf.function(form) for name, form in plain.items()}
    both = {
        name: tf.function(with_gradients(form, variables))
        for name, form in plain.items()
    }
    print(
        f"d = k = {DIM}, batch {BATCH}, float32, {os.cpu_count()} CPU cores, "
        f"TensorFlow {tf.__version__}, Keras {keras.__version__}"
    )
    print(
        f"milliseconds a call: median of {ROUNDS} rounds of {CALLS_PER_ROUND} calls "
        "(least to most)\n"
    )
    names = [f"{name}".rjust(26) for name in plain]
    print(" " * 22, *names, "   ratio")
    values = compare("forward", forward, (m, n))
    gradients = compare("forward and backward", both, (m, n))
    print(f"\nlargest difference of values:    {largest_differences(values)}")
    print(f"largest difference of gradients: {largest_differences(gradients)}")


if __name__ == "__main__":
    main()
