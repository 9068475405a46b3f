"""MFCC, the audio baseline of Table 1 that learns nothing."""

from __future__ import annotations

import keras
import numpy as np
from keras import ops
from scipy.fft import dct

from keras_jtav.features.spec import FeatureSpec


def build_mfcc(spec: FeatureSpec, *, coefficients: int = 20) -> keras.Model:
    """Return means and standard deviations of MFCCs over time, without weights.

    The coefficients are the orthonormal cosine transform of decibels over the bins, as
    librosa's. They are MFCCs on a mel spectrogram (``features.spectrogram=mel``). Its
    decibels come as 0 to 1 below the segment's maximum; that scale and the maximum's
    loudness are not undone.

    Args:
        spec: Sizes of the spectrogram.
        coefficients: How many, the lowest first.

    Returns:
        Model from float (batch, frames, bins) to float (batch, 2 * coefficients).

    Raises:
        ValueError: More coefficients than bins, or none.

    Source:
        JTAV Sec. 4.1 (MFCC); McFee et al. 2015 (librosa).

    Example:
        >>> spec = FeatureSpec(10, 5, 1, 100, 8, frames=54, bins=96, image_size=64)
        >>> build_mfcc(spec).output_shape
        (None, 40)
    """
    if not 1 <= coefficients <= spec.bins:
        raise ValueError(
            f"`coefficients` must be from 1 to the {spec.bins} bins of a spectrogram; "
            f"received {coefficients}."
        )
    spectrogram = keras.Input((spec.frames, spec.bins), name="spectrogram")
    transform = dct(np.eye(spec.bins), type=2, norm="ortho", axis=1)[:, :coefficients]
    projection = keras.layers.Dense(
        coefficients, use_bias=False, trainable=False, name="cosine_transform"
    )
    cepstrum = projection(spectrogram)  # (batch, frames, coefficients)
    projection.set_weights([transform])
    statistics = ops.concatenate(
        [ops.mean(cepstrum, axis=1), ops.std(cepstrum, axis=1)], axis=1
    )
    return keras.Model(spectrogram, statistics)
