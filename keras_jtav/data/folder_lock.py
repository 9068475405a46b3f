"""A folder of results that one command at a time works in."""

from __future__ import annotations

import contextlib
import logging
from collections.abc import Iterator
from pathlib import Path
from typing import IO

try:
    import fcntl
except ImportError:  # Windows, where nothing is locked
    fcntl = None

LOCK_FILE = ".lock"
_LOG = logging.getLogger(__name__)


@contextlib.contextmanager
def locked(folder: Path) -> Iterator[None]:
    """Keep other commands out of a folder, which is made where it is not there.

    The lock is the system's own on a file in the folder: it ends with the process,
    also with one that is killed, and processes that this one starts do not have it. A
    folder in which nothing else came to be is removed.

    Args:
        folder: Where results go. On Windows, and on disks that know no locks, nobody
            is kept out; the latter is logged.

    Raises:
        BlockingIOError: Another command works there.
    """
    folder.mkdir(parents=True, exist_ok=True)
    if fcntl is None:
        yield
        return
    path = folder / LOCK_FILE
    with open(path, "ab") as file:
        _lock(file, folder)
        try:
            yield
        finally:
            if list(folder.glob("*")) == [path]:
                path.unlink()
                folder.rmdir()


def _lock(file: IO[bytes], folder: Path) -> None:
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as error:
        raise BlockingIOError(
            f"{folder} is in use: another command is measuring or training there. Wait "
            "until it has ended, or stop it, and repeat this one; or give another "
            "--runs-dir."
        ) from error
    except OSError as error:
        _LOG.warning(
            "%s cannot be locked (%s): start no second command there.",
            folder,
            error.strerror,
        )
