"""Files of sound and pictures become arrays here, and nowhere else.

What comes out is the tensor boundary: mono float32 at 22,050 Hz and RGB bytes. A file
that is damaged, cut short or absurdly large is refused with a ``DecodeError``; nothing
is repaired in silence.
"""

from __future__ import annotations

import io
import struct
from pathlib import Path
from typing import BinaryIO

import numpy as np
import soundfile
import soxr
from PIL import Image, ImageOps

from keras_jtav.config import SAMPLE_RATE_HZ
from keras_jtav.data.cut_short import refuse_cut_short
from keras_jtav.data.media_file import (
    MAX_FILE_BYTES,
    DecodeError,
    Seekable,
    opened,
    refusing,
)
from keras_jtav.data.svg import render_svg

IMAGE_FORMATS = ("PNG", "JPEG", "GIF", "BMP", "WEBP")
MIN_RATE_HZ, MAX_RATE_HZ, MAX_CHANNELS = 1_000, 384_000, 16
MAX_SAMPLE = 1e9  # 1 is full scale; the power of larger ones leaves float32
PILLOWS_PIXELS = 178_956_970  # Pillow refuses larger ones by itself
MAX_JPEG_SCANS = 100  # of a progressive JPEG, which has about ten
BLOCK_FRAMES = 1 << 20
BLOCK_PIXELS = 1 << 20


def decode_audio(
    source: Path | str | bytes,
    max_seconds: float = 600.0,
    max_bytes: int = MAX_FILE_BYTES,
) -> np.ndarray:
    """Decode a recording to the waveform that every spectrogram is made of.

    Channels are averaged, then the rate is changed by soxr (quality "HQ").

    Args:
        source: File, or its content: WAV, FLAC, OGG, MP3 and whatever else libsndfile
            reads, 1,000 to 384,000 Hz, up to 16 channels.
        max_seconds: What comes later is not read.
        max_bytes: Larger files are refused before they are read.

    Returns:
        float32 ``(samples,)``, mono, 22,050 Hz, at least one sample.

    Raises:
        DecodeError: A missing, unreadable, empty or damaged file, one that ends
            before its header says, an absurd header, samples that are NaN or absurd.

    Example:
        >>> decode_audio(encode_wav(np.zeros(22_050, np.float32))).shape
        (22050,)
    """
    remedy = "re-encode it as WAV or FLAC"
    with opened(source, max_bytes) as stream, refusing(source, remedy):
        try:
            # By its descriptor, libsndfile reads a file without calls into Python.
            content = Seekable(stream) if isinstance(source, bytes) else stream.fileno()
            recording = soundfile.SoundFile(content, closefd=False)
        except (RuntimeError, TypeError) as error:
            raise DecodeError(
                f"is no recording that libsndfile reads ({error}): convert it to WAV, "
                "FLAC, OGG or MP3"
            ) from error
        with recording:
            rate_hz, channels = recording.samplerate, recording.channels
            if not MIN_RATE_HZ <= rate_hz <= MAX_RATE_HZ or channels > MAX_CHANNELS:
                raise DecodeError(
                    f"claims {rate_hz} Hz and {channels} channels; expected "
                    f"{MIN_RATE_HZ} to {MAX_RATE_HZ} Hz and at most {MAX_CHANNELS} "
                    "channels: convert it or drop the row"
                )
            max_frames = int(max_seconds * rate_hz)
            waveform, held, is_sound = _read_mono(recording, max_frames)
            refuse_cut_short(recording, stream, held, max_frames)
        if not is_sound:
            raise DecodeError(
                f"has samples that are NaN or above {MAX_SAMPLE:g}: export it again"
            )
        if not len(waveform):
            raise DecodeError("holds no samples: record it again or drop the row")
    return waveform


def decode_image(
    source: Path | str | bytes,
    max_pixels: int = 50_000_000,
    max_bytes: int = MAX_FILE_BYTES,
) -> np.ndarray:
    """Decode a picture to RGB, upright, on white.

    The rules are few, so that a decoder inside a graph can follow them: 16-bit samples
    keep their high byte; the first frame of an animation counts; colour profiles are
    ignored; EXIF orientation is applied; alpha is composited over white per byte as
    ``(colour * alpha + 255 * (255 - alpha) + 127) // 255``. SVG drawings are rendered
    with their longer side at 512 pixels, their text in DejaVu Sans, and without what
    they refer to outside of themselves.

    Args:
        source: File, or its content: PNG, JPEG, GIF, BMP, WebP or SVG.
        max_pixels: Larger pictures are refused before they are decoded.
        max_bytes: Larger files are refused before they are read.

    Returns:
        uint8 ``(height, width, 3)``.

    Raises:
        DecodeError: A missing, unreadable, truncated or too large file.

    Example:
        >>> decode_image(encode_png(np.zeros((2, 3, 3), np.uint8))).shape
        (2, 3, 3)
    """
    remedy = "save it again as PNG or JPEG"
    with opened(source, max_bytes) as stream, refusing(source, remedy):
        if stream.read(64).lstrip(b"\xef\xbb\xbf \t\r\n").startswith(b"<"):
            stream.seek(0)
            try:
                stream = io.BytesIO(render_svg(stream.read()))
            except (ValueError, ImportError) as error:
                raise DecodeError(f"{error}") from error
        stream.seek(0)
        try:
            image = Image.open(stream, formats=IMAGE_FORMATS)
        except Image.DecompressionBombWarning as error:
            raise _too_large(f"{error}", max_pixels) from error
        except Image.DecompressionBombError as error:  # whatever `max_pixels` says
            size, most = f"{error}", min(max_pixels, PILLOWS_PIXELS)
            raise DecodeError(
                f"is too large ({size}): scale it below {most} pixels"
            ) from error
        except OSError as error:
            raise DecodeError(
                "is no picture that can be read: convert it to PNG, JPEG, GIF, BMP, "
                "WebP or SVG"
            ) from error
        if image.width * image.height > max_pixels:
            raise _too_large(f"{image.width} x {image.height} pixels", max_pixels)
        if image.format in ("JPEG", "MPO"):
            _refuse_many_scans(stream)
        image.load()
        return _over_white(_upright(image))


