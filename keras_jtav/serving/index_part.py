"""Some songs of an index: their ids and encodings, in memory or mapped from files."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

TOWER = "song_tower"
ID_BYTES, ID_ENDS = "id.bytes", "id.ends"
# A word is a list of rows of the embedding table (its n-grams), the same wherever it
# occurs. The lists of a part are kept once, and the lyrics are numbers of lists.
LISTS = ".lists"
Encodings = dict[str, np.ndarray]


class IndexPart:
    """Songs that were added together; they never change.

    Args:
        arrays: By name, as ``from_songs`` makes them; one row a song, lists of words
            apart.
        folder: Where they lie as ``.npy`` files; ``None`` in memory.
    """

    def __init__(
        self, arrays: Mapping[str, np.ndarray], folder: Path | None = None
    ) -> None:
        self._arrays = dict(arrays)
        self.folder = folder

    @classmethod
    def from_songs(
        cls, ids: Sequence[str], encodings: Mapping[str, np.ndarray]
    ) -> IndexPart:
        """Return a part in memory.

        Args:
            ids: At least one.
            encodings: What ``encode_song`` gave, ``(songs, ...)`` each.
        """
        texts = [id_.encode() for id_ in ids]
        arrays = {
            ID_BYTES: np.frombuffer(b"".join(texts), "uint8"),
            ID_ENDS: np.cumsum([len(text) for text in texts]),
        }
        return cls({**arrays, **pack(encodings)})

    @classmethod
    def open(cls, folder: Path) -> IndexPart:
        """Map the files of a part: rows are read when they are used.

        Raises:
            FileNotFoundError: The part is not there, or lacks files.
        """
        arrays = {
            path.stem: np.load(path, mmap_mode="r", allow_pickle=False)
            for path in folder.glob("*.npy")
        }
        if not {TOWER, ID_BYTES, ID_ENDS} <= set(arrays):
            raise FileNotFoundError(
                f"{folder}, a part of an index, is not there or lacks files. Make the "
                "index again."
            )
        # Slices of a plain view cost less than those of numpy's own mapped type.
        plain = {name: array.view(np.ndarray) for name, array in arrays.items()}
        return cls(plain, folder)

    def write(self, folder: Path) -> None:
        """Write the files of the part into an empty folder."""
        for name, array in self._arrays.items():
            np.save(folder / f"{name}.npy", array, allow_pickle=False)

    def __len__(self) -> int:
        return len(self._arrays[ID_ENDS])

    @property
    def vectors(self) -> np.ndarray:
        """What songs are found by, float32 ``(songs, dim)``."""
        return self._arrays[TOWER]

    @property
    def specs(self) -> dict[str, tuple]:
        """Shape of one song's encoding, and its type, by name."""
        return {name: spec_of(array) for name, array in self.encodings([0]).items()}

    def ids(self, rows: Sequence[int] | None = None) -> list[str]:
        """Return the ids of some rows, or of all."""
        ends = self._arrays[ID_ENDS]
        rows = np.arange(len(self)) if rows is None else np.asarray(rows)
        starts = np.where(rows > 0, ends[rows - 1], 0)
        data = self._arrays[ID_BYTES]
        return [
            data[start:end].tobytes().decode()
            for start, end in zip(starts, ends[rows], strict=True)
        ]

    def encodings(self, rows: Sequence[int] | np.ndarray) -> Encodings:
        """Return the encodings of some rows, ``(rows, ...)`` each."""
        found = {}
        for name, array in self._arrays.items():
            if name in (ID_BYTES, ID_ENDS) or name.endswith(LISTS):
                continue
            found[name] = array[rows]
            if name + LISTS in self._arrays:
                found[name] = self._arrays[name + LISTS][found[name]]
        return found

    def take(self, rows: np.ndarray) -> IndexPart:
        """Return a part in memory with some of the songs, at least one."""
        return IndexPart.from_songs(self.ids(rows), self.encodings(rows))

    def join(self, other: IndexPart) -> IndexPart:
        """Return a part in memory with the songs of two."""
        mine, others = (p.encodings(np.arange(len(p))) for p in (self, other))
        both = {name: np.concatenate([mine[name], others[name]]) for name in mine}
        return IndexPart.from_songs([*self.ids(), *other.ids()], both)


def pack(encodings: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
    """Return encodings with each list of words once, under the name with ``LISTS``.

    Example:
        >>> words = np.array([[[5, 7], [0, 0]], [[5, 7], [5, 7]]], "int32")
        >>> packed = pack({"words": words})
        >>> packed["words.lists"].tolist(), packed["words"].tolist()
        ([[0, 0], [5, 7]], [[1, 0], [1, 1]])
    """
    packed = {}
    for name, array in encodings.items():
        if array.ndim == 3 and array.dtype.kind == "i":
            packed[name + LISTS], packed[name] = _lists_once(array)
        else:
            packed[name] = array
    return packed


def spec_of(array: np.ndarray) -> tuple:
    """Return the shape of a row and the type.

    Example:
        >>> spec_of(np.zeros((9, 2, 3), "float32"))
        ((2, 3), 'float32')
    """
    return array.shape[1:], str(array.dtype)


def _lists_once(array: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the distinct lists, ``(lists, pieces)``, and which list stands where."""
    pieces = array.shape[-1]
    flat = np.ascontiguousarray(array).reshape(-1, pieces)
    as_bytes = flat.view(f"V{flat.itemsize * pieces}").ravel()
    _, first, numbers = np.unique(as_bytes, return_index=True, return_inverse=True)
    smallest = np.min_scalar_type(len(first))
    return flat[first], numbers.reshape(array.shape[:-1]).astype(smallest)
