"""The first frame of a GIF inside a graph, transparent pixels white.

``tf.io.decode_gif`` decodes every frame and makes transparent pixels black. So the file
is rewritten first: its first frame alone, the transparent colour of its palette white.
"""

from __future__ import annotations

import tensorflow as tf

from keras_jtav.serving.chunks import MAX_CHUNKS, number, starts_with

_EXTENSION, _CONTROL, _IMAGE = b"\x21", b"\x21\xf9", b"\x2c"
_PALETTE_AT = 13
_LETTERS = [bytes([value]) for value in range(256)]


def first_frame(
    encoded: tf.Tensor, data: tf.Tensor
) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor]:
    """Rewrite a GIF file so that only its first frame is left. Never raises.

    Args:
        encoded: string (), the whole file.
        data: uint8 (size,), the same.

    Returns:
        string (), a GIF of the frame's size, or empty where there is no whole frame;
        int64 (2, 2), the pixels of the canvas before and after the frame, per axis;
        uint8 (3,), the colour of the canvas.

    Source: GIF89a specification, sections 18 to 23.
    """
    shared_bytes = _palette_bytes(number(data, 10, 1))
    image, control = _find_image(data, _PALETTE_AT + shared_bytes)
    left, top, width, height = (number(data, image + at, 2) for at in (1, 3, 5, 7))
    flags = number(data, image + 9, 1)
    own_bytes = _palette_bytes(flags)
    pixels = image + 10 + own_bytes
    end = _end_of_blocks(data, pixels + 1)
    is_whole = starts_with(data, image, _IMAGE) & (end <= tf.size(data, tf.int64))

    transparent = tf.where(
        (control > 0) & (number(data, control + 3, 1) % 2 == 1),
        number(data, control + 6, 1),
        -1,
    )
    start = tf.where(own_bytes > 0, image + 10, _PALETTE_AT)
    palette = data[start : start + tf.where(own_bytes > 0, own_bytes, shared_bytes)]
    palette = tf.reshape(palette[: tf.size(palette) // 3 * 3], [-1, 3])
    is_white = tf.range(tf.shape(palette, tf.int64)[0]) == transparent
    white = tf.fill([3], tf.constant(255, tf.uint8))
    palette = tf.where(is_white[:, None], white, palette)
    canvas = tf.concat([palette, white[None]], axis=0)[0]
    canvas = tf.where(transparent >= 0, white, canvas)

    palette_flags = tf.where(own_bytes > 0, flags, number(data, 10, 1)) % 8 + 128
    is_interlaced = flags // 64 % 2
    size = _piece(encoded, image + 5, 4)
    frame = [
        *(b"GIF89a", size, _letters([palette_flags]), b"\0\0", _letters(palette)),
        *(b",\0\0\0\0", size, _letters([is_interlaced * 64])),
        *(_piece(encoded, pixels, end - pixels), b";"),
    ]
    rows = [top, tf.maximum(number(data, 8, 2) - top - height, 0)]
    columns = [left, tf.maximum(number(data, 6, 2) - left - width, 0)]
    rewritten = tf.where(is_whole, tf.strings.join(frame), b"")
    return rewritten, tf.stack([rows, columns]), canvas


def _piece(encoded: tf.Tensor, start: tf.Tensor, size: tf.Tensor | int) -> tf.Tensor:
    length = tf.cast(tf.strings.length(encoded), tf.int64)
    start = tf.minimum(start, length)
    return tf.strings.substr(encoded, start, tf.cast(size, tf.int64))


def _palette_bytes(flags: tf.Tensor) -> tf.Tensor:
    return tf.where(flags >= 128, 3 * 2 ** (flags % 8 + 1), 0)


def _find_image(data: tf.Tensor, start: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
    """Return int64 () positions of the first image and of its control block (or 0)."""

    def step(at: tf.Tensor, control: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        control = tf.where(starts_with(data, at, _CONTROL), at, control)
        return _end_of_blocks(data, at + 2), control

    return tf.while_loop(
        lambda at, control: starts_with(data, at, _EXTENSION),
        step,
        [start, tf.constant(0, tf.int64)],
        maximum_iterations=MAX_CHUNKS,
    )


def _end_of_blocks(data: tf.Tensor, start: tf.Tensor) -> tf.Tensor:
    """Return int64 (), the end of a chain of sub-blocks with its closing 0.

    Beyond the end of the file if the chain is cut.
    """
    end = tf.while_loop(
        lambda at: number(data, at, 1) > 0,
        lambda at: [at + 1 + number(data, at, 1)],
        [start],
        maximum_iterations=MAX_CHUNKS,
    )[0]
    return end + 1


def _letters(values: tf.Tensor | list[tf.Tensor]) -> tf.Tensor:
    """Return numbers from 0 to 255 as one string ()."""
    values = tf.reshape(tf.cast(values, tf.int32), [-1])
    return tf.strings.reduce_join(tf.gather(tf.constant(_LETTERS), values))
