"""Recordings that are damaged, absurd or made to do harm."""

import io
import struct
from functools import partial

import numpy as np
import soundfile
from damage import damaged

KINDS = (
    *("WAV-PCM_U8", "WAV-PCM_16", "WAV-PCM_24", "WAV-PCM_32", "WAV-FLOAT"),
    *("WAV-DOUBLE", "WAV-ULAW", "WAV-MS_ADPCM", "WAVEX-PCM_16", "WAVEX-FLOAT"),
    *("FLAC-PCM_16", "FLAC-PCM_24", "OGG-VORBIS", "OGG-OPUS", "MP3-MPEG_LAYER_III"),
    *("AIFF-PCM_16", "AU-PCM_16", "CAF-PCM_16", "W64-PCM_16", "RF64-PCM_16"),
)


def recordings(draw):
    """Yield ``(name, bytes)``, or a function that makes the bytes."""
    noise = draw.normal(0, 0.1, (2_400, 2)).astype("float32")
    sound = {f"{k}.{k.split('-')[0].lower()}": written(noise, 8_000, k) for k in KINDS}
    yield from sound.items()
    for name, data in sound.items():
        yield from damaged(name, data, draw)
    yield from strange_files(sound)
    yield from strange_lengths(noise)
    yield from strange_samples()
    yield from headers(noise)


def written(samples, rate_hz, kind):
    stream = io.BytesIO()
    form, _, subtype = kind.partition("-")
    soundfile.write(stream, samples, rate_hz, format=form, subtype=subtype)
    return stream.getvalue()


def strange_files(sound):
    """Yield what is no recording, and recordings under another's name."""
    yield "empty.wav", b""
    for size in (1, 44, 4_096, 100_000):
        yield f"zeros-{size}.wav", bytes(size)
        yield f"ones-{size}.mp3", b"\xff" * size
    yield "page.mp3", b"<html>404</html>"
    yield "picture.wav", b"\x89PNG\r\n\x1a\n" + bytes(64)
    yield "chunks.wav", b"RIFF\0\0\0\0WAVE" + b"junk\0\0\0\0" * 200_000
    yield "tag.mp3", b"ID3\4\0\0\x7f\x7f\x7f\x7f" + bytes(64)
    for name, data in sound.items():
        yield f"{name}-twice.png", data + data
        yield f"{name}-and-more.ogg", data + b"\0PK\3\4" * 50
        yield f"late-{name}", b"\0" + data


def strange_lengths(noise):
    """Yield recordings of no, of one and of very many samples."""
    for kind in ("WAV-PCM_16", "WAV-FLOAT", "FLAC-PCM_16", "OGG-VORBIS", "AIFF-PCM_16"):
        for length in (0, 1, 2, 31):
            yield f"{kind}-{length}-samples", written(noise[:length], 8_000, kind)
    hours = 3 * 3_600
    yield "hours.wav", partial(silence, hours, 8_000, "WAV", "PCM_U8")
    yield "hours.flac", partial(silence, hours, 8_000, "FLAC", "PCM_16")
    yield "fast.flac", partial(silence, 700, 384_000, "FLAC", "PCM_16")
    yield "fast-and-wide.flac", partial(silence, 700, 384_000, "FLAC", "PCM_16", 8)


def silence(seconds, rate_hz, form, subtype, channels=1):
    """Return a recording whose compressed form is tiny."""
    stream = io.BytesIO()
    block = np.zeros((rate_hz, channels), "int16")
    with soundfile.SoundFile(
        stream, "w", rate_hz, channels, subtype, None, form
    ) as file:
        for _ in range(seconds):
            file.write(block)
    return stream.getvalue()


def strange_samples():
    """Yield recordings of values that are no sound."""
    smallest = np.finfo("float32").smallest_subnormal
    for value in (np.nan, np.inf, -np.inf, 3e38, -3e38, smallest, 1e9):
        for place in (0, 500, 999):
            samples = np.zeros((1_000, 2), "float32")
            samples[place] = value
            yield f"holds-{value}-at-{place}.wav", written(samples, 22_050, "WAV-FLOAT")
    for value in (1e300, -1e300, np.nan):
        samples = np.full(1_000, value)
        yield f"all-{value}.wav", written(samples, 44_100, "WAV-DOUBLE")


def headers(noise):
    """Yield WAV files whose header does not fit."""
    wide = np.zeros((300, 64), "float32")
    yield "64-channels.wav", written(wide, 8_000, "WAV-PCM_16")
    for channels in (0, 1, 15, 16, 17, 64, 255, 1_024, 65_535):
        for rate_hz in (8_000, 384_000):
            yield f"channels-{channels}-{rate_hz}.wav", wav(noise, channels, rate_hz)
    rates = (
        0,
        1,
        999,
        1_000,
        8_000,
        96_000,
        384_000,
        384_001,
        768_000,
        2**31,
        2**32 - 1,
    )
    for rate_hz in rates:
        yield f"rate-{rate_hz}.wav", wav(noise, rate_hz=rate_hz)
        flac = bytearray(written(noise, 8_000, "FLAC-PCM_16"))
        flac[18:20] = struct.pack(">H", rate_hz >> 4 & 0xFFFF)
        yield f"rate-{rate_hz}.flac", bytes(flac)
    for bits in (0, 1, 7, 8, 12, 16, 20, 24, 32, 33, 64, 128, 65_535):
        for code in (0, 1, 3, 6, 7, 0x55, 0xFFFE):
            yield f"bits-{bits}-{code}.wav", wav(noise, bits=bits, code=code)
    for size in (0, 1, 3, 4_800, 2**31 - 1, 2**31, 0x7FFF0000, 2**32 - 2, 2**32 - 1):
        yield f"data-{size}.wav", wav(noise, data_size=size)
        yield f"riff-{size}.wav", wav(noise, riff_size=size)
        yield f"format-{size}.wav", wav(noise, format_size=size)
    for align in (0, 1, 3, 65_535):
        yield f"align-{align}.wav", wav(noise, align=align)
    flac = bytearray(written(noise, 8_000, "FLAC-PCM_16"))
    flac[21:26] = b"\xff" * 5  # 68 thousand million samples
    yield "claims.flac", bytes(flac)


def wav(noise, channels=2, rate_hz=8_000, bits=16, code=1, align=None, **sizes):
    """Return a WAV file of 16-bit samples with the header that is asked for."""
    samples = (noise * 2**15).astype("<i2").tobytes()
    if align is None:
        align = channels * bits // 8 & 0xFFFF
    speed = rate_hz * align & 0xFFFFFFFF
    head = struct.pack("<HHIIHH", code, channels, rate_hz, speed, align, bits)
    extra = struct.pack("<HHIH14x", 22, 16, 3, 1) if code == 0xFFFE else b""
    body = b"fmt " + struct.pack("<I", sizes.get("format_size", len(head + extra)))
    body += head + extra
    body += b"data" + struct.pack("<I", sizes.get("data_size", len(samples))) + samples
    riff_size = sizes.get("riff_size", len(body) + 4)
    return b"RIFF" + struct.pack("<I", riff_size) + b"WAVE" + body
