"""Pictures inside a graph: encoded bytes to RGB, without raising.

Pixels equal those of ``keras_jtav.data.decode.decode_image``, whose rules hold here.
"""

from __future__ import annotations

from typing import NamedTuple

import tensorflow as tf

from keras_jtav.data.decode import MAX_JPEG_SCANS
from keras_jtav.serving.bmp import decode_bmp, size_bmp
from keras_jtav.serving.chunks import (
    find_jpeg_frame,
    find_png_chunk,
    find_riff_chunk,
    number,
    starts_with,
    to_bytes,
)
from keras_jtav.serving.exif import orientation, upright
from keras_jtav.serving.gif import first_frame

_PNG_COLOUR_AT, _PNG_ALPHA = 25, 4  # the flag of a PNG's colour type
_WEBP_ANIMATION = 2  # the flag of an extended WebP header

# TensorFlow's decoders, each to uint8 (height, width, 3 or 4). Asked for four channels,
# `decode_png` gives opaque pictures of less than 8 bits a wrong alpha: so it is only
# asked where the file has alpha. The JPEG options give Pillow's very numbers.
_DECODERS = (
    lambda encoded: tf.io.decode_png(encoded, channels=3),
    lambda encoded: tf.io.decode_png(encoded, channels=4),
    lambda encoded: tf.io.decode_jpeg(
        encoded, channels=3, dct_method="INTEGER_ACCURATE", fancy_upscaling=True
    ),
    lambda encoded: tf.io.decode_gif(encoded)[0],
    lambda encoded: decode_bmp(to_bytes(encoded)),
    lambda encoded: tf.io.decode_image(encoded, expand_animations=False),
)
_OPAQUE_PNG, _ALPHA_PNG, _JPEG, _GIF, _BMP, _WEBP = range(len(_DECODERS))


class _Plan(NamedTuple):
    """How a file will be decoded, read from its headers.

    Args:
        file: string (), what the decoder gets; empty where nothing can be decoded.
        decoder: int32 (), index of ``_DECODERS``.
        size: int64 (2,), claimed height and width.
        tiff: int64 (), position of the EXIF block's TIFF header, or 0.
        margins: int64 (2, 2), canvas before and after the pixels, per axis.
        canvas: uint8 (3,), its colour.
    """

    file: tf.Tensor
    decoder: tf.Tensor
    size: tf.Tensor
    tiff: tf.Tensor
    margins: tf.Tensor
    canvas: tf.Tensor


@tf.autograph.experimental.do_not_convert  # has nothing to convert: saves seconds
def decode_image_bytes(
    encoded: tf.Tensor, max_pixels: int = 50_000_000
) -> tuple[tf.Tensor, tf.Tensor]:
    """Decode a PNG, JPEG, GIF (first frame), BMP or WebP (not animated) file.

    Alpha is composited over white, EXIF orientation applied. Never raises: a file that
    is broken, cut short, too large or of another kind is an empty picture that is not
    ok, and the other files of a batch are not disturbed.

    Args:
        encoded: string ().
        max_pixels: Files that claim more are refused before they are decoded.

    Returns:
        uint8 (height, width, 3), (0, 0, 3) where not ok; bool () whether the file could
        be read.

    Example:
        >>> image, ok = decode_image_bytes(tf.constant(b"no picture"))
        >>> image.shape, bool(ok)
        (TensorShape([0, 0, 3]), False)
    """
    data = to_bytes(encoded)
    plan = _read_headers(encoded, data)
    height, width = tf.unstack(plan.size + tf.reduce_sum(plan.margins, axis=1))
    file = tf.where(height * width <= max_pixels, plan.file, b"")
    image, ok = _decode_or_flag(file, plan.decoder)
    image = tf.cond(
        tf.shape(image)[2] == 4, lambda: _on_white(image), lambda: image[:, :, :3]
    )
    image = tf.cond(
        ok & tf.reduce_any(plan.margins > 0),
        lambda: _on_canvas(image, plan.margins, plan.canvas),
        lambda: image,
    )
    image = upright(image, orientation(data, plan.tiff))
    return tf.ensure_shape(image, [None, None, 3]), ok


