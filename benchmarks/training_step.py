"""A training step of the whole JTAV, beside the same network in PyTorch.

Sentiment, batch 32, float32. Dropout and modality dropout are on, augmentation of
pictures is off. Both networks get the same weights and must give the same logits before
anything is timed. Needs PyTorch: pip install torch
"""

import os
import statistics
from dataclasses import replace

import keras
import numpy as np
import tensorflow as tf
import torch
from timing import cell, in_turns
from torch_encoders import DenseNet121, SmallCnn
from torch_jtav import Jtav, take_weights

from keras_jtav import build_model
from keras_jtav.config import Component
from keras_jtav.encoders.image_encoder import backbone_of, open_backbone
from keras_jtav.experiments import preset_config
from keras_jtav.features.spec import FeatureSpec

BATCH = 32
DENSENET_FEATURES = 1024
ROUNDS = 9
# By case: preset, whether the network sees a frozen backbone's features, steps a round.
CASES = {
    "small": ("small", False, 10),
    "paper, frozen": ("paper", True, 3),
    "paper, fine-tuned": ("paper", False, 1),
}


def setting(preset, sees_features):
    """Return the config of a case and the sizes of its features."""
    config = preset_config("sentiment", preset)
    image = {**config.image.kwargs, "augment": False}
    if preset == "paper":
        image["weights"] = "none"
    config = config.override(["features.vocabulary_size=5000"])
    config = replace(config, image=Component(config.image.name, image))
    spec = FeatureSpec.from_options(config.features)
    if sees_features:
        spec = replace(spec, image_features=DENSENET_FEATURES)
    return config, spec


def batch_of(spec):
    """Return complete posts and labels: one segment, every word and picture there."""
    draw = np.random.default_rng(0)
    rows = spec.embedding_rows

    def words(count):
        return draw.integers(2, rows, (BATCH, count, 1)).astype("int32")

    image = draw.integers(0, 256, (BATCH, *spec.image_shape)).astype(spec.image_dtype)
    spectrogram = draw.random((BATCH, 1, spec.frames, spec.bins)).astype("float32")
    return {
        "words": words(spec.words),
        "supporting_words": words(spec.supporting_words),
        "spectrogram": spectrogram,
        "segment_mask": np.ones((BATCH, 1), bool),
        "image": image,
        "image_mask": np.ones(BATCH, bool),
    }, draw.integers(0, 2, BATCH).astype("float32")


def keras_model(config, spec):
    """Return our network, its backbone open for fine-tuning where it has one."""
    model = build_model(config, spec)["train"]
    if config.image.name == "densenet121" and not spec.image_features:
        open_backbone(backbone_of(model.get_layer(config.image.name)))
    return model


def keras_step(model, posts, labels, jit):
    """Return one step of ``fit`` on the batch."""
    model.compile(
        keras.optimizers.Adam(),
        keras.losses.BinaryCrossentropy(from_logits=True),
        jit_compile=jit,
    )
    batches = tf.data.Dataset.from_tensors((posts, labels)).cache().repeat()
    stream = iter(batches)
    model.make_train_function()
    return lambda: np.asarray(model.train_function(stream)["loss"])


def torch_network(config, spec):
    """Return the PyTorch network."""
    if spec.image_features:
        return Jtav(config, spec, torch.nn.Identity(), spec.image_features)
    if config.image.name == "small_cnn":
        backbone = SmallCnn()
        return Jtav(config, spec, backbone, backbone.dim)
    return Jtav(config, spec, DenseNet121(), DENSENET_FEATURES)


def torch_inputs(posts):
    """Return the batch as PyTorch takes it."""
    image = torch.from_numpy(posts["image"]).float()
    return (
        torch.from_numpy(posts["words"][..., 0]).long(),
        torch.from_numpy(posts["supporting_words"][..., 0]).long(),
        torch.from_numpy(posts["spectrogram"][:, 0]),
        image.permute(0, 3, 1, 2).contiguous() if image.ndim == 4 else image,
    )


def torch_step(network, inputs, labels, compiled):
    """Return one step on the batch."""
    labels = torch.from_numpy(labels)
    learned = [p for p in network.parameters() if p.requires_grad]
    optimizer = torch.optim.Adam(learned)
    run = torch.compile(network) if compiled else network

    def step():
        optimizer.zero_grad(set_to_none=True)
        loss = torch.nn.functional.binary_cross_entropy_with_logits(
            run(*inputs), labels
        )
        loss.backward()
        optimizer.step()
        return loss.item()

    return step


def unlike(model, network, posts, inputs):
    """Return the largest difference of two logits, in deviations of the logits."""
    ours = np.asarray(model(posts))
    with torch.no_grad():
        theirs = network.eval()(*inputs).numpy()
    return np.abs(ours - theirs).max() / ours.std()


def measure(case):
    preset, sees_features, calls = CASES[case]
    config, spec = setting(preset, sees_features)
    posts, labels = batch_of(spec)
    inputs = torch_inputs(posts)
    models = {name: keras_model(config, spec) for name in ("ours", "ours, XLA")}
    models["ours, XLA"].set_weights(models["ours"].get_weights())
    networks = {}
    for name in ("PyTorch", "PyTorch, torch.compile"):
        networks[name] = torch_network(config, spec)
        take_weights(networks[name], models["ours"])
    difference = unlike(models["ours"], networks["PyTorch"], posts, inputs)
    if difference > 1e-3:
        raise AssertionError(f"{case}: logits differ by {difference} deviations.")
    forms = {
        name: keras_step(model, posts, labels, jit=name.endswith("XLA"))
        for name, model in models.items()
    }
    for name, network in networks.items():
        compiled = name.endswith("compile")
        forms[name] = torch_step(network.train(), inputs, labels, compiled)
    seconds = in_turns(forms, ROUNDS, calls)
    count = sum(weight.size for weight in map(np.asarray, models["ours"].weights))
    print(f"\n{case}: {count:,} weights, logits alike to {difference:.0e}")
    fastest = min(statistics.median(seconds[name]) for name in networks)
    for name, times in seconds.items():
        median = statistics.median(times)
        print(
            f"  {name.ljust(24)}{cell(times).rjust(32)}{BATCH / median:8.0f} posts/s"
            f"{fastest / median:7.2f}"
        )


def main():
    print(
        f"batch {BATCH}, {os.cpu_count()} CPU cores, TensorFlow {tf.__version__}, "
        f"Keras {keras.__version__}, PyTorch {torch.__version__}\n"
        f"milliseconds a step: median of {ROUNDS} rounds (least to most); the last "
        "column is the speed beside the faster PyTorch form"
    )
    for case in CASES:
        measure(case)


if __name__ == "__main__":
    main()
