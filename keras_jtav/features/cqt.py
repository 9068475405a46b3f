"""Constant-Q spectrogram in decibels, equal to librosa's (Sec. 4.1)."""

import math

import keras
import numpy as np
import tensorflow as tf

from keras_jtav.config import SAMPLE_RATE_HZ
from keras_jtav.features.cqt_kernels import (
    BINS_PER_OCTAVE,
    DECIMATOR_MARGIN,
    decimator,
    frequencies_hz,
    highest_hz,
    octave_kernel,
)
from keras_jtav.features.decibels import power_to_decibels
from keras_jtav.features.products import multiply

C1_HZ = 32.70319566257483
# Choice: output samples per step of the decimator; 64 keeps its matrix in the cache.
_BLOCK = 64
# Choice: filters that span more steps read frames (speed only).
_MOST_PARTS = 5


@keras.saving.register_keras_serializable(package="keras_jtav")
class ConstantQ(keras.layers.Layer):
    """Log-power constant-Q transform of each clip, 12 bins per octave.

    The top octave is measured on the waveform itself; then the waveform is decimated
    2:1 and the next octave is measured, and so on down. Always computed in float32,
    whatever the global dtype policy says. Keep it on the host: under a GPU's TF32 its
    products err by up to 10 dB.

    Args:
        sample_rate_hz: Rate of the waveform.
        hop_samples: Distance of two frames; a multiple of 2^(octaves - 1).
        bins: Number of bins, from ``fmin_hz`` upwards.
        fmin_hz: Centre of the lowest bin.
        top_db: Range kept below the loudest value of a clip, in dB.

    Input: float32 (batch, samples), ``samples`` static. Output: float32 (batch, frames,
    bins) in dB, lowest bin first.

    Raises:
        ValueError: A hop that the octaves do not divide, bins above half the sample
            rate, a size that is not positive, or (on call) an unknown clip length.

    Source: ``librosa.cqt`` (Hann windows, 1 % sparsity, ``soxr_hq`` decimation). Where
    all bins lie so low that librosa skips two octaves or more (72 bins from C1 do not),
    the first and last frames differ from its own.

    Example:
        >>> ConstantQ()(np.zeros((1, 22050), "float32")).shape
        TensorShape([1, 22, 96])
    """

    def __init__(
        self,
        sample_rate_hz: int = SAMPLE_RATE_HZ,
        hop_samples: int = 1024,
        bins: int = 96,
        fmin_hz: float = C1_HZ,
        top_db: float = 80.0,
        **kwargs,
    ) -> None:
        super().__init__(**{**kwargs, "dtype": "float32", "trainable": False})
        if bins < 1:
            raise ValueError(f"`bins` must be at least 1; received {bins}.")
        if fmin_hz <= 0:
            raise ValueError(f"`fmin_hz` must be above 0; received {fmin_hz:g}.")
        self._octaves = math.ceil(bins / BINS_PER_OCTAVE)
        smallest_hop = 2 ** (self._octaves - 1)
        if hop_samples < 1 or hop_samples % smallest_hop:
            raise ValueError(
                f"`hop_samples` must be a multiple of {smallest_hop} for "
                f"{self._octaves} octaves; received {hop_samples}. Use "
                f"{max(1, round(hop_samples / smallest_hop)) * smallest_hop}, or lower "
                "`bins`."
            )
        if highest_hz(fmin_hz, bins) > sample_rate_hz / 2:
            raise ValueError(
                f"{bins} bins from {fmin_hz:g} Hz reach "
                f"{highest_hz(fmin_hz, bins):.0f} Hz; half the sample rate is "
                f"{sample_rate_hz / 2:g} Hz. Lower `bins` or `fmin_hz`."
            )
        self.sample_rate_hz = sample_rate_hz
        self.hop_samples = hop_samples
        self.bins = bins
        self.fmin_hz = fmin_hz
        self.top_db = top_db
        self._skipped = self._count_skipped_octaves()
        self._kernels = self._make_kernels()
        self._decimator = decimator(_BLOCK)

    @property
    def centres_hz(self) -> np.ndarray:
        """Centre frequencies of the bins, float64 ``(bins,)``."""
        return frequencies_hz(self.fmin_hz, self.bins)

    def _count_skipped_octaves(self) -> int:
        """Return how often the waveform is decimated before its top octave.

        Source: librosa's early downsampling; half an octave of room is kept.
        """
        room = math.log2(self.sample_rate_hz / 2 / highest_hz(self.fmin_hz, self.bins))
        hop_halvings = (self.hop_samples & -self.hop_samples).bit_length() - 1
        return max(0, min(math.ceil(room) - 2, hop_halvings - self._octaves + 1))

    def _make_kernels(self) -> list[np.ndarray]:
        """Return (samples, 2 * bins) per octave, highest octave first."""
        centres_hz = frequencies_hz(self.fmin_hz, self.bins)
        kernels = []
        for octave in range(self._octaves):
            stop = self.bins - octave * BINS_PER_OCTAVE
            rate_hz = self.sample_rate_hz / 2 ** (self._skipped + octave)
            own = centres_hz[max(0, stop - BINS_PER_OCTAVE) : stop]
            kernels.append(octave_kernel(own, rate_hz))
        return kernels

    def frames(self, num_samples: int) -> int:
        """Return the number of frames of a clip of ``num_samples``."""
        return 1 + num_samples // self.hop_samples

    def call(self, inputs):
        """Map float32 (batch, samples) to float32 (batch, frames, bins) in dB."""
        frames = self.frames(_known(inputs.shape[1]))
        # Each clip on its own: in a product of many rows a row's place decides in which
        # order its terms are added, and a clip's last bits would depend on its batch.
        power = tf.map_fn(
            self._power, inputs, fn_output_signature=tf.TensorSpec((frames, self.bins))
        )
        return power_to_decibels(power, self.top_db)

    def _power(self, samples):
        """Map one clip (samples,) to its power, (frames, bins)."""
        frames, hop = self.frames(samples.shape[0]), self.hop_samples
        for _ in range(self._skipped):
            samples, hop = self._halve(samples), hop // 2
        octaves = []
        for octave, kernel in enumerate(self._kernels):
            if octave:
                samples, hop = self._halve(samples), hop // 2
            octaves.insert(0, _measure(samples, kernel, hop, frames))
        return tf.concat(octaves, axis=-1)

    def _halve(self, samples):
        """Decimate (samples,) to (ceil(samples / 2),)."""
        num_samples = samples.shape[0]
        blocks = math.ceil(num_samples / (2 * _BLOCK))
        end = 2 * _BLOCK * blocks - num_samples + DECIMATOR_MARGIN
        padded = tf.pad(samples, [[DECIMATOR_MARGIN, end]])
        halved = _filtered(padded, self._decimator, 2 * _BLOCK)  # (blocks, _BLOCK)
        return tf.reshape(halved, [-1])[: math.ceil(num_samples / 2)]

    def compute_output_shape(self, input_shape):
        """Return (batch, frames, bins)."""
        batch, num_samples = input_shape
        return (batch, self.frames(_known(num_samples)), self.bins)

    def get_config(self):
        """Return the constructor's arguments."""
        return {
            **super().get_config(),
            "sample_rate_hz": self.sample_rate_hz,
            "hop_samples": self.hop_samples,
            "bins": self.bins,
            "fmin_hz": self.fmin_hz,
            "top_db": self.top_db,
        }


