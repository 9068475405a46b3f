"""Media and charts as text that a page carries inside."""

from __future__ import annotations

import base64
import io
from pathlib import Path

import numpy as np
import soundfile
from PIL import Image

from keras_jtav.config import SAMPLE_RATE_HZ, DataOptions
from keras_jtav.data.decode import decode_audio, decode_image
from keras_jtav.data.media_file import DecodeError

MAX_PIXELS = 480  # of the longer side
MAX_SECONDS = 20.0
DEFAULTS = DataOptions()


def picture_uri(image: Path | np.ndarray, data: DataOptions = DEFAULTS) -> str:
    """Return a picture as a JPEG inside a ``data:`` address; empty where there is none.

    Args:
        image: A file, or uint8 ``(height, width, 3)``. It is shrunk to 480 pixels.
        data: Limits on what is decoded.

    Example:
        >>> picture_uri(np.zeros((2, 2, 3), "uint8"))[:23]
        'data:image/jpeg;base64,'
        >>> picture_uri(Path("moved away.png"))
        ''
    """
    if isinstance(image, Path):
        try:
            image = decode_image(image, data.max_image_pixels, data.max_file_bytes)
        except (OSError, DecodeError):
            return ""
    picture = Image.fromarray(image)
    picture.thumbnail((MAX_PIXELS, MAX_PIXELS))
    stream = io.BytesIO()
    picture.save(stream, "JPEG", quality=85)
    return _uri("image/jpeg", stream.getvalue())


def sound_uri(recording: Path, data: DataOptions = DEFAULTS) -> str:
    """Return the first 20 seconds of a recording as MP3 inside a ``data:`` address.

    Empty where there is no such file, or nothing in it.

    Args:
        recording: A file.
        data: Limits on what is decoded.

    Example:
        >>> sound_uri(Path("moved away.wav"))
        ''
    """
    try:
        waveform = decode_audio(recording, MAX_SECONDS, data.max_file_bytes)
    except (OSError, DecodeError):
        return ""
    if not len(waveform):
        return ""
    stream = io.BytesIO()
    soundfile.write(stream, np.clip(waveform, -1, 1), SAMPLE_RATE_HZ, format="MP3")
    return _uri("audio/mpeg", stream.getvalue())


def _uri(kind: str, content: bytes) -> str:
    return f"data:{kind};base64,{base64.b64encode(content).decode('ascii')}"
