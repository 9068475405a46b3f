"""The decibel scale of both spectrograms, taken per clip."""

import math

import tensorflow as tf

SMALLEST_POWER = 1e-10


def power_to_decibels(power, top_db: float):
    """Return ``10 log10(power)``, cut ``top_db`` below the loudest value of each clip.

    The maximum is never taken over the batch: a clip's picture does not depend on the
    clips beside it.

    Args:
        power: float32 (batch, frames, bins), not negative.
        top_db: Range of the result in dB.

    Returns:
        float32 (batch, frames, bins) in dB relative to a power of 1.

    Source: ``librosa.power_to_db(power, ref=1.0, amin=1e-10, top_db=top_db)``.

    Example:
        >>> power_to_decibels(tf.constant([[[1.0, 100.0, 0.0]]]), 80.0).numpy().tolist()
        [[[0.0, 20.0, -60.0]]]
    """
    decibels = 10.0 / math.log(10.0) * tf.math.log(tf.maximum(power, SMALLEST_POWER))
    loudest = tf.reduce_max(decibels, axis=(1, 2), keepdims=True)
    return tf.maximum(decibels, loudest - top_db)
