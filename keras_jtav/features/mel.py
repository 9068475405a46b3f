"""Mel spectrogram in decibels, equal to librosa's (Sec. 4.1)."""

import keras
import numpy as np
import tensorflow as tf

from keras_jtav.config import SAMPLE_RATE_HZ
from keras_jtav.features.decibels import power_to_decibels
from keras_jtav.features.products import multiply


@keras.saving.register_keras_serializable(package="keras_jtav")
class MelSpectrogram(keras.layers.Layer):
    """Log-power mel spectrogram of each clip, on Slaney's scale.

    Always computed in float32, whatever the global dtype policy says. Keep it on the
    host: the short products of a GPU (TF32, bfloat16) are not exact enough.

    Args:
        sample_rate_hz: Rate of the waveform.
        hop_samples: Distance of two frames.
        bins: Number of mel filters, from ``fmin_hz`` to ``fmax_hz``.
        fft_samples: Length of the analysis window, an even number.
        fmin_hz: Lower edge of the lowest filter.
        fmax_hz: Upper edge of the highest filter; 0: half the sample rate.
        top_db: Range kept below the loudest value of a clip, in dB.

    Input: float32 (batch, samples). Output: float32 (batch, frames, bins) in dB.

    Raises:
        ValueError: A size that is not positive, or edges that do not lie in this order
            between 0 and half the sample rate.

    Source: ``librosa.feature.melspectrogram``; why not ``keras.layers.MelSpectrogram``:
    its scale and padding differ and its maximum is taken over the whole batch.

    Example:
        >>> MelSpectrogram()(np.zeros((1, 22050), "float32")).shape
        TensorShape([1, 22, 96])
    """

    def __init__(
        self,
        sample_rate_hz: int = SAMPLE_RATE_HZ,
        hop_samples: int = 1024,
        bins: int = 96,
        fft_samples: int = 2048,
        fmin_hz: float = 0.0,
        fmax_hz: float = 0.0,
        top_db: float = 80.0,
        **kwargs,
    ) -> None:
        super().__init__(**{**kwargs, "dtype": "float32", "trainable": False})
        for name, value in (("hop_samples", hop_samples), ("bins", bins)):
            if value < 1:
                raise ValueError(f"`{name}` must be at least 1; received {value}.")
        if fft_samples < 2 or fft_samples % 2:
            raise ValueError(
                f"`fft_samples` must be a positive even number; received {fft_samples}."
            )
        highest_hz = fmax_hz or sample_rate_hz / 2
        if not 0 <= fmin_hz < highest_hz <= sample_rate_hz / 2:
            raise ValueError(
                f"`fmin_hz` must lie below `fmax_hz`, and that not above half the "
                f"sample rate, {sample_rate_hz / 2:g} Hz; received {fmin_hz:g} and "
                f"{highest_hz:g}."
            )
        self.sample_rate_hz = sample_rate_hz
        self.hop_samples = hop_samples
        self.bins = bins
        self.fft_samples = fft_samples
        self.fmin_hz = fmin_hz
        self.fmax_hz = fmax_hz
        self.top_db = top_db
        self._filters = slaney_filters(
            sample_rate_hz, fft_samples, bins, fmin_hz, highest_hz
        )
        phase = 2 * np.pi * np.arange(fft_samples) / fft_samples
        self._window = (0.5 - 0.5 * np.cos(phase)).astype("float32")

    @property
    def centres_hz(self) -> np.ndarray:
        """Frequencies of the filters' peaks, float64 ``(bins,)``."""
        highest_hz = self.fmax_hz or self.sample_rate_hz / 2
        return filter_edges_hz(self.bins, self.fmin_hz, highest_hz)[1:-1]

    def frames(self, num_samples: int) -> int:
        """Return the number of frames of a clip of ``num_samples``."""
        return 1 + num_samples // self.hop_samples

    def call(self, inputs):
        """Map float32 (batch, samples) to float32 (batch, frames, bins) in dB."""
        margin = self.fft_samples // 2
        spectrum = tf.signal.stft(
            tf.pad(inputs, [[0, 0], [margin, margin]]),
            frame_length=self.fft_samples,
            frame_step=self.hop_samples,
            fft_length=self.fft_samples,
            window_fn=lambda length, dtype: tf.constant(self._window, dtype),
        )  # (batch, frames, fft_samples // 2 + 1)
        power = tf.square(tf.math.real(spectrum)) + tf.square(tf.math.imag(spectrum))
        return power_to_decibels(multiply(power, self._filters), self.top_db)

    def compute_output_shape(self, input_shape):
        """Return (batch, frames, bins)."""
        batch, num_samples = input_shape
        frames = None if num_samples is None else self.frames(num_samples)
        return (batch, frames, self.bins)

    def get_config(self):
        """Return the constructor's arguments."""
        return {
            **super().get_config(),
            "sample_rate_hz": self.sample_rate_hz,
            "hop_samples": self.hop_samples,
            "bins": self.bins,
            "fft_samples": self.fft_samples,
            "fmin_hz": self.fmin_hz,
            "fmax_hz": self.fmax_hz,
            "top_db": self.top_db,
        }


def slaney_filters(
    sample_rate_hz: int, fft_samples: int, bins: int, fmin_hz: float, fmax_hz: float
) -> np.ndarray:
    """Return triangular filters of unit area on Slaney's mel scale.

    Returns:
        float32 (fft_samples // 2 + 1, bins): multiply a power spectrum from the left.

    Source: ``librosa.filters.mel`` (``htk=False, norm="slaney"``).
    """
    edges_hz = filter_edges_hz(bins, fmin_hz, fmax_hz)
    spectrum_hz = np.fft.rfftfreq(fft_samples, 1 / sample_rate_hz)[:, None]
    left, centre, right = edges_hz[:-2], edges_hz[1:-1], edges_hz[2:]
    rising = (spectrum_hz - left) / (centre - left)
    falling = (right - spectrum_hz) / (right - centre)
    triangles = np.maximum(0, np.minimum(rising, falling))
    return (triangles * 2 / (right - left)).astype("float32")


def filter_edges_hz(bins: int, fmin_hz: float, fmax_hz: float) -> np.ndarray:
    """Return where filters begin, peak and end: each peak is its neighbours' edge.

    Returns:
        float64 ``(bins + 2,)``.
    """
    lowest, highest = _hz_to_mel(np.array([fmin_hz, fmax_hz]))
    return _mel_to_hz(np.linspace(lowest, highest, bins + 2))


# Slaney's scale: 15 mel per 1000 Hz up to 1000 Hz, then 27 mel per factor of 6.4.
_MEL_PER_HZ = 15 / 1000
_MEL_PER_LOG = 27 / np.log(6.4)


def _hz_to_mel(hz: np.ndarray) -> np.ndarray:
    logarithmic = 15 + _MEL_PER_LOG * np.log(np.maximum(hz, 1000) / 1000)
    return np.where(hz < 1000, hz * _MEL_PER_HZ, logarithmic)


def _mel_to_hz(mel: np.ndarray) -> np.ndarray:
    logarithmic = 1000 * np.exp((np.maximum(mel, 15) - 15) / _MEL_PER_LOG)
    return np.where(mel < 15, mel / _MEL_PER_HZ, logarithmic)
