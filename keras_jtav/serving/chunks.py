"""Reading files made of chunks, inside a graph: RIFF (WAV, WebP), PNG and JPEG.

Nothing here raises: what lies beyond the end of the bytes reads as 0, and what is not
found is at position 0.
"""

from __future__ import annotations

from collections.abc import Callable

import tensorflow as tf

# Choice: hostile files of millions of empty chunks are not followed to their end.
MAX_CHUNKS = 100_000
# Markers of a frame header: C0 to CF without C4, C8 and CC.
_JPEG_FRAMES = [code for code in range(0xC0, 0xD0) if code not in (0xC4, 0xC8, 0xCC)]


def to_bytes(contents: tf.Tensor) -> tf.Tensor:
    """Return a scalar string as uint8 (size,)."""
    return tf.reshape(tf.io.decode_raw(contents, tf.uint8), [-1])


def number(
    data: tf.Tensor, position: tf.Tensor | int, size: int, big_endian: bool = False
) -> tf.Tensor:
    """Read an unsigned number.

    Args:
        data: uint8 (size,).
        position: int64 (), of its first byte; not negative.
        size: Its length in bytes, 1 to 4.
        big_endian: Whether the first byte counts most.

    Returns:
        int64 ().

    Example:
        >>> int(number(to_bytes(tf.constant(b"ab01")), 2, 1))
        48
    """
    powers = [256**index for index in range(size)]
    if big_endian:
        powers.reverse()
    digits = tf.cast(data[position : position + size], tf.int64)
    return tf.reduce_sum(digits * tf.constant(powers, tf.int64)[: tf.size(digits)])


def starts_with(data: tf.Tensor, position: tf.Tensor | int, text: bytes) -> tf.Tensor:
    """Return bool (): whether ``text`` stands at ``position``."""
    expected = tf.constant(list(text), tf.uint8)
    found = data[position : position + len(text)]
    same = tf.size(found) == len(text)
    return same & tf.reduce_all(found == expected[: tf.size(found)])


def find_riff_chunk(data: tf.Tensor, tag: bytes) -> tuple[tf.Tensor, tf.Tensor]:
    """Find the first chunk of a RIFF file with a tag of four letters.

    Returns:
        int64 () position of its content (0: absent), int64 () size it claims.
    """

    def after(position: tf.Tensor) -> tf.Tensor:
        size = number(data, position + 4, 4)
        return position + 8 + size + size % 2

    position = _walk(data, 12, 8, lambda at: starts_with(data, at, tag), after)
    return _content(position, 8), number(data, position + 4, 4)


def find_png_chunk(data: tf.Tensor, tag: bytes) -> tuple[tf.Tensor, tf.Tensor]:
    """Find the first chunk of a PNG file; returns what ``find_riff_chunk`` returns."""

    def after(position: tf.Tensor) -> tf.Tensor:
        return position + 12 + number(data, position, 4, big_endian=True)

    position = _walk(data, 8, 12, lambda at: starts_with(data, at + 4, tag), after)
    return _content(position, 8), number(data, position, 4, big_endian=True)


def find_jpeg_frame(data: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
    """Walk the segments of a JPEG up to its frame header.

    Returns:
        int64 () position of the frame header's content (0: absent), which begins with
        precision, height and width; int64 () position of the TIFF header in the EXIF
        segment before it, or 0.
    """

    def found_exif(at: tf.Tensor) -> tf.Tensor:
        is_exif = starts_with(data, at + 4, b"Exif\0\0")
        return starts_with(data, at, b"\xff\xe1") & is_exif

    def found_frame(at: tf.Tensor) -> tf.Tensor:
        marker = number(data, at + 1, 1)
        is_frame = tf.reduce_any(marker == tf.constant(_JPEG_FRAMES, tf.int64))
        return is_frame & starts_with(data, at, b"\xff")

    def after(at: tf.Tensor) -> tf.Tensor:
        is_fill = starts_with(data, at, b"\xff\xff")
        return at + tf.where(~is_fill, 2 + number(data, at + 2, 2, big_endian=True), 1)

    frame = _walk(data, 2, 10, found_frame, after)
    exif = _walk(data, 2, 10, lambda at: found_exif(at) | (at >= frame), after)
    exif = tf.where(exif < frame, exif, 0)
    return _content(frame, 4), _content(exif, 10)


def _content(position: tf.Tensor, header: int) -> tf.Tensor:
    return tf.where(position > 0, position + header, 0)


def _walk(
    data: tf.Tensor,
    start: int,
    header: int,
    found: Callable[[tf.Tensor], tf.Tensor],
    after: Callable[[tf.Tensor], tf.Tensor],
) -> tf.Tensor:
    """Return int64 () position of the first chunk that is ``found``, or 0."""
    end = tf.size(data, tf.int64)
    position = tf.while_loop(
        lambda at: (at + header <= end) & ~found(at),
        lambda at: [after(at)],
        [tf.constant(start, tf.int64)],
        maximum_iterations=MAX_CHUNKS,
    )[0]
    here = (position + header <= end) & found(position)
    return tf.where(here, position, tf.constant(0, tf.int64))
