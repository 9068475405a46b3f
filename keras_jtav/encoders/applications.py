"""The paper's three image networks (Sec. 3.1.3), from ``keras.applications``."""

from __future__ import annotations

import os
from collections.abc import Callable
from functools import partial
from pathlib import Path

import keras

from keras_jtav.encoders.image_encoder import Backbone, build_image_encoder


def _application(network: Callable, name: str, pixels: str) -> Backbone:
    """Describe a network of ``keras.applications`` without its ImageNet classes.

    Choice: the last feature map is averaged over the picture, which the released code
    does for DenseNet121 too (1024 features).
    """

    def build(size: int, weights: str | None = None) -> keras.Model:
        return network(
            include_top=False,
            weights=weights,
            input_shape=(size, size, 3),
            pooling="avg",
            name="backbone",
        )

    def load_imagenet(backbone: keras.Model) -> None:
        try:
            pretrained = build(backbone.input_shape[1], weights="imagenet")
        except Exception as error:  # Keras raises a plain Exception when it cannot load
            raise OSError(_how_to_fetch(name, error)) from error
        backbone.set_weights(pretrained.get_weights())

    return Backbone(name, build, pixels, load_imagenet)


def _how_to_fetch(name: str, error: Exception) -> str:
    """Say which file is missing, where Keras looks for it, and the way around."""
    home = Path(os.environ.get("KERAS_HOME", Path.home() / ".keras"))
    return (
        f"The ImageNet weights of {name!r} could not be downloaded ({error}). Fetch "
        f"{name}_weights_tf_dim_ordering_tf_kernels_notop.h5 on another machine, then "
        f"put it into {home / 'models'} or name it with --image-weights FILE. "
        "--image-weights none trains from scratch."
    )


applications = keras.applications
DENSENET121 = _application(applications.DenseNet121, "densenet121", "torch")
VGG19 = _application(applications.VGG19, "vgg19", "caffe")
RESNET101 = _application(applications.ResNet101, "resnet101", "caffe")
build_densenet121 = partial(build_image_encoder, DENSENET121)
build_vgg19 = partial(build_image_encoder, VGG19)
build_resnet101 = partial(build_image_encoder, RESNET101)
