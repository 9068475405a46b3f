"""WAV files inside a graph: encoded bytes to a mono waveform, without raising."""

from __future__ import annotations

import tensorflow as tf

from keras_jtav.config import SAMPLE_RATE_HZ
from keras_jtav.data.decode import (
    MAX_CHANNELS,
    MAX_RATE_HZ,
    MAX_SAMPLE,
    MIN_RATE_HZ,
)
from keras_jtav.serving.chunks import find_riff_chunk, number, starts_with, to_bytes

_PCM, _FLOAT, _EXTENSIBLE = 1, 3, 0xFFFE
_SUBFORMAT_AT = 24  # where an EXTENSIBLE header keeps the format that counts


@tf.autograph.experimental.do_not_convert  # has nothing to convert: saves seconds
def parse_wav(
    encoded: tf.Tensor, max_seconds: float = 600.0
) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor]:
    """Decode a RIFF WAV file: PCM of 8, 16, 24 or 32 bits, float of 32 or 64.

    Plain and EXTENSIBLE headers, 1 to 16 channels (their mean), 1,000 to 384,000 Hz,
    unknown chunks between. Of a data chunk that ends early the whole frames count
    (``decode_audio`` refuses such a file: there a training set can be mended).
    Never raises: what cannot be read (no RIFF, other codecs, an absurd header, no
    frames, samples that are NaN or above 1e9) is an empty waveform that is not ok.

    Args:
        encoded: string ().
        max_seconds: What comes later is left out.

    Returns:
        float32 (samples,) in [-1, 1] (floats as they are); int32 () sample rate in Hz,
        22,050 where not ok; bool () whether the file could be read.

    Example:
        >>> waveform, rate_hz, ok = parse_wav(tf.constant(b"no recording"))
        >>> waveform.shape, bool(ok)
        (TensorShape([0]), False)
    """
    data = to_bytes(encoded)
    header, header_size = find_riff_chunk(data, b"fmt ")
    start, size = find_riff_chunk(data, b"data")
    code, bits = number(data, header, 2), number(data, header + 14, 2)
    code = tf.where(
        (code == _EXTENSIBLE) & (header_size >= _SUBFORMAT_AT + 2),
        number(data, header + _SUBFORMAT_AT, 2),
        code,
    )
    channels, rate_hz = number(data, header + 2, 2), number(data, header + 4, 4)
    kinds = [
        (code == its_code) & (bits == its_bits) for its_code, its_bits, _ in _DECODERS
    ]
    ok = (
        starts_with(data, 0, b"RIFF")
        & starts_with(data, 8, b"WAVE")
        & (header > 0)
        & (start > 0)
        & tf.reduce_any(kinds)
        & (channels >= 1)
        & (channels <= MAX_CHANNELS)
        & (rate_hz >= MIN_RATE_HZ)
        & (rate_hz <= MAX_RATE_HZ)
    )
    channels = tf.where(ok, channels, 1)
    rate_hz = tf.where(ok, rate_hz, SAMPLE_RATE_HZ)
    frame_bytes = channels * tf.where(ok, bits // 8, 1)
    frames = tf.minimum(size, tf.size(data, tf.int64) - start) // frame_bytes
    most = tf.cast(max_seconds * tf.cast(rate_hz, tf.float64), tf.int64)
    frames = tf.where(ok, tf.minimum(frames, most), 0)
    raw = data[start : start + frames * frame_bytes]
    samples = tf.switch_case(
        tf.argmax(kinds, output_type=tf.int32),
        [lambda decode=decode: decode(raw) for _, _, decode in _DECODERS],
    )
    weights = tf.fill([channels], 1 / tf.cast(channels, tf.float32))
    waveform = tf.linalg.matvec(tf.reshape(samples, [-1, channels]), weights)
    ok &= (frames > 0) & tf.reduce_all(tf.abs(waveform) <= MAX_SAMPLE)
    waveform = waveform[: tf.where(ok, frames, 0)]
    return waveform, tf.cast(tf.where(ok, rate_hz, SAMPLE_RATE_HZ), tf.int32), ok


def _words(raw: tf.Tensor, dtype: tf.DType) -> tf.Tensor:
    size = tf.size(raw) // dtype.size * dtype.size
    return tf.bitcast(tf.reshape(raw[:size], [-1, dtype.size]), dtype)


def _pcm8(raw: tf.Tensor) -> tf.Tensor:
    return (tf.cast(raw, tf.float32) - 128) / 128


def _pcm16(raw: tf.Tensor) -> tf.Tensor:
    return tf.cast(_words(raw, tf.int16), tf.float32) / 2**15


def _pcm24(raw: tf.Tensor) -> tf.Tensor:
    triples = tf.reshape(raw[: tf.size(raw) // 3 * 3], [-1, 3])
    quads = tf.pad(triples, [[0, 0], [1, 0]])  # the low byte of a 32-bit sample
    return tf.cast(tf.bitcast(quads, tf.int32), tf.float32) / 2**31


def _pcm32(raw: tf.Tensor) -> tf.Tensor:
    return tf.cast(_words(raw, tf.int32), tf.float32) / 2**31


def _float32(raw: tf.Tensor) -> tf.Tensor:
    return _words(raw, tf.float32)


def _float64(raw: tf.Tensor) -> tf.Tensor:
    return tf.cast(_words(raw, tf.float64), tf.float32)


_DECODERS = (
    (_PCM, 8, _pcm8),
    (_PCM, 16, _pcm16),
    (_PCM, 24, _pcm24),
    (_PCM, 32, _pcm32),
    (_FLOAT, 32, _float32),
    (_FLOAT, 64, _float64),
)
