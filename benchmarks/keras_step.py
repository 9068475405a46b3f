"""One step of ``fit`` on a batch that lies on the device, for each backend of Keras."""

import contextlib
import itertools
import os

import keras
import numpy as np

# With its first array JAX would take three quarters of a card from PyTorch.
os.environ.setdefault("XLA_PYTHON_CLIENT_PREALLOCATE", "false")

BACKEND = keras.backend.backend()
# Ways to compile a step, by the name they are printed under: ``jit_compile``. With
# PyTorch's backend ``fit`` is eager unless told otherwise, and told so it fails here.
FORMS = {
    "jax": {"ours": True},
    "tensorflow": {"ours": False, "ours, XLA": True},
    "torch": {"ours": False},
}[BACKEND]

if BACKEND == "jax":
    import jax

    # As in `torch_step.py`: float32 is float32, and no TF32.
    jax.config.update("jax_default_matmul_precision", "float32")
elif BACKEND == "tensorflow":
    import tensorflow as tf

    tf.config.experimental.enable_tensor_float_32_execution(False)


def description():
    """Return the backend, its version and its device."""
    if BACKEND == "jax":
        return f"JAX {jax.__version__} on {jax.devices()[0].device_kind}"
    if BACKEND == "tensorflow":
        cards = tf.config.list_physical_devices("GPU")
        names = [tf.config.experimental.get_device_details(c) for c in cards]
        place = names[0].get("device_name") if names else "cpu"
        return f"TensorFlow {tf.__version__} on {place}"
    return "PyTorch"


def building():
    """Return the scope to build a model in.

    JAX compiles an initializer for every shape of weights; for the CPU that is quick.
    """
    if BACKEND == "jax":
        return keras.device("cpu:0")
    return contextlib.nullcontext()


def logits(model, posts):
    """Return a model's answers as in inference, float ``(batch,)``."""
    return model.predict_on_batch(posts)


def compile_for_training(model, jit):
    """Give a model the optimizer and the loss of the benchmark."""
    model.compile(
        keras.optimizers.Adam(),
        keras.losses.BinaryCrossentropy(from_logits=True),
        jit_compile=jit,
    )
    model.optimizer.build(model.trainable_variables)
    model.make_train_function()


def training_step(model, posts, labels):
    """Return a function that makes one step of ``fit``, without the wait for its end.

    Args:
        model: A model that ``compile_for_training`` was given.
        posts: Its inputs, arrays.
        labels: Float ``(batch,)``.
    """
    if BACKEND == "tensorflow":
        return _tensorflow_step(model, posts, labels)
    convert = keras.ops.convert_to_tensor
    batch = ({name: convert(x) for name, x in posts.items()}, convert(labels))
    if BACKEND == "jax":
        return _jax_step(model, batch)
    model.train()
    return lambda: model.train_function([batch])["loss"]


def wait(result):
    """Return when a step's results are there, whoever computes them."""
    if BACKEND == "jax":
        jax.block_until_ready(result)
    elif BACKEND == "tensorflow":
        np.asarray(result)


def _tensorflow_step(model, posts, labels):
    batches = tf.data.Dataset.from_tensors((posts, labels)).cache().repeat()
    stream = iter(batches)
    return lambda: np.asarray(model.train_function(stream)["loss"])


def _jax_step(model, batch):
    """Pass the state from step to step as ``fit`` does; the model keeps its own."""
    device = jax.devices()[0]
    state = [
        [jax.numpy.array(variable.value, copy=True, device=device) for variable in part]
        for part in (
            model.trainable_variables,
            model.non_trainable_variables,
            model.optimizer.variables,
            model.metrics_variables,
        )
    ]
    batches = itertools.repeat(batch)

    def step():
        nonlocal state
        logs, state = model.train_function(state, batches)
        return logs["loss"], state

    return step
