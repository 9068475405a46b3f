"""Features of media from prepared records, unpacked on this machine's disk."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import tensorflow as tf

from keras_jtav.config import DataOptions, FeatureOptions
from keras_jtav.data.cache import FeatureCache
from keras_jtav.data.media import MediaStore
from keras_jtav.data.post import Post, Rejection
from keras_jtav.data.record_folder import RecordFolder
from keras_jtav.data.records import (
    COMPRESSION,
    MEDIA_ARRAYS,
    STATISTICS_ARRAYS,
    UNREAD,
    parse_record,
)

Progress = Callable[[Iterable, int, str], Iterable]
# It decides the order of a streamed epoch, and so is not left to tuning.
SHARDS_AT_ONCE = 8


class RecordStore(MediaStore):
    """A ``MediaStore`` filled from shards instead of files of media.

    Shards are read from their beginning; unpacked, features can be read in any order.
    What an earlier run has unpacked is not read again.

    Args:
        records: The folder of shards.
        preprocessor: As for a ``MediaStore``.
        features: Likewise.
        data: Likewise.
        folder: Likewise; each folder of records has one of its own in it.
        modalities: Likewise.
        streamed: Whether to leave the training posts' media in their shards until
            ``fetch`` asks for some.
    """

    def __init__(
        self,
        records: RecordFolder,
        preprocessor: Any,
        features: FeatureOptions,
        data: DataOptions,
        folder: Path,
        modalities: Sequence[str],
        streamed: bool = False,
    ) -> None:
        folder = folder / f"records-{records.name}"
        super().__init__(preprocessor, features, data, folder, modalities)
        self.records = records
        self.streamed = streamed
        self.read_modalities = [m for m in MEDIA_ARRAYS if m in modalities]
        for modality, array in STATISTICS_ARRAYS.items():
            self._caches[array] = FeatureCache(folder, array, {})
            self._caches[MEDIA_ARRAYS[modality]] = self._caches[modality]
        self._shard_of = {post.id: shard for shard, post in records.posts()}

    def prepare(self, posts: Sequence[Post], progress: Progress) -> list[Rejection]:
        """Unpack the features of posts; return no rejection.

        Raises:
            ValueError: A shard that is not the one of the index.
        """
        for post in posts:
            for modality in self.read_modalities:
                path = getattr(post, modality)
                if path is not None and path.name != UNREAD:
                    self._digests[path] = path.name
        arrays = (*MEDIA_ARRAYS.values(), *STATISTICS_ARRAYS.values())
        if self.streamed:
            training = [post for post in posts if post.split == "train"]
            posts = [post for post in posts if post.split != "train"]
            self._unpack(training, tuple(STATISTICS_ARRAYS.values()), progress)
        self._unpack(posts, arrays, progress)
        return []

    def fetch(self, posts: Sequence[Post]) -> None:
        """Unpack the features of posts that were left in their shards."""
        arrays = tuple(MEDIA_ARRAYS.values())
        self._unpack(posts, arrays, lambda items, total, title: items)

    def audio_statistics(self, path: Path) -> np.ndarray:
        """Return what baselines see of a prepared recording, float64 ``(dim,)``."""
        return self._caches["audio_statistics"].get(self._digests[path])

    def image_statistics(self, path: Path) -> np.ndarray:
        """Return what baselines see of a prepared picture, float64 ``(dim,)``."""
        return self._caches["image_statistics"].get(self._digests[path])

    def shown(self, path: Path) -> np.ndarray:
        """Return a prepared picture: its file may be elsewhere."""
        return self.image(path)

    def _unpack(
        self, posts: Sequence[Post], arrays: Sequence[str], progress: Progress
    ) -> None:
        """Fill the caches with what they lack of posts."""
        missing: dict[str, set[str]] = {}
        shards: set[str] = set()
        for modality in self.read_modalities:
            files = {file for p in posts if self.has(file := getattr(p, modality))}
            for array in (MEDIA_ARRAYS[modality], STATISTICS_ARRAYS[modality]):
                if array in arrays:
                    cache = self._caches[array]
                    lacking = {file.name for file in files if file.name not in cache}
                    missing[array] = lacking
                    shards |= {
                        self._shard_of[post.id]
                        for post in posts
                        if (file := getattr(post, modality)) and file.name in lacking
                    }
        for shard in sorted(shards):
            self.records.check(shard)
        of_file = {array: f"{m}_file" for m, array in MEDIA_ARRAYS.items()}
        of_file |= {array: f"{m}_file" for m, array in STATISTICS_ARRAYS.items()}
        paths = [self.records.path(shard) for shard in sorted(shards)]
        total = sum(self.records.num_posts[shard] for shard in shards)
        for record in progress(read_shards(paths, tuple(missing)), total, "records"):
            for array, lacking in missing.items():
                digest = record[of_file[array]].decode()
                if digest in lacking:
                    self._caches[array].put(digest, record[array])
                    lacking.remove(digest)


def read_shards(
    paths: Sequence[str],
    arrays: Sequence[str],
    shuffle_buffer: int = 0,
    seed: int = 0,
) -> Iterator[dict[str, Any]]:
    """Yield the records of shards, of several at once in turn, always in one order.

    Args:
        paths: Of the shards; any that ``tf.io.gfile`` opens.
        arrays: What to read of each record, see ``parse_record``.
        shuffle_buffer: Records that are held and drawn from; 0: not shuffled.
        seed: Of the shuffling.

    Raises:
        OSError: A shard that is missing or broken.
    """
    if not paths:
        return
    dataset = tf.data.Dataset.from_tensor_slices(list(paths)).interleave(
        partial(tf.data.TFRecordDataset, compression_type=COMPRESSION),
        cycle_length=SHARDS_AT_ONCE,
        num_parallel_calls=tf.data.AUTOTUNE,
        deterministic=True,
    )
    if shuffle_buffer:
        dataset = dataset.shuffle(shuffle_buffer, seed, reshuffle_each_iteration=False)
    dataset = dataset.map(
        partial(parse_record, arrays=arrays),
        num_parallel_calls=tf.data.AUTOTUNE,
        deterministic=True,
    )
    try:
        yield from dataset.prefetch(tf.data.AUTOTUNE).as_numpy_iterator()
    except tf.errors.OpError as error:
        raise OSError(
            f"A shard cannot be read: {error.message}. Copy it again, or remove it and "
            "prepare the posts again."
        ) from error
