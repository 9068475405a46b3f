"""Pictures at the size the image encoders take."""

from __future__ import annotations

import tensorflow as tf


def resize_image(image, size: int):
    """Resize a picture to a square.

    Choice: the sides are stretched, as the paper's fixed 224 x 224 input implies
    (Sec. 4.1); nothing is cut off or padded. Antialiased bilinear, so that a large
    photograph is averaged instead of sampled.

    Args:
        image: uint8 ``(height, width, 3)``; an empty one stands for a missing picture.
        size: Height and width of the result in pixels.

    Returns:
        uint8 ``(size, size, 3)``; zeros for an empty picture.

    Raises:
        ValueError: A dtype other than uint8 or a channel count other than 3.

    Example:
        >>> import numpy as np
        >>> float(resize_image(np.full((2, 5, 3), 7, "uint8"), 4).numpy().mean())
        7.0
    """
    image = tf.convert_to_tensor(image)
    if (
        image.dtype != tf.uint8
        or image.shape.rank != 3
        or image.shape[2] not in (None, 3)
    ):
        raise ValueError(
            "`image` must be uint8 (height, width, 3); received "
            f"{image.dtype.name} {image.shape}. Decode it as RGB first."
        )

    def resized():
        pixels = tf.image.resize(image, (size, size), method="bilinear", antialias=True)
        return tf.cast(tf.clip_by_value(tf.round(pixels), 0.0, 255.0), tf.uint8)

    def blank():
        return tf.zeros((size, size, 3), tf.uint8)

    result = tf.cond(tf.size(image) > 0, resized, blank)
    return tf.ensure_shape(result, (size, size, 3))
