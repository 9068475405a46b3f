"""The songs a model can find: kept on disk, searched by the dot product of towers."""

from __future__ import annotations

import contextlib
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from keras_jtav.serving.best_rows import MARGIN, likely_rows, rank_rows
from keras_jtav.serving.index_folder import IndexFolder, IndexState
from keras_jtav.serving.index_part import Encodings, IndexPart
from keras_jtav.serving.index_rows import IndexRows
from keras_jtav.serving.inverted_lists import InvertedLists, check_room

SCORES_AT_ONCE = 16_000_000


class SongIndex:
    """Ids and encodings of songs, found by their towers' vectors.

    Up to 100,000 songs are searched exactly. ``save`` brings more into inverted
    lists (faiss, the extra ``[index]``); those added since are searched exactly beside
    them. Neither adding nor removing trains or builds anything anew. Among equal scores
    the song that was added first wins.

    Args:
        model: Fingerprint of the model that encodes the songs, as ``Predictor`` has it.

    Example:
        >>> index = SongIndex()
        >>> vectors = np.array([[1.0, 0.0], [0.0, 1.0]], "float32")
        >>> index.add(["blue", "red"], {"song_tower": vectors})
        >>> ids, scores = index.search(np.array([[0.6, 0.8]], "float32"), k=1)
        >>> ids.tolist(), f"{scores[0, 0]:.2f}"
        ([['red']], '0.80')
    """

    def __init__(self, model: str = "") -> None:
        self._folder: IndexFolder | None = None
        self._state = IndexState(model=model)
        self._rows = IndexRows()
        self._lists: InvertedLists | None = None

    @classmethod
    def load(cls, folder: str | Path) -> SongIndex:
        """Open a saved index: its files are mapped, and rows are read when used.

        Raises:
            FileNotFoundError: The folder holds no index.
            ValueError: An index of another version.
        """
        index = cls()
        index._open(IndexFolder(Path(folder)))
        return index

    @property
    def model(self) -> str:
        """Fingerprint of the model that encoded the songs."""
        return self._state.model

    def __len__(self) -> int:
        return self._rows.num_songs

    def __contains__(self, id_: str) -> bool:
        return id_ in self._rows.by_id

    def ids(self) -> list[str]:
        """Return the ids of all songs, in the order in which they were added."""
        return self._rows.ids(self._rows.kept())

    def add(self, ids: Sequence[str], encodings: Mapping[str, np.ndarray]) -> None:
        """Add songs; ``save`` keeps them.

        Args:
            ids: Their names.
            encodings: What ``encode_song`` gave, ``(songs, ...)`` each, without its
                flag.

        Raises:
            ValueError: An id twice, empty or taken; encodings that do not fit.
        """
        self._rows.add(list(ids), encodings)

    def remove(self, ids: Sequence[str]) -> None:
        """Remove songs; their ids may be added again.

        Raises:
            ValueError: An id that is not in the index.
        """
        self._rows.remove(list(ids))

    def save(self, folder: str | Path) -> None:
        """Write what is new since ``load``, or the whole index into a new folder.

        A new folder gets no songs that were removed. More than 100,000 songs outside
        of inverted lists are taken into them.

        Raises:
            ValueError: The folder holds other files, or another state of an index.
            ImportError: More songs than are searched exactly, and no faiss.
        """
        target = IndexFolder(Path(folder))
        if target == self._folder:
            target.check_revision(self._state.revision)
            target.write(self._state, self._rows)
        else:
            target.check_free()
            check_room(len(self))
            with target.written_aside() as aside:
                rows = IndexRows(self._rows.live_parts())
                aside.write(IndexState(model=self.model), rows)
        self._open(target)

    def search(
        self, queries: np.ndarray, k: int, exact: bool = False
    ) -> tuple[np.ndarray, np.ndarray]:
        """Find the songs of the greatest dot products.

        Args:
            queries: ``query_tower`` of each, float ``(queries, dim)``.
            k: How many songs each gets; fewer where the index has fewer.
            exact: Whether to compare with every song, however many there are.

        Returns:
            Ids, an array of str, and scores, float32, ``(queries, k)`` each, the best
            first.

        Raises:
            ValueError: No songs, or queries of another shape.
            ImportError: The index has inverted lists, and there is no faiss.
        """
        rows, scores = self.search_rows(queries, k, exact)
        return self.ids_of(rows), scores

    def search_rows(
        self, queries: np.ndarray, k: int, exact: bool = False
    ) -> tuple[np.ndarray, np.ndarray]:
        """Find what ``search`` finds; return rows, as ``ids_of`` takes them."""
        queries = np.asarray(queries, "float32")
        self._check_queries(queries)
        k = min(k, len(self))
        near, listed = self._near(queries, k, exact)
        rows = np.empty((len(queries), k), "int64")
        scores = np.empty((len(queries), k), "float32")
        for first in np.unique(listed):
            same = np.flatnonzero(listed == first)
            at_once = max(1, SCORES_AT_ONCE // (self._rows.num_rows - first + 1))
            for start in range(0, len(same), at_once):
                some = same[start : start + at_once]
                block = self._rows.scores(queries[some], first)
                for number, products in zip(some, block, strict=True):
                    query = queries[number]
                    margin = MARGIN * float(np.linalg.norm(query))
                    likely = first + likely_rows(products, k, margin)
                    if first:
                        likely = np.append(np.sort(near[number]), likely)
                    vectors = self._rows.vectors(likely)
                    rows[number], scores[number] = rank_rows(query, likely, vectors, k)
        return rows, scores

    def ids_of(self, rows: np.ndarray) -> np.ndarray:
        """Return the ids of rows, an array of str of the same shape."""
        ids = np.empty(rows.size, object)
        ids[:] = self._rows.ids(rows.ravel())
        return ids.reshape(rows.shape)

    def encodings(self, rows: np.ndarray | None = None) -> Encodings:
        """Return the encodings of rows, by default of all songs; only they are read."""
        return self._rows.encodings(self._rows.kept() if rows is None else rows)

    def _check_queries(self, queries: np.ndarray) -> None:
        if not len(self):
            raise ValueError("The index holds no songs. Add some.")
        dim = self._rows.parts[0].vectors.shape[1]
        if queries.ndim != 2 or queries.shape[1] != dim:
            raise ValueError(
                f"Queries have the shape (queries, {dim}), as `query_tower` gives "
                f"them; received {queries.shape}."
            )
        if not np.isfinite(queries).all():
            raise ValueError("Queries must be finite numbers. Look at the model.")

    def _near(
        self, queries: np.ndarray, k: int, exact: bool
    ) -> tuple[np.ndarray, np.ndarray]:
        """Return what lists find, and how many rows each query need not compare."""
        lists = None if exact else self._open_lists()
        if lists is None:
            return np.empty((len(queries), 0), "int64"), np.zeros(len(queries), int)
        near = lists.search(queries, min(k, len(lists)), self._rows.removed)
        found_enough = (near >= 0).all(axis=1)
        return near, np.where(found_enough, len(lists), 0)

    def _open_lists(self) -> InvertedLists | None:
        if self._lists is None and self._state.lists:
            self._lists = InvertedLists.open(self._folder.path / self._state.lists)
        return self._lists

    def _open(self, folder: IndexFolder) -> None:
        """Take the state of a folder; again if another process saves meanwhile."""
        state = folder.read_state()
        try:
            self._take(folder, state)
        except FileNotFoundError:
            if folder.read_state() == state:
                raise
            self._open(folder)

    def _take(self, folder: IndexFolder, state: IndexState) -> None:
        parts = [IndexPart.open(folder.path / name) for name in state.parts]
        removed = None
        if state.removed:
            removed = np.load(folder.path / state.removed, allow_pickle=False)
        lists = None
        if state.lists:
            with contextlib.suppress(ImportError):  # told when they are searched
                lists = InvertedLists.open(folder.path / state.lists)
        self._folder, self._state, self._lists = folder, state, lists
        self._rows = IndexRows(parts, removed)
