"""What is fuzzed: each function takes bytes and raises where a promise is broken."""

import io
import tempfile
from pathlib import Path

import numpy as np
import soundfile
import tensorflow as tf

from keras_jtav.config import SAMPLE_RATE_HZ
from keras_jtav.data.check import check_table
from keras_jtav.data.decode import decode_audio, decode_image
from keras_jtav.data.manifest import read_manifest
from keras_jtav.data.media_file import DecodeError
from keras_jtav.data.outside import is_inside
from keras_jtav.options import DataOptions
from keras_jtav.serving.wav import parse_wav

SUFFIXES = (".csv", ".jsonl", ".parquet")
MAX_SECONDS, MAX_PIXELS = 2.0, 1_000_000
SAME_IN_GRAPH = ("PCM_U8", "PCM_16", "PCM_24", "PCM_32", "FLOAT", "DOUBLE")
TABLES = Path(tempfile.mkdtemp(prefix="fuzz-"))


def manifest(data: bytes) -> None:
    """Read a table; the first byte chooses its ending."""
    if not data:
        return
    path = TABLES / f"posts{SUFFIXES[data[0] % len(SUFFIXES)]}"
    path.write_bytes(data[1:])
    try:
        table = read_manifest(path, "keep", max_table_bytes=10_000_000)
    except ValueError as error:
        must(path.name in str(error), f"an error that names no file: {error}")
    else:
        for rejection in table.rejections:
            must(rejection.reason and rejection.row, "a rejection without a reason")
        for post in table.posts:
            files = [file for file in (post.image, post.audio) if file is not None]
            must(all(is_inside(file, TABLES) for file in files), f"reads {files}")
    options = DataOptions(max_rejected=1.0, max_table_bytes=10_000_000)
    check_table(path, data=options).render().encode()


def media(data: bytes) -> None:
    """Decode a picture or a recording; the first byte chooses."""
    if not data:
        return
    try:
        if data[0] % 2:
            image = decode_image(data[1:], MAX_PIXELS)
            must(image.dtype == np.uint8 and image.shape[2:] == (3,), "no RGB picture")
            must(0 < image.shape[0] * image.shape[1] <= MAX_PIXELS, "a picture's size")
        else:
            waveform = decode_audio(data[1:], MAX_SECONDS)
            must(waveform.dtype == np.float32 and waveform.ndim == 1, "no mono sound")
            longest = MAX_SECONDS * SAMPLE_RATE_HZ + 1
            must(0 < len(waveform) <= longest, f"{len(waveform)} samples")
            must(np.isfinite(waveform).all(), "samples that are no finite numbers")
    except DecodeError as error:
        must("The given bytes" in str(error), f"names nothing: {error}")


def riff(data: bytes) -> None:
    """Parse a WAV as the graph does, and compare with libsndfile."""
    waveform, rate_hz, ok = parse_wav(tf.constant(data), MAX_SECONDS)
    waveform = waveform.numpy()
    must(bool(ok) == (len(waveform) > 0), "ok without samples, or samples without ok")
    must(np.isfinite(waveform).all(), "samples that are no finite numbers")
    must(len(waveform) <= MAX_SECONDS * int(rate_hz), "more than was asked for")
    try:
        decode_audio(data, MAX_SECONDS)
        info = soundfile.info(io.BytesIO(data))
    except (DecodeError, soundfile.LibsndfileError):
        return  # the graph may take less strict files
    if not info.format.startswith("WAV") or info.subtype not in SAME_IN_GRAPH:
        return
    if contradicts_itself(data):
        return  # libsndfile guesses, the graph refuses
    must(bool(ok), f"refuses what libsndfile reads: {info}")
    frames, source = int(MAX_SECONDS * info.samplerate), io.BytesIO(data)
    samples, _ = soundfile.read(source, frames, dtype="float32", always_2d=True)
    expected = samples @ np.full(info.channels, 1 / info.channels, np.float32)
    must(int(rate_hz) == info.samplerate, "another rate")
    must(len(expected) == len(waveform), f"{len(waveform)} of {len(expected)} samples")
    scale = max(1.0, float(np.abs(expected).max()))
    must(np.allclose(waveform, expected, atol=1e-6 * scale), "other samples")


def contradicts_itself(data: bytes) -> bool:
    """Return whether a WAV's bytes a frame are not those of its bits a sample."""
    header = data[data.index(b"fmt ") + 8 :]
    channels, frame_bytes, bits = (
        int.from_bytes(header[at : at + 2], "little") for at in (2, 12, 14)
    )
    return frame_bytes * 8 != channels * bits


def must(holds: bool, what: str) -> None:
    """Raise where a promise is broken."""
    if not holds:
        raise AssertionError(what)


TARGETS = {"manifest": manifest, "media": media, "riff": riff}
