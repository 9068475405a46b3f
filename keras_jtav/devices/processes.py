"""Processes that train one network together, by JAX, on one machine or several.

The first process decides and writes; what the others have to know, it tells them. So a
kill at any moment leaves one state, and only the first process needs a disk for it.
"""

from __future__ import annotations

import json
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
