"""CMF-AP as in ``fusion.py``, on JAX or PyTorch and their device.

One pair, d = k = 300, float32 without TF32. ``KERAS_BACKEND=jax`` compiles both forms,
``KERAS_BACKEND=torch`` runs both eagerly.
"""

import argparse
import sys

import keras
import keras_step
import numpy as np
import torch_step
from keras import ops
from timing import cell, in_turns, ratio
from training_step import wait

from keras_jtav.layers import CrossModalFusion

BATCHES = (64, 512)
DIM = UNITS = 300
CALLS = 20
LARGEST_DIFFERENCE = 1e-5


def materialised(layer, m, n):
    """Both poolings of ``C = m n^T``, with the weights of a ``CrossModalFusion``."""
    matrix = m[:, :, None] * n[:, None, :]
    rows = pooled(layer.row_pooling, matrix)
    columns = pooled(layer.column_pooling, ops.transpose(matrix, (0, 2, 1)))
    return ops.concatenate([rows, columns], axis=-1)


def pooled(pooling, matrix):
    """Eq. 3 as ``materialised.py`` has it for TensorFlow."""
    latent = ops.tanh(ops.einsum("bij,ik->bjk", matrix, pooling.kernel) + pooling.bias)
    alpha = ops.softmax(ops.einsum("bjk,kh->bjh", latent, pooling.context), axis=1)
    gated = ops.einsum("bij,bjh->bhi", matrix, alpha)
    gated = ops.reshape(gated, (matrix.shape[0], -1))
    return pooling.activation(
        ops.matmul(gated, pooling.output_kernel) + pooling.output_bias
    )


def fusion_layer():
    """Return a layer whose weights are larger than at the start: all terms count."""
    rng = np.random.default_rng(0)
    layer = CrossModalFusion(units=UNITS)
    layer.build([(None, DIM), (None, DIM)])
    layer.set_weights([rng.normal(0, 0.3, w.shape) for w in layer.get_weights()])
    return layer


def vectors(batch):
    rng = np.random.default_rng(0)
    drawn = ops.convert_to_tensor(rng.normal(size=(2, batch, DIM)).astype("float32"))
    return list(ops.normalize(drawn, axis=-1))


def jax_calls(layer, form, inputs):
    """Return the compiled forward call, and the one with all gradients."""
    import jax

    variables = layer.trainable_variables
    values = [variable.value for variable in variables]

    def forward(values, m, n):
        mapping = list(zip(variables, values, strict=True))
        with keras.StatelessScope(state_mapping=mapping):
            return form(m, n)

    def loss(*arguments):
        result = forward(*arguments)
        return ops.mean(ops.square(result)), result

    gradients = jax.value_and_grad(loss, argnums=(0, 1, 2), has_aux=True)
    calls = {"forward": jax.jit(forward), "forward + backward": jax.jit(gradients)}
    return {
        name: lambda call=call: call(values, *inputs) for name, call in calls.items()
    }


def torch_calls(layer, form, inputs):
    """Return the forward call, and the one with all gradients."""
    import torch

    learned = [variable.value for variable in layer.trainable_variables]
    inputs = [tensor.detach().requires_grad_() for tensor in inputs]

    def forward():
        with torch.no_grad():
            return form(*inputs)

    def gradients():
        values = form(*inputs)
        loss = values.square().mean()
        return values, torch.autograd.grad(loss, [*learned, *inputs])

    return {"forward": forward, "forward + backward": gradients}


def arrays(result):
    return [ops.convert_to_numpy(x) for x in keras.tree.flatten(result)]


def main(arguments=None):
    """Measure; return 1 if the forms differ."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--batches", nargs="+", type=int, default=BATCHES)
    parser.add_argument("--rounds", type=int, default=9)
    options = parser.parse_args(arguments)
    if keras_step.BACKEND == "tensorflow":
        parser.error("For TensorFlow there is fusion.py. Set KERAS_BACKEND.")
    make = {"jax": jax_calls, "torch": torch_calls}[keras_step.BACKEND]
    print(
        f"d = k = {DIM}; Keras {keras.__version__}, {keras_step.description()}, "
        f"{torch_step.description()}\nfloat32 without TF32; milliseconds a call: "
        f"median of {options.rounds} rounds of {CALLS} calls (least to most)\n"
    )
    print(" " * 30, "as printed".rjust(28), "ours".rjust(28), "   ratio", flush=True)
    layer, wrong = fusion_layer(), 0
    for batch in options.batches:
        inputs = vectors(batch)
        printed = make(layer, lambda m, n: materialised(layer, m, n), inputs)
        ours = make(layer, lambda m, n: layer([m, n]), inputs)
        for name in printed:
            forms = {"as printed": printed[name], "ours": ours[name]}
            pairs = zip(*(arrays(form()) for form in forms.values()), strict=True)
            difference = max(float(np.abs(a - b).max()) for a, b in pairs)
            wrong |= not difference <= LARGEST_DIFFERENCE
            seconds = in_turns(forms, options.rounds, CALLS, wait)
            cells = [cell(times, 1e3).rjust(28) for times in seconds.values()]
            print(
                f"{name}, batch {batch}".ljust(30),
                *cells,
                f"{ratio(*seconds.values()):7.1f}x  alike to {difference:.0e}",
                flush=True,
            )
    return int(wrong)


if __name__ == "__main__":
    sys.exit(main())
