"""The songs of an index as numbered rows: parts one after the other, some removed."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence

import numpy as np

from keras_jtav.serving.index_part import TOWER, Encodings, IndexPart, spec_of

PART_SONGS = 16_384  # bounds the memory of adding, joining and copying
SMALL_PART_SONGS = 1_024  # smaller ones are joined, so that parts stay few


class IndexRows:
    """Rows of songs; a row keeps its number for good.

    Args:
        parts: What the rows consist of, in order.
        removed: Rows that no longer count, int ``(rows,)``, ascending.
    """

    def __init__(
        self, parts: Sequence[IndexPart] = (), removed: np.ndarray | None = None
    ) -> None:
        self.parts = list(parts)
        self.removed = np.empty(0, "int64") if removed is None else removed
        self._by_id: dict[str, int] | None = None

    @property
    def num_rows(self) -> int:
        """Number of rows, removed ones too."""
        return sum(len(part) for part in self.parts)

    @property
    def num_songs(self) -> int:
        """Number of songs."""
        return self.num_rows - len(self.removed)

    @property
    def by_id(self) -> dict[str, int]:
        """Row of every song; made when it is first asked for."""
        if self._by_id is None:
            rows = self.kept()
            self._by_id = dict(zip(self.ids(rows), rows.tolist(), strict=True))
        return self._by_id

    def kept(self) -> np.ndarray:
        """Return the rows that were not removed, ascending."""
        return np.delete(np.arange(self.num_rows), self.removed)

    def add(self, ids: Sequence[str], encodings: Mapping[str, np.ndarray]) -> None:
        """Add songs as further rows; see ``SongIndex.add``."""
        self._check_ids(ids)
        encodings = {name: np.asarray(array) for name, array in encodings.items()}
        self._check_encodings(len(ids), encodings)
        first = self.num_rows
        for start in range(0, len(ids), PART_SONGS):
            some = slice(start, start + PART_SONGS)
            portion = {name: array[some] for name, array in encodings.items()}
            part = IndexPart.from_songs(ids[some], portion)
            if self.parts and len(self.parts[-1]) + len(part) <= SMALL_PART_SONGS:
                part = self.parts.pop().join(part)
            self.parts.append(part)
        self.by_id.update(zip(ids, range(first, first + len(ids)), strict=True))

    def remove(self, ids: Sequence[str]) -> None:
        """Let songs no longer count; see ``SongIndex.remove``."""
        unknown = [id_ for id_ in ids if id_ not in self.by_id]
        if unknown:
            raise ValueError(
                f"{len(unknown)} of {len(ids)} ids are not in the index, such as "
                f"{unknown[0]!r}. Leave them out."
            )
        rows = [self.by_id.pop(id_) for id_ in dict.fromkeys(ids)]
        self.removed = np.sort(np.append(self.removed, rows)).astype("int64")

    def ids(self, rows: np.ndarray) -> list[str]:
        """Return the ids of rows."""
        if not len(rows):
            return []
        found = self._collect(rows, lambda p, r: {"id": np.array(p.ids(r), object)})
        return found["id"].tolist()

    def encodings(self, rows: np.ndarray) -> Encodings:
        """Return the encodings of rows, at least one; only they are read."""
        return self._collect(rows, IndexPart.encodings)

    def vectors(self, rows: np.ndarray) -> np.ndarray:
        """Return what rows are found by, float32 ``(rows, dim)``; at least one row."""
        return self._collect(rows, lambda p, r: {TOWER: p.vectors[r]})[TOWER]

    def vector_blocks(self, first: int) -> Iterator[np.ndarray]:
        """Yield the vectors of the rows from ``first`` on, some at a time."""
        start = 0
        for part in self.parts:
            if start + len(part) > first:
                yield part.vectors[max(0, first - start) :]
            start += len(part)

    def scores(self, queries: np.ndarray, first: int) -> np.ndarray:
        """Return the products with all rows from ``first`` on, -inf if removed.

        Args:
            queries: Float32 ``(queries, dim)``.
            first: The first row.

        Returns:
            Float32 ``(queries, rows)``.
        """
        scores = np.empty((len(queries), self.num_rows - first), "float32")
        start = 0
        for block in self.vector_blocks(first):
            for query, row in zip(queries, scores, strict=True):
                # On busy cores one product with a matrix of queries takes longer.
                row[start : start + len(block)] = block @ query
            start += len(block)
        scores[:, self.removed[self.removed >= first] - first] = -np.inf
        return scores

    def live_parts(self) -> Iterator[IndexPart]:
        """Yield the parts without the songs that were removed."""
        start = 0
        for part in self.parts:
            gone = self.removed - start
            gone = gone[(gone >= 0) & (gone < len(part))]
            if not len(gone):
                yield part
            elif len(gone) < len(part):
                yield part.take(np.delete(np.arange(len(part)), gone))
            start += len(part)

    def _collect(
        self,
        rows: np.ndarray,
        read: Callable[[IndexPart, np.ndarray], Mapping[str, np.ndarray]],
    ) -> Encodings:
        """Return what ``read`` gives for rows of parts, in the order of ``rows``."""
        ends = np.cumsum([len(part) for part in self.parts])
        part_of = np.searchsorted(ends, rows, side="right")
        pieces, places = [], []
        for number in np.unique(part_of):
            place = np.flatnonzero(part_of == number)
            part = self.parts[number]
            pieces.append(read(part, rows[place] - (ends[number] - len(part))))
            places.append(place)
        order = np.argsort(np.concatenate(places))
        return {n: np.concatenate([p[n] for p in pieces])[order] for n in pieces[0]}

    def _check_ids(self, ids: Sequence[str]) -> None:
        unusable = [id_ for id_ in ids if not isinstance(id_, str) or not id_]
        if unusable:
            raise ValueError(
                f"An id is a text that is not empty; received {unusable[0]!r}."
            )
        twice = [id_ for id_, count in Counter(ids).items() if count > 1]
        if twice:
            raise ValueError(f"The id {twice[0]!r} is given twice. Drop one.")
        taken = [id_ for id_ in ids if id_ in self.by_id]
        if taken:
            raise ValueError(
                f"{len(taken)} of {len(ids)} ids are in the index already, such as "
                f"{taken[0]!r}. Remove these songs first, or leave them out."
            )

    def _check_encodings(self, num_ids: int, encodings: Encodings) -> None:
        if TOWER not in encodings:
            raise ValueError(
                f"An index finds songs by `{TOWER}`; received {list(encodings)}. Train "
                "the model with towers, such as --set tower_units=128."
            )
        sizes = {name: len(array) for name, array in encodings.items()}
        if set(sizes.values()) != {num_ids}:
            raise ValueError(
                f"Each encoding has one row for each of {num_ids} ids; received "
                f"{sizes}."
            )
        if not np.isfinite(encodings[TOWER]).all():
            row = int(np.argmin(np.isfinite(encodings[TOWER]).all(axis=-1)))
            raise ValueError(
                f"`{TOWER}` must be finite; row {row} is not. Was the model trained "
                "well?"
            )
        if self.parts:
            expected = self.parts[0].specs
            found = {name: spec_of(array) for name, array in encodings.items()}
            if found != expected:
                raise ValueError(
                    f"The index holds encodings of shapes and types {expected}; "
                    f"received {found}. Use the model that made the index."
                )
