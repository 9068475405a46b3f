"""Change of the sample rate inside a graph, as soxr's "HQ" does it.

Every rate goes one way. The outputs are made in blocks: a block reads ``span`` inputs
and multiplies them with a matrix of low-pass weights. Where the rates have a small
common pattern (44,100; 48,000; 8,000; ...), a block is a whole number of patterns and
the matrix is the same for all blocks. Else it depends on where the block begins between
two inputs; it is computed at a few such positions (Chebyshev nodes), and the blocks'
results are interpolated between them.
"""

from __future__ import annotations

import numpy as np
import tensorflow as tf

from keras_jtav.config import SAMPLE_RATE_HZ
from keras_jtav.features.cqt_kernels import kaiser_sinc
from keras_jtav.features.products import multiply

# soxr's low-pass, measured: impulse responses at 30 rates, fitted by least squares.
# Times count in samples of the lower of the two rates.
_CUTOFF = 0.95687
# (beta, half width, whether the second stage's droop applies) per kind of ratio.
_SIMPLE = (13.04, 97.25, False)  # 1:2, 2:1, 2:3, 3:1
_WHOLE = (13.711, 102.25, False)  # 4:1, 6:1, 8:1
_FRACTION = (13.7712, 102.3165, True)
_FAR = (14.6586, 108.1537, True)  # a fraction beyond 4:1 or 1:4
_KINDS = (_SIMPLE, _WHOLE, _FRACTION, _FAR)
# Weights of the low-pass itself and of its copies 1/2, 1 and 3/2 samples off: what
# soxr's interpolating stage takes away near the edge of the pass band, 0.1 % at most.
_DROOP = (0.99161615, 0.01336699, -0.0064776, 0.00149446)
_HALF_WIDTH = 110
_TABLE_STEPS = 512  # per sample; linear interpolation errs by -117 dB

_LONGEST_PATTERN = 441
_BLOCK = 64
_NODES = 10
_CHUNK_SAMPLES = 1 << 17  # outputs made at once; bounds the memory

_FACTORS = ((2, 2), (3, 3), (3, 9), (5, 5), (5, 25), (7, 7), (7, 49))  # of 22,050


@tf.autograph.experimental.do_not_convert  # has nothing to convert: saves seconds
def resample(waveform: tf.Tensor, sample_rate_hz: tf.Tensor | int) -> tf.Tensor:
    """Bring a waveform to 22,050 Hz.

    Agrees with ``soxr.resample(waveform, sample_rate_hz, 22050, quality="HQ")``, length
    included. White noise agrees to 62 dB or better at the usual rates, to 100 dB at
    11,025, 44,100 and 88,200 Hz; music and speech, with little at the band's edge, to
    more. Where a recording begins at full level, its first half millisecond differs.
    Runs on the host, as a GPU's short products are not exact enough.

    Args:
        waveform: float32 (samples,).
        sample_rate_hz: int (), its rate, 1,000 to 384,000; may differ from call to
            call of one graph.

    Returns:
        float32 (round(samples * 22050 / sample_rate_hz),).

    Example:
        >>> resample(tf.zeros([44100]), 44100).shape
        TensorShape([22050])
    """
    with tf.device("/CPU:0"):
        rate_hz = tf.cast(sample_rate_hz, tf.int64)
        result = tf.cond(
            rate_hz == SAMPLE_RATE_HZ,
            lambda: tf.convert_to_tensor(waveform),
            lambda: _change_rate(tf.convert_to_tensor(waveform), rate_hz),
        )
    return tf.ensure_shape(result, [None])


