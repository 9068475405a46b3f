"""Files and folders of this disk that are there as a whole, or not at all."""

from __future__ import annotations

import contextlib
import errno
import os
import re
import shutil
import uuid
from collections.abc import Iterator
from pathlib import Path

_LEFT_OVER = re.compile(r"\.[0-9a-f]{12}-")
FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)


@contextlib.contextmanager
def written_whole(path: Path) -> Iterator[Path]:
    """Yield a hidden name to write to; rename it into place unless there was an error.

    The name is new every time, so that several processes may write the same file, and
    has the path's ending, by which some writers choose a format. What a kill leaves
    under it is nobody's: nothing is ever read from there.

    Args:
        path: A file, or a folder that is not there yet.

    Raises:
        OSError: It cannot be written; where the disk is full, the message says so.
    """
    aside = path.with_name(f".{uuid.uuid4().hex[:12]}-{path.name}")
    try:
        with told_where_full(path):
            yield aside
            os.replace(aside, path)
    finally:
        if aside.is_dir():
            shutil.rmtree(aside, ignore_errors=True)
        else:
            aside.unlink(missing_ok=True)


def write_text(path: Path, text: str) -> None:
    """Write a file aside, then rename it into place."""
    with written_whole(path) as aside:
        aside.write_text(text, encoding="utf-8")


def is_left_over(path: Path) -> bool:
    """Return whether a file or folder is one that was being written.

    Example:
        >>> is_left_over(Path("runs/.0123456789ab-state.json"))
        True
        >>> is_left_over(Path("runs/state.json"))
        False
    """
    return _LEFT_OVER.match(path.name) is not None


@contextlib.contextmanager
def told_where_full(path: Path | str) -> Iterator[None]:
    """Name the file in the errors that writers raise on a full disk.

    They differ: some have the system's number, HDF5 only its words, and NumPy counts
    the elements that it could not write.

    Raises:
        OSError: In place of what was raised.
    """
    try:
        yield
    except (OSError, RuntimeError) as error:
        if not _is_full(error):
            raise
        raise OSError(
            f"{path} cannot be written: no space is left, or a limit on sizes is "
            f"reached ({error}). What was complete before is as it was. Make room and "
            "repeat the command (train: with --resume)."
        ) from error


def _is_full(error: Exception) -> bool:
    words = str(error)
    return (
        getattr(error, "errno", None) in FULL
        or any(os.strerror(number) in words for number in FULL)
        or ("requested and" in words and "written" in words)
    )
