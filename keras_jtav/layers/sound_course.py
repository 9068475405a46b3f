"""How a segment of sound runs from its first to its last loud frame, unlearned."""

import keras
import numpy as np
from keras import ops
from scipy.fft import dct

COEFFICIENTS = 20
PARTS, PART_COEFFICIENTS = 8, 13
LOUD_SHARE = 0.6
SOUND_COURSE = 2 * COEFFICIENTS + PARTS * PART_COEFFICIENTS + 1


@keras.saving.register_keras_serializable(package="keras_jtav")
class SoundCourse(keras.layers.Layer):
    """Describes the loud part of a segment by its cepstrum. No weights.

    The cepstrum is the orthonormal cosine transform of decibels over the bins (MFCCs,
    where the bins are mel filters). A frame is loud if its mean over the bins is at
    least .6 of the loudest frame's. Of what lies between the first and the last loud
    frame the layer returns means and standard deviations of 20 coefficients; their
    course, which is the means of 13 in eight equal parts less those of the whole; and
    the logarithm of the number of frames.

    Choice: a share, so that a segment and the same one fainter have one loud part. Less
    than eight frames give parts that share frames.

    Always float32: a frame at the edge is loud or not.

    Input:
        float (batch, frames, bins), 0 = ``top_db`` below the loudest.

    Output:
        float (batch, 145).

    Example:
        >>> segment = np.zeros((1, 64, 96), "float32")
        >>> segment[:, 8:24] = 0.5
        >>> course = np.asarray(SoundCourse()(segment))
        >>> course.shape, int(np.exp(course[0, -1]).round())
        ((1, 145), 16)
    """

    def __init__(self, **kwargs):
        super().__init__(**{"dtype": "float32", **kwargs, "trainable": False})

    def build(self, spectrogram_shape):
        """Make the transform, (bins, coefficients)."""
        bins = spectrogram_shape[-1]
        basis = dct(np.eye(bins), type=2, norm="ortho", axis=1)[:, :COEFFICIENTS]
        missing = COEFFICIENTS - basis.shape[1]
        self._transform = np.pad(basis, [(0, 0), (0, missing)]).astype("float32")

    def call(self, spectrogram):
        """Return means, deviations, course and log length, row by row."""
        cepstrum = ops.matmul(spectrogram, self._transform)  # (batch, frames, 20)
        num_frames = spectrogram.shape[1]
        first, length = _loud_part(ops.mean(spectrogram, axis=-1))
        whole = _weights(first, length, 1, num_frames)
        mean = ops.matmul(whole, cepstrum)  # (batch, 1, 20)
        variance = ops.matmul(whole, ops.square(cepstrum - mean))
        parts = ops.matmul(_weights(first, length, PARTS, num_frames), cepstrum)
        course = (parts - mean)[:, :, :PART_COEFFICIENTS]
        described = [
            mean,
            ops.sqrt(variance + keras.config.epsilon()),
            course,
        ]
        flat = [
            ops.reshape(values, (-1, values.shape[1] * values.shape[2]))
            for values in described
        ]
        return ops.concatenate([*flat, ops.log(ops.cast(length, "float32"))], axis=1)

    def compute_output_shape(self, spectrogram_shape):
        """Return (batch, 145)."""
        return (spectrogram_shape[0], SOUND_COURSE)


def _loud_part(loudness):
    """Return the first loud frame and the length up to the last, int (batch, 1)."""
    num_frames = loudness.shape[1]
    frames = ops.arange(num_frames)
    loudest = ops.max(loudness, axis=1, keepdims=True)
    is_loud = loudness >= LOUD_SHARE * loudest
    first = ops.min(ops.where(is_loud, frames, num_frames), axis=1, keepdims=True)
    last = ops.max(ops.where(is_loud, frames, -1), axis=1, keepdims=True)
    return first, last - first + 1


def _weights(first, length, parts, num_frames):
    """Return what each frame counts for in each part's mean, (batch, parts, frames)."""
    frames = ops.arange(num_frames)[None, None]  # (1, 1, frames)
    place = frames - first[:, :, None]
    number = ops.arange(parts)[None, :, None]
    length = length[:, :, None]
    start = number * length // parts
    end = ops.maximum((number + 1) * length // parts, start + 1)
    inside = ops.cast((place >= start) & (place < end), "float32")
    return inside / ops.sum(inside, axis=-1, keepdims=True)
