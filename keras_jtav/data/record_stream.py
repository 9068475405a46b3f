"""Prepared records as a stream of training batches, for data larger than the disk.

The order of an epoch is a function of the seed and the epoch, as that of ``BatchPlan``
is; but a post is drawn from those near it in its shard, not from all.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import tensorflow as tf

from keras_jtav.data.pairs import BatchPlan
from keras_jtav.data.pipeline import PostFeatures
from keras_jtav.data.post import Post
from keras_jtav.data.record_store import RecordStore, read_shards
from keras_jtav.data.records import MEDIA_ARRAYS

Drawn = tuple[int, dict[str, Any]]  # row of a post, and its record


class StreamedFeatures(PostFeatures):
    """The features of the training posts, whose media stay in their shards.

    Every epoch the shards come in another order, several are read in turn, and a buffer
    shuffles what they hold. False songs come from a second pass over the same shards,
    in an order of its own, of which the first post of every song counts.

    Args:
        posts: Posts of the split ``train``.
        store: Of their records, ``streamed``.
        preprocessor: As for ``PostFeatures``.
        spec: Likewise.
        task: Likewise.
        documents: Likewise.
        shuffle_buffer: Records in the buffer.
    """

    def __init__(
        self,
        posts: Sequence[Post],
        store: RecordStore,
        preprocessor: Any,
        spec: Any,
        task: str,
        documents: np.ndarray | None,
        shuffle_buffer: int,
    ) -> None:
        super().__init__(posts, store, preprocessor, spec, task, documents)
        self._shuffle_buffer = shuffle_buffer
        self._row_of = {post.id: row for row, post in enumerate(posts)}
        self._arrays = [MEDIA_ARRAYS[m] for m in store.read_modalities]

    def encoding(
        self,
        names: Sequence[str],
        batch_size: int,
        rows: np.ndarray | None = None,
    ) -> tf.data.Dataset:
        """Stream posts in order; unpack those that were left in their shards."""
        rows = np.arange(len(self._posts)) if rows is None else rows
        self._store.fetch([self._posts[row] for row in np.unique(rows)])
        return super().encoding(names, batch_size, rows)

    def _epoch(self, plan: BatchPlan, epoch: int) -> Iterator[tuple[np.ndarray, ...]]:
        """Yield queries, songs and their media; posts after full batches are left."""
        orders = [np.random.default_rng([plan.seed, epoch, n]) for n in range(3)]
        queries = self._pass(orders[0], self._arrays)
        false_songs = _OtherSongs(self._songs(plan, orders[1]), plan.keys)
        for _ in range(plan.steps_per_epoch):
            batch = []
            for _ in range(plan.batch_size):
                row, record = next(queries)
                others = [false_songs.draw(row) for _ in range(plan.negatives)]
                batch.append([(row, record), *others])
            songs = np.array([[row for row, _ in posts] for posts in batch])
            yield songs[:, 0], songs, *self._stack(batch, orders[2].random(songs.shape))

    def _drawn_signature(self, shape: tuple[int, int]) -> list[tf.TensorSpec]:
        return list(self._media_specs(*shape, 1).values())

    def _media(
        self, queries: tf.Tensor, songs: tf.Tensor, *drawn: tf.Tensor
    ) -> dict[str, tf.Tensor]:
        """Return what came with the batch; posts in order are read from the store."""
        if len(drawn) == 1:
            return super()._media(queries, songs, *drawn)
        return dict(zip(self._media_specs(*songs.shape, 1), drawn, strict=True))

    def _pass(
        self, random: np.random.Generator, arrays: Sequence[str]
    ) -> Iterator[Drawn]:
        """Yield every training post once, in the next order of ``random``."""
        records = self._store.records
        paths = [records.path(shard) for shard in records.shards("train")]
        paths = [paths[place] for place in random.permutation(len(paths))]
        seed = int(random.integers(2**31))
        for record in read_shards(paths, arrays, self._shuffle_buffer, seed):
            row = self._row_of.get(record["id"].decode())
            if row is not None:  # its texts may have been all that it had
                yield row, record

    def _songs(self, plan: BatchPlan, random: np.random.Generator) -> Iterator[Drawn]:
        """Yield the posts that stand for songs, pass after pass, without end."""
        arrays = [name for name in self._arrays if name == MEDIA_ARRAYS["audio"]]
        stands_for_song = set(plan.song_rows.tolist())
        while True:
            for row, record in self._pass(random, arrays):
                if row in stands_for_song:
                    yield row, record

    def _stack(self, batch: list[list[Drawn]], draws: np.ndarray) -> list[np.ndarray]:
        """Return the media of posts and of their candidates as arrays of a batch."""
        specs = self._media_specs(*draws.shape, 1)
        media = {
            name: np.zeros(spec.shape, spec.dtype.as_numpy_dtype)
            for name, spec in specs.items()
        }
        for row, posts in enumerate(batch):
            picture = posts[0][1].get(MEDIA_ARRAYS["image"], ())
            if len(picture):
                media["image"][row], media["image_mask"][row] = picture, True
            for column, (_, record) in enumerate(posts):
                clip = record.get(MEDIA_ARRAYS["audio"], ())
                if len(clip):
                    segment = clip[int(draws[row, column] * len(clip))]
                    media["spectrogram"][row, column, 0] = segment
                    media["segment_mask"][row, column, 0] = True
        return list(media.values())


class _OtherSongs:
    """Draws false songs; one of a query's own song or group waits for another query.

    Few can wait: the oldest is dropped.
    """

    def __init__(self, songs: Iterator[Drawn], keys: np.ndarray) -> None:
        self._songs = songs
        self._keys = keys
        self._waiting: deque[Drawn] = deque(maxlen=8)

    def draw(self, query: int) -> Drawn:
        """Return another song than the query's, and of another group."""
        for place, song in enumerate(self._waiting):
            if self._is_false(song, query):
                del self._waiting[place]
                return song
        while True:
            song = next(self._songs)
            if self._is_false(song, query):
                return song
            self._waiting.append(song)

    def _is_false(self, song: Drawn, query: int) -> bool:
        return bool((self._keys[song[0]] != self._keys[query]).all())
