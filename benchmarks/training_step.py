"""A training step of the whole JTAV, beside the same network in PyTorch.

Sentiment, Adam. Dropout and modality dropout are on, augmentation of pictures is off.
Both networks get the same weights and must give the same logits, in float32, before
anything is timed. The backend is that of ``KERAS_BACKEND``; only with TensorFlow's need
TensorFlow be there. Needs PyTorch: pip install torch

On a CPU batch 32 in float32 is measured; where PyTorch sees a GPU, also large batches
and bfloat16, as a GPU is idle at batch 32. Float32 means no TF32, in both.
"""

import argparse
import os
import statistics
import sys
import time
from dataclasses import replace
from functools import cache

import keras
import keras_step
import numpy as np
import torch_step
from timing import cell, in_turns
from torch_jtav import take_weights

from keras_jtav import build_model
from keras_jtav.config import Component
from keras_jtav.encoders.image_encoder import backbone_of, open_backbone
from keras_jtav.experiments import preset_config
from keras_jtav.features.spec import FeatureSpec

BATCH = 32
# By case: preset, whether the network sees a frozen backbone's features, steps a round
# on a CPU and on a GPU.
CASES = {
    "small": ("small", False, 10, 20),
    "frozen": ("paper", True, 3, 10),
    "fine-tuned": ("paper", False, 1, 5),
}
PRECISIONS = ("float32", "mixed_bfloat16")
# What a GPU is given beside float32 at batch 32: batch and precision.
GPU_PLAN = {
    "small": ((512, "float32"), (512, "mixed_bfloat16")),
    "frozen": ((512, "float32"), (512, "mixed_bfloat16")),
    "fine-tuned": ((128, "mixed_bfloat16"), (128, "float32")),
}
ON_GPU = torch_step.DEVICE.type == "cuda"
LARGEST_DIFFERENCE = 1e-3  # of float32 logits, in their deviations


@cache
def setting(case):
    """Return the config of a case and the sizes of its features."""
    preset, sees_features, *_ = CASES[case]
    config = preset_config("sentiment", preset)
    image = {**config.image.kwargs, "augment": False}
    if preset == "paper":
        image["weights"] = "none"
    config = config.override(["features.vocabulary_size=5000"])
    config = replace(config, image=Component(config.image.name, image))
    spec = FeatureSpec.from_options(config.features)
    if sees_features:
        spec = replace(spec, image_features=torch_step.DENSENET_FEATURES)
    return config, spec


def batch_of(spec, batch):
    """Return complete posts and labels: one segment, every word and picture there."""
    draw = np.random.default_rng(0)
    rows = spec.embedding_rows

    def words(count):
        return draw.integers(2, rows, (batch, count, 1)).astype("int32")

    image = draw.integers(0, 256, (batch, *spec.image_shape)).astype(spec.image_dtype)
    spectrogram = draw.random((batch, 1, spec.frames, spec.bins)).astype("float32")
    return {
        "words": words(spec.words),
        "supporting_words": words(spec.supporting_words),
        "spectrogram": spectrogram,
        "segment_mask": np.ones((batch, 1), bool),
        "image": image,
        "image_mask": np.ones(batch, bool),
    }, draw.integers(0, 2, batch).astype("float32")


def keras_model(case, precision, jit):
    """Return our network, its backbone open for fine-tuning where it has one."""
    config, spec = setting(case)
    with keras_step.building():
        model = build_model(config, spec, precision=precision)["train"]
        if config.image.name == "densenet121" and not spec.image_features:
            open_backbone(backbone_of(model.get_layer(config.image.name)))
        keras_step.compile_for_training(model, jit)
    return model


