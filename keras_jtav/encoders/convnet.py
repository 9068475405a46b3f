"""convnet, the audio baseline of Table 1: five blocks, and the mean of each of them."""

from __future__ import annotations

import keras
from keras import layers

from keras_jtav.encoders.image_weights import load_backbone
from keras_jtav.features.spec import FeatureSpec

FILTERS = 32
POOLS = ((2, 4), (3, 4), (2, 5), (2, 4), (4, 4))  # (bins, frames)


def build_convnet(
    spec: FeatureSpec,
    *,
    weights: str = "none",
    dropout: float = 0.0,
    momentum: float = 0.99,
) -> keras.Model:
    """Return the convnet: Conv-BN-ELU-MaxPool five times; block means side by side.

    With ``weights`` the blocks are those of the authors' music tagger and stay frozen,
    as transfer learning has it. It heard mel spectrograms of 96 bins up to 6,000 Hz,
    with windows of 43 and steps of 21 ms, as ``RELEASED_CONVNET`` in ``row_weights.py``
    has it. Each segment is brought to mean 0 and deviation 1, as in their code.
    Choice: segments are of our length, theirs are of 29 seconds.

    Choice: poolings pad (``same``), so that no segment is too short.

    Args:
        spec: Sizes of the spectrogram.
        weights: ``none``, or a file with layers ``conv2d_1``, ``batch_normalization_1``
            and so on, such as the released ``model_best.hdf5``.
        dropout: Share of the means dropped in training.
        momentum: Of the batch normalisation's averages.

    Returns:
        Model from float (batch, frames, bins) to float (batch, 160).

    Raises:
        ValueError: A file that does not fit.
        FileNotFoundError: No such file.

    Source:
        Choi et al. 2017, Transfer learning for music classification and regression
        tasks; https://github.com/keunwoochoi/transfer_learning_music.

    Example:
        >>> spec = FeatureSpec(10, 5, 1, 100, 8, frames=54, bins=96, image_size=64)
        >>> build_convnet(spec).output_shape
        (None, 160)
    """
    spectrogram = keras.Input((spec.frames, spec.bins), name="spectrogram")
    blocks = _blocks(spec, momentum)
    if weights != "none":
        load_backbone(blocks, weights)
        blocks.trainable = False
    x = layers.Permute((2, 1))(spectrogram)
    x = layers.Reshape((spec.bins, spec.frames, 1))(x)
    x = layers.LayerNormalization(
        axis=(1, 2, 3), center=False, scale=False, epsilon=1e-6, name="standardized"
    )(x)
    a = layers.Dropout(dropout)(blocks(x))
    return keras.Model(spectrogram, a)


def _blocks(spec: FeatureSpec, momentum: float) -> keras.Model:
    """Build the blocks; the names of their layers are those of the released file."""
    inputs = x = keras.Input((spec.bins, spec.frames, 1))
    means = []
    for number, pool in enumerate(POOLS, start=1):
        x = layers.Conv2D(
            FILTERS,
            3,
            padding="same",
            kernel_initializer="he_normal",
            name=f"conv2d_{number}",
        )(x)
        x = layers.BatchNormalization(
            momentum=momentum, name=f"batch_normalization_{number}"
        )(x)
        x = layers.ELU(name=f"elu_{number}")(x)
        x = layers.MaxPooling2D(pool, padding="same", name=f"pool_{number}")(x)
        means.append(layers.GlobalAveragePooling2D(name=f"mean_{number}")(x))
    features = layers.Concatenate(name="features")(means)
    return keras.Model(inputs, features, name="convnet")
