"""Histograms of a picture's colours and gradients: what needs no learning."""

import math

import keras
import numpy as np
from keras import ops

CELLS = 4
ORIENTATIONS = 9
LEVELS = 4
PICTURE_STATISTICS = LEVELS**3 + CELLS**2 * ORIENTATIONS
_GRAY = (0.299, 0.587, 0.114)  # ITU-R BT.601
_REFERENCE_PIXELS = 16**2  # of one cell of a 64 x 64 picture


@keras.saving.register_keras_serializable(package="keras_jtav")
class PictureStatistics(keras.layers.Layer):
    """Counts colours and edge directions.

    Colours: 4 x 4 x 4 bins, square roots of shares. Gradients: 4 x 4 cells of 9
    orientations, each cell divided by the mean length of the 2 x 2 blocks that it
    belongs to. No weights.

    Input:
        float (batch, height, width, 3), red, green, blue from 0 to 255.

    Output:
        float (batch, 208).

    Source:
        Dalal and Triggs 2005, Histograms of Oriented Gradients for Human Detection
        (simplified).

    Example:
        >>> import numpy as np
        >>> red = np.full((1, 64, 64, 3), [255, 0, 0], "float32")
        >>> statistics = np.asarray(PictureStatistics()(red))
        >>> np.flatnonzero(statistics[0]).tolist()  # 3 * 16 + 0 * 4 + 0
        [48]
    """

    def call(self, pixels):
        """Return the square roots of colour shares, and the normalised gradients."""
        pixels = ops.cast(pixels, "float32")
        statistics = [_colours(pixels), _gradients(pixels)]
        return ops.cast(ops.concatenate(statistics, axis=1), self.compute_dtype)

    def compute_output_shape(self, pixels_shape):
        """Return (batch, 208)."""
        return (pixels_shape[0], PICTURE_STATISTICS)


def _colours(pixels):
    """Return the square roots of the shares of 64 colours, (batch, 64)."""
    height, width = pixels.shape[1:3]
    levels = ops.clip(ops.floor(pixels * (LEVELS / 256)), 0, LEVELS - 1)
    is_level = ops.one_hot(ops.cast(levels, "int32"), LEVELS, dtype="float32")
    is_level = ops.reshape(is_level, (-1, height * width, 3, LEVELS))
    red, green, blue = (is_level[:, :, channel] for channel in range(3))
    red_green = ops.reshape(
        red[..., None] * green[..., None, :], (-1, height * width, LEVELS**2)
    )
    counts = ops.einsum("bpi,bpj->bij", red_green, blue)
    return ops.sqrt(ops.reshape(counts / (height * width), (-1, LEVELS**3)))


def _gradients(pixels):
    """Return the normalised histograms of all cells, (batch, 16 * 9)."""
    height, width = pixels.shape[1:3]
    gray = ops.sqrt(ops.sum(pixels * ops.array(_GRAY, "float32"), axis=-1) / 255)
    down, right = _differences(gray, axis=1), _differences(gray, axis=2)
    size = ops.sqrt(ops.square(down) + ops.square(right))
    # Without a sign: an edge from dark to light is the same as one from light to dark.
    turns = ops.mod(ops.arctan2(down, right), math.pi) / math.pi
    bins = ops.arange(ORIENTATIONS, dtype="float32")
    distance = ops.abs(turns[..., None] * ORIENTATIONS - bins)
    distance = ops.minimum(distance, ORIENTATIONS - distance)
    shares = ops.relu(1 - distance) * size[..., None]  # (batch, height, width, bins)
    sums = ops.einsum("bhwk,hi,wj->bijk", shares, _cells(height), _cells(width))
    histogram = sums * (_REFERENCE_PIXELS * CELLS**2 / (height * width))
    energy = ops.sum(ops.square(histogram), axis=-1)  # (batch, cells, cells)
    energy = _pad_edge(_pad_edge(energy, axis=1), axis=2)
    norm = _pairwise_sum(ops.sqrt(_pairwise_sum(energy))) / 4 + 0.1
    return ops.reshape(histogram / norm[..., None], (-1, CELLS**2 * ORIENTATIONS))


def _differences(values, axis):
    """Return half the difference of both neighbours, at the edge the whole of one."""
    length = values.shape[axis]
    padded = _pad_edge(values, axis)
    change = _part(padded, axis, 2, None) - _part(padded, axis, None, -2)
    share = np.full(length, 0.5, "float32")
    share[[0, -1]] = 1.0
    shape = [1, 1, 1]
    shape[axis] = length
    return change * share.reshape(shape)


def _cells(length):
    """Return which of the cells each row or column is in, (length, cells)."""
    return ops.one_hot(ops.arange(length) * CELLS // length, CELLS, dtype="float32")


def _pad_edge(values, axis):
    """Return the values with the first and the last repeated."""
    first, last = _part(values, axis, None, 1), _part(values, axis, -1, None)
    return ops.concatenate([first, values, last], axis=axis)


def _part(values, axis, start, end):
    """Return a slice along an axis."""
    return values[(slice(None),) * axis + (slice(start, end),)]


def _pairwise_sum(grid):
    """Return the sum of every 2 x 2 neighbourhood of (batch, rows, columns)."""
    rows = grid[:, :-1] + grid[:, 1:]
    return rows[:, :, :-1] + rows[:, :, 1:]