class Networks:
    """The networks of a case, ours and PyTorch's, with the same weights to start with.

    Args:
        case: Key of ``CASES``.
        forms: Names of what is measured.

    Raises:
        AssertionError: The logits of both differ.
    """

    def __init__(self, case, forms):
        self.case, self.forms = case, forms
        jit = next(iter(keras_step.FORMS.values()))
        first = keras_model(case, "float32", jit)
        self.weights = first.get_weights()
        self.models = {("float32", jit): first}
        self.networks = {}
        for name in torch_step.FORMS:
            network = torch_step.torch_network(*setting(case))
            take_weights(network, first)
            self.networks[name] = network.to(torch_step.DEVICE)
        self.difference = self.unlike()
        if not self.difference <= LARGEST_DIFFERENCE:
            raise AssertionError(f"logits differ by {self.difference} deviations.")

    def unlike(self):
        """Return the largest difference of two logits, in deviations of the logits."""
        posts, _ = batch_of(setting(self.case)[1], BATCH)
        (ours,) = self.models.values()
        network = next(iter(self.networks.values()))
        ours = keras_step.logits(ours, posts)
        return np.abs(ours - torch_step.logits(network, posts)).max() / ours.std()

    def model(self, precision, jit):
        """Return our network, compiled so; the same one at every call."""
        if (precision, jit) not in self.models:
            model = keras_model(self.case, precision, jit)
            model.set_weights(self.weights)
            self.models[precision, jit] = model
        return self.models[precision, jit]

    def steps(self, batch, precision):
        """Return ``{form: function that makes a step}``, after its first call.

        A form that fails is left out and the reason printed.
        """
        posts, labels = batch_of(setting(self.case)[1], batch)
        steps = {}
        for name in self.forms:
            start = time.perf_counter()
            try:
                if name in keras_step.FORMS:
                    model = self.model(precision, keras_step.FORMS[name])
                    step = keras_step.training_step(model, posts, labels)
                else:
                    compiled = torch_step.FORMS[name]
                    network = self.networks[name]
                    step = torch_step.training_step(
                        network, posts, labels, precision, compiled
                    )
                wait(step())
            except Exception as error:  # so that the other forms are measured
                reason = " ".join(str(error).split())[:300]
                say(f"  {name.ljust(24)} failed: {type(error).__name__}: {reason}")
                continue
            say(f"  {name.ljust(24)} first step {time.perf_counter() - start:6.1f} s")
            steps[name] = step
        return steps


def wait(result):
    """Return when a step is done."""
    keras_step.wait(result)
    torch_step.wait()


def say(text):
    print(text, flush=True)


def measure(networks, batch, precision, rounds):
    """Time a case at a batch and a precision, and print a line for each form."""
    case = networks.case
    count = sum(weight.size for weight in networks.weights)
    say(
        f"\n{case}, batch {batch}, {precision.removeprefix('mixed_')}: {count:,} "
        f"weights, float32 logits alike to {networks.difference:.0e}"
    )
    torch_step.forget()
    steps = networks.steps(batch, precision)
    calls = CASES[case][3 if ON_GPU else 2]
    seconds = in_turns(steps, rounds, calls, wait)
    medians = {name: statistics.median(times) for name, times in seconds.items()}
    theirs = [medians[name] for name in torch_step.FORMS if name in medians]
    for name, times in seconds.items():
        beside = f"{min(theirs) / medians[name]:7.2f}" if theirs else ""
        say(
            f"  {name.ljust(24)}{cell(times).rjust(32)}"
            f"{batch / medians[name]:8.0f} posts/s{beside}"
        )


def plan(case, options):
    """Return the batches and precisions to measure."""
    if options.batches or options.precisions:
        precisions = options.precisions or ["float32"]
        return [(b, p) for b in options.batches or [BATCH] for p in precisions]
    return ((BATCH, "float32"), *(GPU_PLAN[case] if ON_GPU else ()))


def options_of(arguments):
    """Return the options of the command line."""
    forms = [*keras_step.FORMS, *torch_step.FORMS]
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    add = parser.add_argument
    add("--cases", nargs="+", choices=CASES, default=list(CASES))
    add("--forms", nargs="+", choices=forms, default=forms)
    add("--batches", nargs="+", type=int, help=f"by default {BATCH}; more on a GPU")
    add("--precisions", nargs="+", choices=PRECISIONS)
    add("--rounds", type=int, default=9)
    add("--seconds", type=float, help="start no measurement after so many")
    return parser.parse_args(arguments)


def main(arguments=None):
    """Measure; return 1 if the networks of a case differ."""
    options, start, wrong = options_of(arguments), time.perf_counter(), 0
    calls = "5 to 20" if ON_GPU else "1 to 10"
    say(
        f"{os.cpu_count()} CPU cores; Keras {keras.__version__}, "
        f"{keras_step.description()}; {torch_step.description()}\n"
        f"float32 without TF32, in both. Milliseconds a step: median of "
        f"{options.rounds} rounds of {calls} steps (least to most); the last column is "
        "the speed beside the faster PyTorch form"
    )
    for case in options.cases:
        networks = None
        for batch, precision in plan(case, options):
            spent = time.perf_counter() - start
            if options.seconds and spent > options.seconds:
                say(f"\n{case}, batch {batch}, {precision}: no time left")
                continue
            try:
                networks = networks or Networks(case, options.forms)
            except AssertionError as error:
                say(f"\n{case}: {error}")
                wrong = 1
                break
            measure(networks, batch, precision, options.rounds)
    return wrong


if __name__ == "__main__":
    sys.exit(main())
