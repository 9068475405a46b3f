"""Approximate search by faiss: vectors in lists by their nearest centre, mapped."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from types import ModuleType

import numpy as np

# So many songs are compared one by one; when more wait, lists take them in.
EXACT_SONGS = 100_000
# Choice, by measurement (docs/performance.md): a million vectors make 4,096 lists, and
# a search that reads 64 of them finds nearly all that an exact one finds.
LISTS_PER_ROOT = 4
ROWS_PER_LIST_IN_TRAINING = 64
LISTS_READ = 64


class InvertedLists:
    """Vectors that are searched a few lists at a time; rows count in order of adding.

    Args:
        index: A faiss index of inverted lists.

    Source:
        Jegou et al. 2011 (inverted lists); Douze et al. 2024, The faiss library.
    """

    def __init__(self, index) -> None:
        self._index = index

    @classmethod
    def train(cls, sample: np.ndarray, num_rows: int) -> InvertedLists:
        """Return empty lists around the centres of a sample.

        Args:
            sample: Float32 ``(vectors, dim)``; see ``sample_size``.
            num_rows: How many vectors will be added first.

        Raises:
            ImportError: faiss is absent.
        """
        faiss = import_faiss()
        dim = sample.shape[1]
        index = faiss.IndexIVFFlat(
            faiss.IndexFlatIP(dim),
            dim,
            _num_lists(num_rows),
            faiss.METRIC_INNER_PRODUCT,
        )
        index.cp.min_points_per_centroid = 1  # no warning about a small sample
        index.train(np.ascontiguousarray(sample, "float32"))
        return cls(index)

    @classmethod
    def open(cls, path: Path, mapped: bool = True) -> InvertedLists:
        """Open a file: mapped, lists are read when they are searched.

        Raises:
            FileNotFoundError: There is no such file.
            ImportError: faiss is absent.
        """
        faiss = import_faiss()
        if not path.is_file():
            raise FileNotFoundError(
                f"{path}, the lists of an index, is not there. Make the index again."
            )
        flags = faiss.IO_FLAG_MMAP | faiss.IO_FLAG_READ_ONLY if mapped else 0
        return cls(faiss.read_index(str(path), flags))

    def add(self, blocks: Iterable[np.ndarray]) -> None:
        """Add vectors, float32 ``(vectors, dim)`` a block; no centre moves."""
        for block in blocks:
            self._index.add(np.ascontiguousarray(block, "float32"))

    def write(self, path: Path) -> None:
        """Write a file that ``open`` reads."""
        import_faiss().write_index(self._index, str(path))

    def __len__(self) -> int:
        return self._index.ntotal

    def search(self, queries: np.ndarray, k: int, left_out: np.ndarray) -> np.ndarray:
        """Find the rows of nearly the greatest dot products.

        Args:
            queries: Float32 ``(queries, dim)``.
            k: How many are wanted.
            left_out: Rows that are not to be found.

        Returns:
            Int ``(queries, k)``, with -1 at the end where the lists that were read hold
            fewer.
        """
        faiss = import_faiss()
        settings = {"nprobe": LISTS_READ}
        if len(left_out):
            removed = faiss.IDSelectorBatch(left_out)
            settings["sel"] = faiss.IDSelectorNot(removed)
        parameters = faiss.SearchParametersIVF(**settings)
        queries = np.ascontiguousarray(queries, "float32")
        _, rows = self._index.search(queries, k, params=parameters)
        return rows


def sample_size(num_rows: int) -> int:
    """Return how many of the first vectors suffice to place the centres.

    Example:
        >>> sample_size(1_000_000)
        256000
    """
    return min(num_rows, ROWS_PER_LIST_IN_TRAINING * _num_lists(num_rows))


def _num_lists(num_rows: int) -> int:
    return round(LISTS_PER_ROOT * num_rows**0.5)


def need_lists(num_songs: int) -> bool:
    """Return whether songs are too many to be compared one by one."""
    return num_songs > EXACT_SONGS


def check_room(num_songs: int) -> None:
    """Refuse, before work is done, more songs than an index takes here.

    Raises:
        ImportError: They need faiss, and there is none.
    """
    if need_lists(num_songs):
        import_faiss()


def import_faiss() -> ModuleType:
    """Return faiss.

    Raises:
        ImportError: It is absent; the message names the extra.
    """
    try:
        import faiss
    except ImportError as error:
        raise ImportError(
            "An index of so many songs needs faiss: pip install 'keras-jtav[index]'"
        ) from error
    return faiss
