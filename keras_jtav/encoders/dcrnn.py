"""DCRNN, the audio encoder of Fig. 4: densely connected CNN, RNN, dense block."""

from __future__ import annotations

from collections.abc import Sequence

import keras
from keras import ops

from keras_jtav.features.spec import FeatureSpec
from keras_jtav.layers import DenseCNNBlock, bidirectional_gru


def build_dcrnn(
    spec: FeatureSpec,
    *,
    filters: Sequence[int] = (32, 64),
    pool: Sequence[int] = (2, 2),
    units: int = 64,
    dim: int = 128,
    momentum: float = 0.99,
    dropout: float = 0.0,
    statistics: bool = False,
) -> keras.Model:
    """Return the audio encoder of one segment.

    The paper gives the order of the parts and N = 2 blocks. Choice, all the rest:
    filters that double as in most CNNs; halving poolings, so that 216 frames become 14
    steps of 0.74 s for the RNN; GRU as in the text encoder; a ReLU layer and a linear
    one as dense block.

    Args:
        spec: Sizes of the spectrogram.
        filters: Filters of each densely connected block; their number is the paper's N.
        pool: Factors (frames, bins) of the two shrinking poolings of each block.
        units: Hidden units of one direction of each of the two GRU layers.
        dim: Size of the audio vector.
        momentum: Of the batch normalisation's averages; .8 suits short trainings.
        dropout: Share of coordinates that training drops before each dense layer.
        statistics: Whether the last layer also sees mean and standard deviation of
            every bin over time. Not the paper's; with few recordings the network learns
            little (see ``docs/model.md``).

    Returns:
        Model from float (batch, frames, bins) in [0, 1] to ``a``, float (batch, dim).

    Raises:
        ValueError: No filters.

    Source:
        JTAV Sec. 3.1.2, Eq. 2.

    Example:
        >>> spec = FeatureSpec(10, 5, 1, 100, 8, frames=54, bins=96, image_size=64)
        >>> build_dcrnn(spec, filters=(4, 8), units=6, dim=10).output_shape
        (None, 10)
    """
    if not filters:
        raise ValueError(
            "`filters` must name the filters of at least one block; received none. The "
            "paper has two blocks, such as filters=[32, 64]."
        )
    spectrogram = keras.Input((spec.frames, spec.bins), name="spectrogram")
    x = keras.layers.Reshape((spec.frames, spec.bins, 1))(spectrogram)
    for number, block_filters in enumerate(filters, start=1):
        x = DenseCNNBlock(
            block_filters,
            pool=pool,
            momentum=momentum,
            name=f"cnn_block_{number}",
        )(x)
    # The permute block of Sec. 3.1.2. Frames come first here all along, so that time
    # major form is only a matter of joining the other two axes.
    steps, bins, channels = x.shape[1:]
    x = keras.layers.Reshape((steps, bins * channels), name="time_major")(x)
    x = bidirectional_gru(units, return_sequences=True, name="rnn_1")(x)
    x = bidirectional_gru(units, return_sequences=False, name="rnn_2")(x)
    x = keras.layers.Dropout(dropout)(x)
    x = keras.layers.Dense(dim, activation="relu", name="dense_1")(x)
    if statistics:
        mean, deviation = ops.mean(spectrogram, axis=1), ops.std(spectrogram, axis=1)
        over_time = ops.concatenate([mean, deviation], axis=1)  # (batch, 2 * bins)
        over_time = keras.layers.BatchNormalization(
            momentum=momentum, center=False, scale=False, name="statistics"
        )(over_time)
        x = keras.layers.Concatenate(name="joint")([x, over_time])
    x = keras.layers.Dropout(dropout)(x)
    a = keras.layers.Dense(dim, name="dense_2")(x)
    return keras.Model(spectrogram, a)
