"""Posts of retrieval from arrays of pairs: see ``npy_arrays.py`` for the layout."""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from keras_jtav.data.array_files import ArrayFile, ArrayFolder
from keras_jtav.data.post import Post, PostTable
from keras_jtav.data.ready_features import (
    ArrayStore,
    PseudoWords,
    ReadyFeatures,
    row_path,
)

_logger = logging.getLogger(__name__)
Rows = Mapping[str, ArrayFile]
# Names of the first axis of queries and of songs.
FIRST_AXES = {
    "train": ("train pairs", "train pairs"),
    "test": ("test queries", "test songs"),
}


@dataclass(frozen=True)
class _Song:
    """A song: its name, its lyrics in pseudo words and the row of its recording."""

    name: str
    lyrics: str
    audio: Path | None


class PairReader:
    """Makes posts of pairs of a query and a song; equal content is one song.

    Args:
        arrays: Of ``dataset_a`` or ``dataset_b``.
    """

    def __init__(self, arrays: ArrayFolder) -> None:
        self._arrays = arrays
        self._words = PseudoWords()
        self._songs: dict[bytes, _Song] = {}

    def table(self) -> PostTable:
        """Return the posts of train and test, and their features.

        Raises:
            FileNotFoundError: An array that is not there.
            ValueError: An array of another shape, kind or content.
        """
        train, test = self._open("train"), self._open("test")
        posts = self._posts("train", train)
        audio_range = _value_range(train["audio"], self._songs.values())
        posts += self._posts("test", test)
        audio, image = ((train[part], test[part]) for part in ("audio", "image"))
        store = ArrayStore(
            {file.path: file.array[..., 0] for file in audio},
            {file.path: file.array[:, 0, 0] for file in image},
            audio_range,
        )
        sizes = [self._arrays.sizes[name] for name in ("frames", "bins", "channels")]
        features = ReadyFeatures(store, self._words.names, self._words.vectors, *sizes)
        return PostTable(posts, features=features)

    def _open(self, split: str) -> Rows:
        """Return the four arrays of a split."""
        queries, songs = FIRST_AXES[split]
        axes = {
            "image": ("image_densenet121", queries, 1, 1, "channels"),
            "caption": ("caption", queries, "caption words", "dim"),
            "lyric": ("lyric", songs, "words", "dim"),
            "audio": ("audio", songs, "frames", "bins", 1),
        }
        return {
            part: self._arrays.open(f"train_data/{split}_{name}.npy", shape)
            for part, (name, *shape) in axes.items()
        }

    def _posts(self, split: str, rows: Rows) -> list[Post]:
        """Return the posts of a split's true pairs; equal pairs are one post."""
        posts: dict[tuple[str, bytes], Post] = {}
        for query, song_row in self._true_pairs(split):
            song = self._song(rows, song_row)
            picture, caption = rows["image"].row(query), rows["caption"].row(query)
            key = (song.name, _digest(picture, caption))
            if key in posts:
                continue
            posts[key] = Post(
                id=f"{split}-{len(posts)}",
                texts={"lyrics": song.lyrics, "caption": self._words.text(caption)},
                audio=song.audio,
                image=row_path(rows["image"].path, query) if picture.any() else None,
                song=song.name,
                split=split,
            )
        return list(posts.values())

    def _song(self, rows: Rows, row: int) -> _Song:
        """Return the song of a row; the first row of a content stands for all."""
        recording, lyrics = rows["audio"].row(row), rows["lyric"].row(row)
        key = _digest(recording, lyrics)
        if key not in self._songs:
            self._songs[key] = _Song(
                f"song-{len(self._songs)}",
                self._words.text(lyrics),
                row_path(rows["audio"].path, row) if recording.any() else None,
            )
        return self._songs[key]

    def _true_pairs(self, split: str) -> list[tuple[int, int]]:
        """Return the rows of query and song of every pair with label 1.

        Raises:
            ValueError: Labels that are neither one a pair of rows nor one a query and
                song, or a query without a song.
        """
        num_queries, num_songs = (self._arrays.sizes[a] for a in FIRST_AXES[split])
        name = f"splits/{split}.npy"
        labels = self._arrays.labels(name)
        if len(labels) == num_queries == num_songs:
            rows = np.flatnonzero(labels).tolist()
            return list(zip(rows, rows, strict=True))
        path = self._arrays.folder / name
        if split == "train":
            raise ValueError(
                f"{path} has {len(labels)} labels; expected one for each of "
                f"{num_queries} pairs."
            )
        if len(labels) != num_queries * num_songs:
            raise ValueError(
                f"{path} has {len(labels)} labels; expected one for each of "
                f"{num_queries} queries with each of {num_songs} songs: "
                f"{num_queries * num_songs}."
            )
        matrix = labels.reshape(num_queries, num_songs)
        without = np.flatnonzero(~matrix.any(axis=1))
        if len(without):
            raise ValueError(f"{path} has no 1 in row {without[0]} of the matrix.")
        num_unasked = int((~matrix.any(axis=0)).sum())
        if num_unasked:
            _logger.warning(
                "%d of %d rows of songs in %s are no query's song and are left out",
                num_unasked,
                num_songs,
                path,
            )
        return [(int(query), int(song)) for query, song in np.argwhere(matrix)]


def _digest(*arrays: np.ndarray) -> bytes:
    """Return what tells the content of rows apart from that of others."""
    return hashlib.sha256(b"".join(array.tobytes() for array in arrays)).digest()


def _value_range(audio: ArrayFile, songs: Iterable[_Song]) -> tuple[float, float]:
    """Return the least and the largest value of the songs' recordings."""
    rows = [audio.array[int(song.audio.name)] for song in songs if song.audio]
    if not rows:
        return 0.0, 1.0
    return float(min(r.min() for r in rows)), float(max(r.max() for r in rows))
