"""Opening media files: what may be opened, and what is said where it cannot be used."""

from __future__ import annotations

import contextlib
import errno
import io
import os
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

from keras_jtav.options import DataOptions

MAX_FILE_BYTES = DataOptions.max_file_bytes


class DecodeError(ValueError):
    """A file that cannot be decoded; the message names it and says what to do."""


def refuse_large(path: Path, max_bytes: int) -> None:
    """Refuse a file by its size, before anything of it is read.

    Raises:
        DecodeError: It is larger than ``max_bytes``.
        OSError: It cannot be looked at.
    """
    size = os.stat(path).st_size
    if size > max_bytes:
        raise DecodeError(
            f"{path}: is too large ({size} bytes): make it smaller than {max_bytes} "
            "bytes or raise `data.max_file_bytes`."
        )


@contextlib.contextmanager
def opened(source: Path | str | bytes, max_bytes: int) -> Iterator[BinaryIO]:
    """Open a file, or its content.

    Raises:
        DecodeError: It cannot be opened, or is too large.
    """
    if isinstance(source, bytes):
        yield io.BytesIO(source)
        return
    try:
        refuse_large(Path(source), max_bytes)
        if not os.path.isfile(source):  # opening a pipe would wait for ever
            raise OSError(errno.EINVAL, "not a file")
        with Path(source).open("rb") as stream:
            yield stream
    except OSError as error:
        raise DecodeError(
            f"{source}: cannot be opened ({error.strerror}): mend the path or drop the "
            "row."
        ) from error


class Seekable:
    """A stream as libsndfile wants it: one that never raises where it is told to go.

    Args:
        stream: What is read. Damaged headers send the reader before its beginning.
    """

    def __init__(self, stream: BinaryIO) -> None:
        self.readinto, self.read, self.tell = stream.readinto, stream.read, stream.tell
        self._stream = stream

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        """Go there, or stay."""
        with contextlib.suppress(OSError, ValueError):
            self._stream.seek(offset, whence)
        return self._stream.tell()


@contextlib.contextmanager
def refusing(source: Path | str | bytes, remedy: str) -> Iterator[None]:
    """Name the file in every error; codecs raise all kinds on damaged bytes."""
    name = "The given bytes" if isinstance(source, bytes) else str(source)
    try:
        yield
    except DecodeError as error:
        raise DecodeError(f"{name}: {error}.") from error
    except Exception as error:
        raise DecodeError(
            f"{name}: damaged or cut short ({error}): {remedy}, or drop the row."
        ) from error