def _known(num_samples: int | None) -> int:
    if num_samples is None:
        raise ValueError(
            "ConstantQ needs to know the clip length: the number of samples of its "
            "input is None. Cut the waveform with `cut_segments`, or set the static "
            "shape, such as `keras.Input((220500,))`."
        )
    return num_samples


def _measure(samples, kernel: np.ndarray, hop: int, frames: int):
    """Return the power of one octave: (samples,) -> (frames, bins)."""
    margin = len(kernel) // 2
    covered = (frames - 1) * hop + len(kernel)
    end = max(0, covered - margin - samples.shape[0])
    padded = tf.pad(samples, [[margin, end]])[:covered]
    real, imaginary = tf.split(_filtered(padded, kernel, hop), 2, axis=-1)
    return tf.square(real) + tf.square(imaginary)


def _filtered(samples, filters: np.ndarray, step: int):
    """Return every filter at every step: (samples,) -> (steps, filters)."""
    length, num_samples = len(filters), samples.shape[0]
    num_parts = math.ceil(length / step)
    if num_parts > _MOST_PARTS:
        return multiply(tf.signal.frame(samples, length, step), filters)
    # Parts as long as a step read the samples where they lie; frames are copies.
    steps = (num_samples - length) // step + 1
    covered = (steps + num_parts - 1) * step
    padded = tf.pad(samples, [[0, max(0, covered - num_samples)]])[:covered]
    rows = tf.reshape(padded, [-1, step])
    products = []
    for number in range(num_parts):
        part = filters[number * step : (number + 1) * step]
        seen = rows[number : number + steps, : len(part)]
        products.append(multiply(seen, part))
    return tf.reduce_sum(products, axis=0)  # chains of + may be reordered in a graph
