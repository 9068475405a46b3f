"""SqueezeNet 1.1: ImageNet transfer that a CPU can afford."""

from functools import partial

import keras
from keras import layers

from keras_jtav.encoders.image_encoder import Backbone, build_image_encoder
from keras_jtav.encoders.image_weights import load_backbone, squeezenet_weights

# Squeeze and expand filters of fire modules 2 to 9.
FIRE_FILTERS = {
    2: (16, 64),
    3: (16, 64),
    4: (32, 128),
    5: (32, 128),
    6: (48, 192),
    7: (48, 192),
    8: (64, 256),
    9: (64, 256),
}
POOL_AFTER = (3, 5)
SEEN = (5, 7, 8, 9)


def squeezenet(size: int) -> keras.Model:
    """Build SqueezeNet 1.1 up to its last fire module, averaged over the picture.

    Layer names are those of the published ImageNet file, ``/`` written ``_``.

    Choice: features of four depths, not the 1000 class scores of ``conv10``. With
    ImageNet weights a logistic regression tells man-made from living tuxpaint pictures
    by them as well as by the last module's or the scores' (twice 10 folds without
    common groups, AUC .992, .993 and .993), with 0.5 million weights less. Without a
    caption, songs of unseen tuxpaint stamps are found better by them than by the last
    module alone (``docs/reproduction.md``).

    Args:
        size: Height and width of a picture in pixels (227 in training on ImageNet).

    Returns:
        Scaled pixels ``(batch, size, size, 3)`` to ``(batch, 1664)``.

    Source:
        Iandola et al., 2016, "SqueezeNet: AlexNet-level accuracy with 50x fewer
        parameters", version 1.1 of its authors.
    """
    pixels = keras.Input((size, size, 3))
    x = layers.Conv2D(64, 3, strides=2, activation="relu", name="conv1")(pixels)
    x = layers.MaxPooling2D(3, strides=2, name="pool1")(x)
    means = []
    for module, (squeeze, expand) in FIRE_FILTERS.items():
        x = _fire(x, f"fire{module}", squeeze, expand)
        if module in SEEN:
            means.append(layers.GlobalAveragePooling2D(name=f"fire{module}_mean")(x))
        if module in POOL_AFTER:
            x = layers.MaxPooling2D(3, strides=2, name=f"pool{module}")(x)
    features = layers.Concatenate(name="features")(means)
    return keras.Model(pixels, features, name="backbone")


def _fire(x, name: str, squeeze: int, expand: int):
    """Squeeze channels by 1 x 1, then expand them by 1 x 1 and by 3 x 3."""

    def convolution(filters: int, size: int, part: str) -> layers.Layer:
        return layers.Conv2D(
            filters,
            size,
            padding="same",
            activation="relu",
            kernel_initializer="he_normal",
            name=f"{name}_{part}",
        )

    x = convolution(squeeze, 1, "squeeze1x1")(x)
    small = convolution(expand, 1, "expand1x1")(x)
    large = convolution(expand, 3, "expand3x3")(x)
    return layers.Concatenate(name=f"{name}_concat")([small, large])


def _load_imagenet(backbone: keras.Model) -> None:
    load_backbone(backbone, squeezenet_weights())


SQUEEZENET = Backbone("squeezenet", squeezenet, "caffe", _load_imagenet)
build_squeezenet = partial(build_image_encoder, SQUEEZENET)
