"""Processes that train one network together, by JAX, on one machine or several.

The first process decides and writes; what the others have to know, it tells them. So a
kill at any moment leaves one state, and only the first process needs a disk for it.
"""

from __future__ import annotations

import atexit
import json
import os
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np


@dataclass(frozen=True)
class Processes:
    """This process among those that train together. All call each method together.

    Args:
        index: Which one this is.
        count: How many there are.
    """

    index: int = 0
    count: int = 1

    @property
    def is_first(self) -> bool:
        """Whether this process decides and writes."""
        return self.index == 0

    def agree(self, value: Any) -> Any:
        """Return the first process's value, which JSON must take."""
        if self.count == 1:
            return value
        return json.loads(self._bytes(json.dumps(value).encode()))

    def same(self, arrays: Sequence[np.ndarray]) -> list[np.ndarray]:
        """Return the first process's arrays; all have arrays of these shapes."""
        if self.count == 1:
            return list(arrays)
        from jax.experimental.multihost_utils import broadcast_one_to_all

        return [np.asarray(a) for a in broadcast_one_to_all(list(arrays))]

    @contextmanager
    def everywhere(self, path: Path) -> Iterator[Path]:
        """Give every process a file that the first one has on its disk."""
        if self.count == 1:
            yield path
            return
        content = self._bytes(path.read_bytes() if self.is_first else b"")
        with tempfile.TemporaryDirectory() as folder:
            copy = Path(folder) / path.name
            copy.write_bytes(content)
            yield copy

    @contextmanager
    def watched(self) -> Iterator[None]:
        """Stop with a clear message where another process ends while all train.

        JAX says that a connection was closed, and at its exit it would wait for the
        dead for minutes: a process that has told what happened ends at once.

        Raises:
            ConnectionError: Another process is gone.
        """
        try:
            yield
        except RuntimeError as error:
            if self.count == 1:
                raise
            atexit.register(_end_at_once)  # runs before what JAX registered earlier
            raise ConnectionError(
                f"Process {self.index} of {self.count} lost the others while it "
                f"trained: one of them ended, or cannot be reached ({_first(error)}). "
                "Start all of them again, with --resume: they go on after the last "
                "epoch that all had finished."
            ) from error

    def leave(self) -> None:
        """Part with the other processes; each may go on and end by itself."""
        if self.count > 1:
            import jax

            jax.distributed.shutdown()

    def _bytes(self, content: bytes) -> bytes:
        size = int(self.same([np.array(len(content), np.uint32)])[0])
        own = np.zeros(size, np.uint8)
        if self.is_first:
            own[:] = np.frombuffer(content, np.uint8)
        return self.same([own])[0].astype(np.uint8).tobytes()


def _first(error: Exception) -> str:
    return next(iter(str(error).splitlines()), type(error).__name__)


def _end_at_once() -> None:
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(1)
