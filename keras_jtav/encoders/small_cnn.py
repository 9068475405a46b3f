"""A small network for small pictures, trained from scratch on a CPU."""

from functools import partial

import keras
from keras import layers

from keras_jtav.encoders.image_encoder import Backbone, build_image_encoder
from keras_jtav.layers import PictureStatistics

FILTERS = (32, 48, 64, 128)


def small_cnn(size: int) -> keras.Model:
    """Build four blocks of convolution, batch normalisation, ReLU and max pooling.

    Choice: the paper has no network of this size; this one is for 64 x 64 pictures. The
    first block strides, because at full resolution it alone costs as much as the others
    together. Batch normalisation forgets fast (momentum .9): small data sets have few
    steps an epoch. Average and maximum are both pooled: how much of a shape there is,
    and whether it is there at all. Beside them stand statistics of colours and
    gradients, which need no learning: with a few hundred pictures, filters take long to
    become as good (``docs/model.md``).

    Args:
        size: Height and width of a picture in pixels.

    Returns:
        Scaled pixels ``(batch, size, size, 3)`` to ``(batch, 464)``.
    """
    pixels = keras.Input((size, size, 3))
    x = pixels
    for block, filters in enumerate(FILTERS, start=1):
        x = layers.Conv2D(
            filters,
            3,
            strides=2 if block == 1 else 1,
            padding="same",
            use_bias=False,
            kernel_initializer="he_normal",
            name=f"block{block}_conv",
        )(x)
        x = layers.BatchNormalization(momentum=0.9, name=f"block{block}_bn")(x)
        x = layers.ReLU(name=f"block{block}_relu")(x)
        if block > 1:
            x = layers.MaxPooling2D(2, padding="same", name=f"block{block}_pool")(x)
    average = layers.GlobalAveragePooling2D(name="average")(x)
    maximum = layers.GlobalMaxPooling2D(name="maximum")(x)
    statistics = PictureStatistics(name="statistics")((pixels + 1) * 127.5)
    features = layers.Concatenate(name="features")([average, maximum, statistics])
    return keras.Model(pixels, features, name="backbone")


SMALL_CNN = Backbone("small_cnn", small_cnn, pixels="tf")
build_small_cnn = partial(build_image_encoder, SMALL_CNN, weights="none")