def encode_wav(waveform: np.ndarray) -> bytes:
    """Return a float32 RIFF WAV of a mono waveform at 22,050 Hz.

    Raises:
        ValueError: Another shape or type.
    """
    if waveform.ndim != 1 or waveform.dtype != np.float32:
        raise ValueError(
            "`waveform` must be float32 of shape (samples,); received "
            f"{waveform.dtype} of shape {waveform.shape}."
        )
    samples = waveform.astype("<f4").tobytes()
    header = struct.pack("<HHIIHHH", 3, 1, SAMPLE_RATE_HZ, 4 * SAMPLE_RATE_HZ, 4, 32, 0)
    chunks = b"".join(
        tag + struct.pack("<I", len(body)) + body
        for tag, body in (
            (b"fmt ", header),
            (b"fact", struct.pack("<I", len(waveform))),
            (b"data", samples),
        )
    )
    return b"RIFF" + struct.pack("<I", 4 + len(chunks)) + b"WAVE" + chunks


def encode_png(image: np.ndarray) -> bytes:
    """Return the PNG of a uint8 ``(height, width, 3)`` picture.

    Raises:
        ValueError: Another shape or type.
    """
    if image.ndim != 3 or image.shape[2] != 3 or image.dtype != np.uint8:
        raise ValueError(
            "`image` must be uint8 of shape (height, width, 3); received "
            f"{image.dtype} of shape {image.shape}."
        )
    stream = io.BytesIO()
    Image.fromarray(image).save(stream, "PNG", compress_level=1)
    return stream.getvalue()


def _read_mono(
    recording: soundfile.SoundFile, max_frames: int
) -> tuple[np.ndarray, int, bool]:
    """Return the waveform at our rate, the frames that were read, and if all are sound.

    Blocks are resampled as they are read: a small file may hold many minutes at a rate
    that is 17 times ours. The samples are those of the whole resampled at once.
    """
    resampler = None
    if recording.samplerate != SAMPLE_RATE_HZ:
        rates = (recording.samplerate, SAMPLE_RATE_HZ)
        resampler = soxr.ResampleStream(*rates, 1, "float32", "HQ")
    held, is_sound, blocks = 0, True, []
    while True:
        size = min(max_frames - held, BLOCK_FRAMES)
        block = recording.read(size, "float32", always_2d=True)
        held += len(block)
        is_last = not len(block)
        mono = _mean_of_channels(block)
        is_sound = is_sound and bool((np.abs(mono) <= MAX_SAMPLE).all())  # no NaN is
        blocks.append(resampler.resample_chunk(mono, is_last) if resampler else mono)
        if is_last:
            return np.concatenate(blocks), held, is_sound


def _mean_of_channels(block: np.ndarray) -> np.ndarray:
    """Return the mean over channels, ``(frames,)``.

    Channel by channel: a mean over the axis takes ten times as long, and a product with
    weights wakes BLAS's threads, which then get in the way of those that decode.
    """
    share = np.float32(1 / block.shape[1])
    mean = block[:, 0] * share
    for channel in range(1, block.shape[1]):
        mean += block[:, channel] * share
    return mean


def _too_large(size: str, max_pixels: int) -> DecodeError:
    return DecodeError(
        f"is too large ({size}): scale it below {max_pixels} pixels or raise "
        "`data.max_image_pixels`"
    )


def _refuse_many_scans(stream: BinaryIO) -> None:
    """Raise where a JPEG goes over its pixels so often that it would take hours.

    Inside the data of a scan the two bytes of its marker never stand.
    """
    place, scans, last = stream.tell(), 0, b""
    stream.seek(0)
    while block := stream.read(1 << 20):
        scans += (last + block).count(b"\xff\xda")
        last = block[-1:]
    stream.seek(place)
    if scans > MAX_JPEG_SCANS:
        raise DecodeError(
            f"has {scans} scans, expected at most {MAX_JPEG_SCANS}: save it again"
        )


def _upright(image: Image.Image) -> Image.Image:
    try:
        return ImageOps.exif_transpose(image)
    except Exception:  # a broken EXIF block says nothing about the pixels
        return image


def _over_white(image: Image.Image) -> np.ndarray:
    is_16_bit_grey = image.mode.startswith("I")
    has_alpha = "A" in image.getbands() or "transparency" in image.info
    if not is_16_bit_grey and not has_alpha:
        return np.array(image.convert("RGB"))
    rgb = np.empty((image.height, image.width, 3), np.uint8)
    rows = max(1, BLOCK_PIXELS // image.width)  # what is computed is wider than a byte
    for top in range(0, image.height, rows):
        band = image.crop((0, top, image.width, min(top + rows, image.height)))
        rgb[top : top + rows] = _grey(band) if is_16_bit_grey else _blended(band)
    return rgb


def _grey(image: Image.Image) -> np.ndarray:
    samples = np.asarray(image).astype(np.int64)
    grey = (samples >> 8).astype(np.uint8)
    grey[samples == image.info.get("transparency", -1)] = 255
    return grey[:, :, np.newaxis]


def _blended(image: Image.Image) -> np.ndarray:
    pixels = np.asarray(image.convert("RGBA")).astype(np.uint16)
    alpha = pixels[:, :, 3:]
    return (pixels[:, :, :3] * alpha + 255 * (255 - alpha) + 127) // 255
