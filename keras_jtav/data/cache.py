"""Features on disk, found by the content of the file they were made from."""

from __future__ import annotations

import hashlib
import json
import threading
from collections.abc import Mapping
from pathlib import Path

import numpy as np

from keras_jtav.data.whole_file import written_whole

# NumPy reads the head of a file with `ast`, which may fail where several threads do so
# (https://github.com/python/cpython/issues/106905). Mapping takes about .3 ms.
_MAPPING = threading.Lock()


def content_digest(path: Path) -> str:
    """Return the SHA-256 of a file's bytes, in hexadecimal."""
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


class FeatureCache:
    """One kind of feature, keyed by file content and by the settings it was made with.

    Entries are written aside and renamed, so that several processes may share a cache
    and a kill leaves no half-written entry.

    Args:
        folder: Where caches of all kinds are kept.
        kind: Name of the feature, such as ``image``.
        settings: Whatever decides the feature's values beside the file.

    Example:
        >>> import tempfile
        >>> cache = FeatureCache(Path(tempfile.mkdtemp()), "image", {"size": 2})
        >>> cache.put("ab12", np.zeros((2, 2), "uint8"))
        >>> cache.get("ab12").shape
        (2, 2)
        >>> "cd34" in cache
        False
    """

    def __init__(self, folder: Path, kind: str, settings: Mapping) -> None:
        text = json.dumps(dict(settings), sort_keys=True)
        version = hashlib.sha256(text.encode()).hexdigest()[:16]
        self.folder = folder / f"{kind}-{version}"

    def __contains__(self, digest: str) -> bool:
        return self._path(digest).exists()

    def get(self, digest: str) -> np.ndarray:
        """Return an entry, mapped from disk: only the parts that are used are read."""
        with _MAPPING:
            return np.load(self._path(digest), mmap_mode="r", allow_pickle=False)

    def put(self, digest: str, array: np.ndarray) -> None:
        """Write an entry."""
        path = self._path(digest)
        path.parent.mkdir(parents=True, exist_ok=True)
        with written_whole(path) as aside:
            np.save(aside, array, allow_pickle=False)

    def _path(self, digest: str) -> Path:
        return self.folder / digest[:2] / f"{digest}.npy"
