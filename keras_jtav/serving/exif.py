"""EXIF orientation inside a graph: pictures of phones stand upright."""

from __future__ import annotations

import tensorflow as tf

from keras_jtav.serving.chunks import number, starts_with

_ORIENTATION, _SHORT = 0x0112, 3


def orientation(data: tf.Tensor, tiff: tf.Tensor) -> tf.Tensor:
    """Read the orientation from the first directory of an EXIF block.

    Args:
        data: uint8 (size,), the whole file.
        tiff: int64 (), position of the block's TIFF header; 0 where there is none.

    Returns:
        int64 (), 1 to 8; 1 (upright) where the block is absent or broken.

    Source: Exif 2.3, section 4.6.4 (tag 274).
    """
    if_big = starts_with(data, tiff, b"MM")
    is_tiff = (tiff > 0) & (if_big | starts_with(data, tiff, b"II"))

    def read(position: tf.Tensor, size: int) -> tf.Tensor:
        little = number(data, position, size)
        return tf.where(if_big, number(data, position, size, big_endian=True), little)

    directory = tiff + read(tiff + 4, 4)
    end = directory + 2 + 12 * read(directory, 2)
    entries = data[directory + 2 : end]
    entries = tf.reshape(entries[: tf.size(entries) // 12 * 12], [-1, 12])
    entries = tf.cast(entries, tf.int64)
    powers = tf.where(if_big, tf.constant([256, 1], tf.int64), [1, 256])
    tags = tf.linalg.matvec(entries[:, 0:2], powers)
    types = tf.linalg.matvec(entries[:, 2:4], powers)
    values = tf.linalg.matvec(entries[:, 8:10], powers)
    found = values[(tags == _ORIENTATION) & (types == _SHORT)]
    value = tf.concat([found, [1]], axis=0)[0]
    return tf.where(is_tiff & (value >= 1) & (value <= 8), value, 1)


def upright(image: tf.Tensor, orientation: tf.Tensor) -> tf.Tensor:
    """Turn and mirror a picture as its orientation says.

    Args:
        image: uint8 (height, width, 3).
        orientation: int64 (), 1 to 8.

    Returns:
        uint8 (height, width, 3), or (width, height, 3) for orientations 5 to 8.

    Source: ``PIL.ImageOps.exif_transpose``.
    """

    def one_of(*values: int) -> tf.Tensor:
        return tf.reduce_any(orientation == tf.constant(values, tf.int64))

    steps = (
        (one_of(5, 6, 7, 8), lambda: tf.transpose(image, [1, 0, 2])),
        (one_of(3, 4, 7, 8), lambda: tf.reverse(image, [0])),
        (one_of(2, 3, 6, 7), lambda: tf.reverse(image, [1])),
    )
    for condition, change in steps:
        image = tf.cond(condition, change, lambda: image)  # noqa: B023 - runs at once
    return image