def _change_rate(waveform: tf.Tensor, rate_hz: tf.Tensor) -> tf.Tensor:
    common = tf.reduce_prod(
        [tf.where(rate_hz % power == 0, prime, 1) for prime, power in _FACTORS]
    )
    common = tf.cast(common, tf.int64)
    up, down = SAMPLE_RATE_HZ // common, rate_hz // common
    # The graph optimiser turns x / constant into x * (1 / constant), which rounds
    # otherwise than soxr does and would change some lengths by one.
    ratio = tf.math.divide_no_nan(
        tf.cast(rate_hz, tf.float64), tf.constant(SAMPLE_RATE_HZ, tf.float64)
    )
    num_outputs = tf.cast(
        tf.cast(tf.size(waveform), tf.float64) / ratio + 0.5, tf.int64
    )
    is_pattern = up <= _LONGEST_PATTERN
    block = tf.where(is_pattern, -(-_BLOCK // up) * up, _BLOCK)
    nodes = tf.cond(is_pattern, lambda: tf.zeros([1], tf.float64), _chebyshev_nodes)
    margin = tf.cast(tf.math.ceil(_HALF_WIDTH * tf.maximum(ratio, 1.0)), tf.int64) + 1
    # Blocks that begin a fixed step apart are gathered in rows of that step.
    row = tf.where(is_pattern, block * down // up, 1)
    reach = tf.cast(tf.cast(block - 1, tf.float64) * ratio, tf.int64)
    rows = -(-(reach + 2 * margin + 2) // row)
    inputs = tf.cast(tf.range(rows * row) - margin, tf.float64)
    weights = _weights(_kind(up, down), inputs, ratio, block, nodes)
    length = margin + tf.size(waveform, tf.int64)
    padding = rows * row + (-length) % row
    padded = tf.reshape(tf.pad(waveform, [[margin, padding]]), [-1, row])
    num_blocks = tf.maximum(-(-num_outputs // block), 1)
    at_once = tf.clip_by_value(_CHUNK_SAMPLES // block, 1, num_blocks)

    def chunk(first: tf.Tensor) -> tf.Tensor:
        blocks = tf.minimum(first + tf.range(at_once), num_blocks - 1)
        # Where a block begins: in 1 / 22,050ths of an input, counted exactly.
        ticks = blocks * block * rate_hz
        starts = ticks // SAMPLE_RATE_HZ
        offsets = tf.cast(ticks % SAMPLE_RATE_HZ, tf.float64) / SAMPLE_RATE_HZ
        span = tf.gather(padded, (starts // row)[:, None] + tf.range(rows))
        span = tf.reshape(span, [at_once, rows * row])
        at_nodes = multiply(span, tf.reshape(weights, [rows * row, -1]))
        at_nodes = tf.reshape(at_nodes, [at_once, block, tf.size(nodes, tf.int64)])
        shares = tf.cond(
            is_pattern,
            lambda: tf.ones([at_once, 1]),
            lambda: _chebyshev_shares(offsets),
        )
        return multiply(at_nodes, shares[:, :, None])[:, :, 0]  # (blocks, block)

    outputs = tf.map_fn(
        chunk,
        tf.range(0, num_blocks, at_once),
        fn_output_signature=tf.TensorSpec([None, None], tf.float32),
        parallel_iterations=1,
    )
    return tf.reshape(outputs, [-1])[:num_outputs]


def _kind(up: tf.Tensor, down: tf.Tensor) -> tf.Tensor:
    """Return int32 (), the row of ``_KINDS`` of a ratio."""
    is_far = (down >= 4 * up) | (up >= 4 * down)
    kind = tf.where(is_far, _KINDS.index(_FAR), _KINDS.index(_FRACTION))
    kind = tf.where((up == 1) & (down > 3), _KINDS.index(_WHOLE), kind)
    return tf.where(tf.maximum(up, down) <= 3, _KINDS.index(_SIMPLE), kind)


def _weights(
    kind: tf.Tensor,
    inputs: tf.Tensor,
    ratio: tf.Tensor,
    block: tf.Tensor,
    nodes: tf.Tensor,
) -> tf.Tensor:
    """Return float32 (span, block, nodes): the low-pass from each input to each output.

    ``inputs`` are positions relative to the block's first, float64 (span,); a node
    moves the block's first output by part of an input.
    """
    scale = tf.minimum(1 / ratio, 1.0)  # samples of the lower rate per input
    outputs = tf.cast(tf.range(block), tf.float64) * ratio
    distance = inputs[:, None, None] - outputs[:, None] - nodes
    steps = tf.abs(distance) * scale * _TABLE_STEPS
    table = tf.gather(tf.constant(_lowpass_table()), kind)
    steps = tf.minimum(steps, tf.cast(tf.size(table) - 2, tf.float64))
    below = tf.cast(steps, tf.int32)
    part = tf.cast(steps - tf.cast(below, tf.float64), tf.float32)
    left, right = tf.gather(table, below), tf.gather(table, below + 1)
    return (left + (right - left) * part) * tf.cast(scale, tf.float32)


def _lowpass_table() -> np.ndarray:
    """Return float32 (kinds, steps): one side of each low-pass, sampled densely."""
    times = np.arange(_HALF_WIDTH * _TABLE_STEPS) / _TABLE_STEPS
    rows = []
    for beta, half_width, droops in _KINDS:
        row = _droop_free = kaiser_sinc(times, _CUTOFF, beta, half_width)
        if droops:
            row = _DROOP[0] * _droop_free
            for index, share in enumerate(_DROOP[1:], start=1):
                for shifted in (times - index / 2, times + index / 2):
                    row += share / 2 * kaiser_sinc(shifted, _CUTOFF, beta, half_width)
        rows.append(row)
    return np.stack(rows).astype("float32")


def _chebyshev_nodes() -> tf.Tensor:
    """Return float64 (nodes,) in (0, 1)."""
    angles = (np.arange(_NODES) + 0.5) * np.pi / _NODES
    return tf.constant((1 + np.cos(angles)) / 2)


def _chebyshev_shares(offsets: tf.Tensor) -> tf.Tensor:
    """Return float32 (blocks, nodes), how much each node counts at each offset.

    At x = cos(a) the node x_j = cos(a_j) counts (1 + 2 sum_k cos(k a_j) cos(k a)) / n.
    """
    orders = np.arange(_NODES)
    angles = (orders + 0.5) * np.pi / _NODES
    factors = np.where(orders == 0, 1, 2)[:, None] / _NODES
    to_nodes = tf.constant(factors * np.cos(orders[:, None] * angles))
    angle = tf.acos(tf.clip_by_value(2 * offsets - 1, -1.0, 1.0))
    polynomials = tf.cos(angle[:, None] * orders.astype("float64"))
    return tf.cast(tf.matmul(polynomials, to_nodes), tf.float32)
