"""CMF-AP: the layers beside Eq. 3 as it is printed, in speed and in memory.

All forms are compiled by ``tf.function`` and run in turns, so that a slow moment of the
machine hits each. ``python benchmarks/fusion.py`` takes about three minutes.
"""

import os

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import keras
import numpy as np
import tensorflow as tf
from materialised import materialised
from timing import cell, in_turns, megabytes, ratio

from keras_jtav.layers import CrossModalFusion

BATCHES = (32, 64, 128)
DIM = UNITS = 300
ROUNDS = 9
CALLS = 3
MEMORY_BATCH = 512
PRECISIONS = ("float32", "mixed_bfloat16", "mixed_float16")


def vectors(batch, count):
    rng = np.random.default_rng(0)
    drawn = [
        tf.constant(rng.normal(size=(batch, DIM)), tf.float32) for _ in range(count)
    ]
    return [tf.math.l2_normalize(vector, axis=-1) for vector in drawn]


def fusion_layer(precision="float32"):
    """Return a layer whose weights are larger than at the start: all terms count."""
    rng = np.random.default_rng(0)
    layer = CrossModalFusion(units=UNITS, dtype=precision)
    layer.build([(None, DIM), (None, DIM)])
    layer.set_weights([rng.normal(0, 0.3, w.shape) for w in layer.get_weights()])
    return layer


def forward(form, inputs):
    """Return a compiled call that waits for its end."""
    compiled = tf.function(form, autograph=False)
    return lambda: [tensor.numpy() for tensor in tf.nest.flatten(compiled(*inputs))]


def with_gradients(form, inputs, variables):
    """Return a compiled call that gives the values and all gradients."""

    def step(*inputs):
        with tf.GradientTape() as tape:
            tape.watch(inputs)
            values = form(*inputs)
            loss = tf.reduce_mean(tf.square(tf.cast(values, tf.float32)))
        return [values, *tape.gradient(loss, [*inputs, *variables])]

    return forward(step, inputs)


def forms_of(layer):
    """Return the two forms of one pair, and the weights that both read."""

    def printed(m, n):
        return materialised(layer, m, n)

    def ours(m, n):
        return layer([m, n])

    variables = [variable.value for variable in layer.trainable_variables]
    return {"as printed": printed, "ours": ours}, variables


def step_once(name, batch):
    """Run one step, for ``megabytes``."""
    forms, variables = forms_of(fusion_layer())
    with_gradients(forms[name], vectors(batch, 2), variables)()


def compare(title, forms):
    """Print a line; return the results of both forms."""
    results = [form() for form in forms.values()]
    seconds = in_turns(forms, ROUNDS, CALLS)
    cells = [cell(times).rjust(28) for times in seconds.values()]
    print(title.ljust(30), *cells, f"{ratio(*seconds.values()):7.1f}x")
    return results


def largest_difference(results):
    pairs = zip(*results, strict=True)
    return max(float(np.abs(a - b).max()) for a, b in pairs)


def whole_fusion(layers, form):
    """Return all three pairs of three vectors, by one form of them."""

    def run(t, a, v):
        pairs = ((t, v), (t, a), (a, v))
        joined = [
            form(layer, m, n) for layer, (m, n) in zip(layers, pairs, strict=True)
        ]
        return tf.concat(joined, axis=-1)

    return run


def main():
    print(
        f"d = k = {DIM}, {os.cpu_count()} CPU cores, TensorFlow {tf.__version__}, "
        f"Keras {keras.__version__}\nmilliseconds a call: median of {ROUNDS} rounds of "
        f"{CALLS} calls (least to most)\n"
    )
    print(" " * 30, "as printed".rjust(28), "ours".rjust(28), "   ratio")
    forms, variables = forms_of(fusion_layer())
    for batch in BATCHES:
        pair = vectors(batch, 2)
        values = compare(
            f"forward, batch {batch}",
            {name: forward(form, pair) for name, form in forms.items()},
        )
        steps = {n: with_gradients(f, pair, variables) for n, f in forms.items()}
        gradients = compare(f"forward + backward, batch {batch}", steps)
        print(
            f"  largest difference: {largest_difference(values):.1e} of values, "
            f"{largest_difference(gradients):.1e} with gradients"
        )

    layers = [fusion_layer() for _ in range(3)]
    all_variables = [v.value for layer in layers for v in layer.trainable_variables]
    whole = {
        "as printed": whole_fusion(layers, materialised),
        "ours": whole_fusion(layers, lambda layer, m, n: layer([m, n])),
    }
    steps = {
        name: with_gradients(form, vectors(64, 3), all_variables)
        for name, form in whole.items()
    }
    compare("three pairs, both, batch 64", steps)

    print("\nprecision of ours, forward + backward, batch 64")
    for precision in PRECISIONS:
        layer = fusion_layer(precision)
        (_, ours), variables = forms_of(layer)[0].values(), forms_of(layer)[1]
        step = with_gradients(ours, vectors(64, 2), variables)
        seconds = in_turns({"step": step}, ROUNDS, CALLS)["step"]
        print(f"  {precision.ljust(16)}{cell(seconds)}")

    print(f"\npeak of memory of a process that makes one step at batch {MEMORY_BATCH}")
    start = megabytes(step_once, "ours", 1)
    for name in forms:
        peak = megabytes(step_once, name, MEMORY_BATCH)
        print(f"  {name.ljust(12)}{peak:6.0f} MiB, {peak - start:6.0f} above batch 1")


if __name__ == "__main__":
    main()
