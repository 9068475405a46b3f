"""A recording and a picture as a short row of statistics, for the baselines."""

from __future__ import annotations

from functools import cache
from itertools import pairwise
from threading import Lock

import keras
import librosa
import numpy as np
from PIL import Image
from scipy import sparse

from keras_jtav.config import SAMPLE_RATE_HZ
from keras_jtav.layers.picture_statistics import (
    PICTURE_STATISTICS,
    PictureStatistics,
)

NUM_MFCC = 20
COURSE_PARTS, COURSE_MFCC = 8, 13
AUDIO_DIM = 2 * NUM_MFCC + COURSE_PARTS * COURSE_MFCC + 2
QUIET = 150.0  # of the first MFCC: with 64 bands, 150 / 8 = 19 dB below the loudest
FFT_SAMPLES, HOP_SAMPLES, MEL_BANDS = 1024, 512, 64

PICTURE_SIZE = 64
IMAGE_DIM = PICTURE_STATISTICS
# Keras does not promise that a model may be called from several threads.
_ONE_PICTURE = Lock()


def audio_statistics(waveform: np.ndarray) -> np.ndarray:
    """Return statistics of MFCCs, their course over time, and the log duration.

    The course is taken between the first and the last loud frame: the means of 13
    coefficients in eight equal parts, less the mean of the whole.

    Args:
        waveform: float32 ``(samples,)``, mono, 22,050 Hz.

    Returns:
        float64 ``(146,)``: 20 means, 20 standard deviations, 8 x 13 numbers of the
        course, and the logarithms of the seconds in all and between the loud frames.

    Example:
        >>> tone = np.sin(np.arange(22_050) / 10).astype("float32")
        >>> audio_statistics(tone).shape, float(audio_statistics(tone)[-2])
        ((146,), 0.0)
    """
    length = max(len(waveform), FFT_SAMPLES)
    padded = np.pad(waveform, (0, length - len(waveform)))
    spectrum = librosa.stft(padded, n_fft=FFT_SAMPLES, hop_length=HOP_SAMPLES)
    bands = _mel_filters() @ np.abs(spectrum) ** 2  # (bands, frames)
    mfcc = librosa.feature.mfcc(S=librosa.power_to_db(bands), n_mfcc=NUM_MFCC)
    is_loud = np.flatnonzero(mfcc[0] > mfcc[0].max() - QUIET)
    loud = mfcc[:COURSE_MFCC, is_loud[0] : is_loud[-1] + 1]
    samples = np.array([max(len(waveform), 1), loud.shape[1] * HOP_SAMPLES])
    return np.concatenate(
        [
            mfcc.mean(axis=1),
            mfcc.std(axis=1),
            _course(loud).ravel(),
            np.log(samples / SAMPLE_RATE_HZ),
        ]
    )


def picture_statistics(picture: np.ndarray) -> np.ndarray:
    """Return the histograms of ``PictureStatistics`` of a picture of any size.

    The picture is brought to 64 x 64.

    Args:
        picture: uint8 ``(height, width, 3)``.

    Returns:
        float64 ``(208,)``.

    Example:
        >>> red = np.full((10, 10, 3), [255, 0, 0], np.uint8)
        >>> np.flatnonzero(picture_statistics(red)).tolist()  # 3 * 16 + 0 * 4 + 0
        [48]
    """
    small = Image.fromarray(picture).resize(
        (PICTURE_SIZE, PICTURE_SIZE), Image.Resampling.BILINEAR
    )
    pixels = np.asarray(small, "float32")[None]
    # On a GPU sums differ, and what records keep is to be the same wherever it is made.
    with _ONE_PICTURE, keras.device("cpu:0"):
        return np.asarray(_histograms().predict_on_batch(pixels)[0], "float64")


@cache
def _histograms() -> keras.Model:
    """Return the layer as one graph: its operations one by one take ten times as long.

    XLA is for JAX alone, as elsewhere: with TensorFlow it depends on other settings of
    the process whether Keras uses it, and it rounds otherwise.
    """
    pixels = keras.Input((PICTURE_SIZE, PICTURE_SIZE, 3))
    model = keras.Model(pixels, PictureStatistics()(pixels))
    model.compile(jit_compile=keras.backend.backend() == "jax")
    return model


@cache
def _mel_filters() -> sparse.csr_array:
    """Return the filters, (bands, fft bins): librosa makes them anew in each call.

    They are sparse because a dense product rounds as the number of threads has it, and
    statistics that are kept in records must be the same wherever they are made.
    """
    return sparse.csr_array(
        librosa.filters.mel(sr=SAMPLE_RATE_HZ, n_fft=FFT_SAMPLES, n_mels=MEL_BANDS)
    )


def _course(mfcc: np.ndarray) -> np.ndarray:
    """Return the mean of each of eight parts less the whole's, (parts, mfcc)."""
    edges = np.linspace(0, mfcc.shape[1], COURSE_PARTS + 1).astype(int)
    parts = [
        mfcc[:, start : max(end, start + 1)].mean(axis=1)
        for start, end in pairwise(edges)
    ]
    return np.array(parts) - mfcc.mean(axis=1)