def _decode_or_flag(file: tf.Tensor, decoder: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
    """Return uint8 (height, width, channels) and True, or (0, 0, 3) and False.

    The decoders raise on broken files. A data set that drops its failing element is the
    one place where a graph can recover from that; only they are inside, because what is
    inside is made ready anew for every call.
    """

    def decode(file: tf.Tensor, decoder: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        branches = [lambda decode=decode: decode(file) for decode in _DECODERS]
        image = tf.switch_case(decoder, branches)
        return tf.ensure_shape(image, [None, None, None]), tf.constant(True)

    nothing = (tf.zeros([0, 0, 3], tf.uint8), tf.constant(False))
    attempt = tf.data.Dataset.from_tensors((file, decoder)).map(decode).ignore_errors()
    attempt = attempt.concatenate(tf.data.Dataset.from_tensors(nothing)).take(1)
    return attempt.get_single_element()


def _read_headers(encoded: tf.Tensor, data: tf.Tensor) -> _Plan:
    def plan(file, decoder, size, tiff=0, margins=((0, 0), (0, 0)), canvas=(0, 0, 0)):
        return _Plan(
            file,
            tf.cast(decoder, tf.int32),
            tf.cast(tf.stack(size), tf.int64),
            tf.cast(tiff, tf.int64),
            tf.cast(margins, tf.int64),
            tf.cast(canvas, tf.uint8),
        )

    def png() -> _Plan:
        transparency, _ = find_png_chunk(data, b"tRNS")
        exif, _ = find_png_chunk(data, b"eXIf")
        flag = number(data, _PNG_COLOUR_AT, 1) // _PNG_ALPHA % 2
        has_alpha = (transparency > 0) | (flag == 1)
        width, height = (number(data, at, 4, big_endian=True) for at in (16, 20))
        decoder = tf.where(has_alpha, _ALPHA_PNG, _OPAQUE_PNG)
        return plan(encoded, decoder, (height, width), exif)

    def jpeg() -> _Plan:
        frame, exif = find_jpeg_frame(data)
        scans = (data[:-1] == 0xFF) & (data[1:] == 0xDA)
        is_bearable = tf.math.count_nonzero(scans, dtype=tf.int32) <= MAX_JPEG_SCANS
        file = tf.where((frame > 0) & is_bearable, encoded, b"")
        height, width = (number(data, frame + at, 2, big_endian=True) for at in (1, 3))
        return plan(file, _JPEG, (height, width), exif)

    def gif() -> _Plan:
        file, margins, canvas = first_frame(encoded, data)
        # The rewritten file has the frame's own size, in the canvas's place.
        width, height = (number(to_bytes(file), at, 2) for at in (6, 8))
        return plan(file, _GIF, (height, width), 0, margins, canvas)

    def bmp() -> _Plan:
        return plan(encoded, _BMP, size_bmp(data))

    def webp() -> _Plan:
        # TensorFlow 2.21 ends the process on some animations.
        is_extended = starts_with(data, 12, b"VP8X")
        is_animated = number(data, 20, 1) // _WEBP_ANIMATION % 2 == 1
        file = tf.where(is_extended & is_animated, b"", encoded)
        exif, _ = find_riff_chunk(data, b"EXIF")
        prefix = tf.cast(starts_with(data, exif, b"Exif\0\0"), tf.int64) * 6
        return plan(file, _WEBP, _size_webp(data), exif + prefix)

    kinds = [
        (starts_with(data, 0, b"\x89PNG\r\n\x1a\n"), png),
        (starts_with(data, 0, b"\xff\xd8\xff"), jpeg),
        (starts_with(data, 0, b"GIF8"), gif),
        (starts_with(data, 0, b"BM"), bmp),
        (starts_with(data, 0, b"RIFF") & starts_with(data, 8, b"WEBP"), webp),
        (tf.constant(True), lambda: plan(tf.constant(b""), _BMP, (0, 0))),
    ]
    kind = tf.argmax([matches for matches, _ in kinds], output_type=tf.int32)
    return tf.switch_case(kind, [branch for _, branch in kinds])


def _size_webp(data: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
    """Return int64 () height and width from any of the three kinds of header."""
    bits = number(data, 21, 4)
    lossless = bits // 2**14 % 2**14 + 1, bits % 2**14 + 1
    lossy = number(data, 28, 2) % 2**14, number(data, 26, 2) % 2**14
    extended = number(data, 27, 3) + 1, number(data, 24, 3) + 1
    is_lossless = starts_with(data, 12, b"VP8L")
    is_extended = starts_with(data, 12, b"VP8X")
    return tuple(
        tf.where(is_extended, x, tf.where(is_lossless, y, z))
        for x, y, z in zip(extended, lossless, lossy, strict=True)
    )


def _on_white(image: tf.Tensor) -> tf.Tensor:
    """Composite uint8 (height, width, 4) over white: (height, width, 3)."""
    image = tf.cast(image, tf.uint16)  # holds 255 * 255 + 127
    colours, alpha = image[:, :, :3], image[:, :, 3:]
    blended = (colours * alpha + 255 * (255 - alpha) + 127) // 255
    return tf.cast(blended, tf.uint8)


def _on_canvas(image: tf.Tensor, margins: tf.Tensor, colour: tf.Tensor) -> tf.Tensor:
    channels = [
        tf.pad(image[:, :, index], margins, constant_values=colour[index])
        for index in range(3)
    ]
    return tf.stack(channels, axis=-1)  # (height, width, 3)
