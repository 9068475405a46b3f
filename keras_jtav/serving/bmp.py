"""BMP pictures inside a graph; ``tf.io.decode_bmp`` knows no palettes."""

from __future__ import annotations

import tensorflow as tf

from keras_jtav.serving.chunks import number

_MASKS = (0xFF0000, 0xFF00, 0xFF)  # red, green, blue of a 32-bit pixel
_ALPHA_MASK = 0xFF000000


def size_bmp(data: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
    """Return int64 () height and width that a BMP file claims."""
    height = number(data, 22, 4)
    return tf.where(height >= 2**31, 2**32 - height, height), number(data, 18, 4)


def decode_bmp(data: tf.Tensor) -> tf.Tensor:
    """Decode a BMP file of 1, 4, 8, 24 or 32 bits without compression.

    Args:
        data: uint8 (size,), the whole file.

    Returns:
        uint8 (height, width, 4), red, green, blue, alpha.

    Raises:
        InvalidArgumentError: When run, on other kinds and on files cut short.
    """
    height, width = size_bmp(data)
    offset, bits = number(data, 10, 4), number(data, 28, 2)
    compression = number(data, 30, 4)
    masks = tf.stack([number(data, 54 + 4 * index, 4) for index in range(3)])
    is_masked = compression == 3
    is_usual = tf.reduce_all(masks == tf.constant(_MASKS, tf.int64)) & (bits == 32)
    depths = tf.constant([1, 4, 8, 24, 32], tf.int64)
    checks = [
        tf.debugging.Assert(
            (number(data, 14, 4) >= 40)
            & (number(data, 26, 2) == 1)
            & tf.reduce_any(bits == depths)
            & ((compression == 0) | (is_masked & is_usual)),
            ["BMP of a kind that is not read", bits, compression],
        )
    ]
    with tf.control_dependencies(checks):
        stride = (bits * width + 31) // 32 * 4
    rows = tf.reshape(data[offset : offset + stride * height], [height, stride])
    has_alpha = (
        is_masked & (number(data, 14, 4) >= 56) & (number(data, 66, 4) == _ALPHA_MASK)
    )
    pixels = tf.case(
        [
            (bits == 24, lambda: _opaque(_colours(rows, width, 3))),
            (has_alpha, lambda: _colours(rows, width, 4)),
            (bits == 32, lambda: _opaque(_colours(rows, width, 4)[:, :, :3])),
        ],
        default=lambda: _opaque(_through_palette(data, rows, bits, width)),
    )
    blue, green, red, alpha = tf.unstack(pixels, axis=-1)
    pixels = tf.stack([red, green, blue, alpha], axis=-1)  # (height, width, 4)
    is_top_down = number(data, 22, 4) >= 2**31
    return tf.cond(is_top_down, lambda: pixels, lambda: pixels[::-1])


def _colours(rows: tf.Tensor, width: tf.Tensor, channels: int) -> tf.Tensor:
    return tf.reshape(rows[:, : width * channels], [-1, width, channels])


def _through_palette(
    data: tf.Tensor, rows: tf.Tensor, bits: tf.Tensor, width: tf.Tensor
) -> tf.Tensor:
    """Return (height, width, 3), blue first; colours the file lacks are black."""
    start, used = 14 + number(data, 14, 4), number(data, 46, 4)
    most = 2 ** tf.minimum(bits, 8)
    used = tf.where((used == 0) | (used > most), most, used)
    entries = data[start : start + 4 * used]
    entries = tf.reshape(entries[: tf.size(entries) // 4 * 4], [-1, 4])[:, :3]
    palette = tf.pad(entries, [[0, 256 - tf.shape(entries)[0]], [0, 0]])
    shifts = tf.range(8 - bits, -1, -bits)  # the leftmost pixel is in the high bits
    indices = tf.bitwise.right_shift(tf.cast(rows, tf.int64)[:, :, None], shifts)
    indices = tf.bitwise.bitwise_and(indices, 2**bits - 1)
    indices = tf.reshape(indices, [tf.shape(rows)[0], -1])
    return tf.gather(palette, indices[:, :width])


def _opaque(colours: tf.Tensor) -> tf.Tensor:
    return tf.pad(colours, [[0, 0], [0, 0], [0, 1]], constant_values=255)
