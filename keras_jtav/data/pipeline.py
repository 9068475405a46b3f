"""Posts become ``tf.data``: batches of features for training and for encoding."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import tensorflow as tf

from keras_jtav.data.media import MediaStore
from keras_jtav.data.pairs import BatchPlan
from keras_jtav.data.post import Post

SONG_SIDE = ("spectrogram", "segment_mask", "words")


class PostFeatures:
    """The features of a list of posts, batch by batch.

    Args:
        posts: Posts whose media ``store`` has prepared.
        store: Features of the media files.
        preprocessor: From text to features; the one of serving.
        spec: Sizes of the features.
        task: ``sentiment`` (the longest text is the protagonist, Sec. 3.1.1) or
            ``retrieval`` (lyrics belong to the song, the caption to the query).
        documents: Vectors of whole posts' texts, float32 ``(posts, dim)``, where an
            encoder wants them.
    """

    def __init__(
        self,
        posts: Sequence[Post],
        store: MediaStore,
        preprocessor: Any,
        spec: Any,
        task: str,
        documents: np.ndarray | None = None,
    ) -> None:
        self._posts = posts
        self._store = store
        self._preprocessor = preprocessor
        self._spec = spec
        self._task = task
        self._documents = documents
        self._lyrics = tf.constant([post.texts.get("lyrics", "") for post in posts])
        self._captions = tf.constant([post.texts.get("caption", "") for post in posts])

    def with_store(self, store: Any, spec: Any) -> PostFeatures:
        """Return the features of the same posts from another store of media.

        Args:
            store: Stands in for a ``MediaStore``.
            spec: Sizes of its features.
        """
        return PostFeatures(
            self._posts, store, self._preprocessor, spec, self._task, self._documents
        )

    def training(
        self, plan: BatchPlan, names: Sequence[str], epoch: int = 0
    ) -> tf.data.Dataset:
        """Stream the batches of ``plan`` from ``epoch`` on, without end.

        Args:
            plan: Which posts and songs make each batch.
            names: Features to deliver: the inputs of the model.
            epoch: The first epoch.

        Returns:
            Pairs of features and labels. Sentiment: labels ``(batch,)``. Retrieval:
            features of songs are ``(batch, candidates, ...)``, labels ``(batch,
            candidates)`` with the true song first.
        """
        shape = (plan.rows_per_step, 1 + plan.negatives)  # (batch, candidates)
        keys = tf.constant(plan.keys, tf.int32)
        sentiments = tf.constant([float(post.label or 0) for post in self._posts])

        def load(queries: tf.Tensor, songs: tf.Tensor, *drawn: tf.Tensor) -> tuple:
            features = self._media(queries, songs, *drawn) | self._text(queries, songs)
            if self._task == "retrieval":
                features["song_keys"] = tf.gather(keys, songs)
                labels = tf.one_hot(tf.zeros(shape[:1], tf.int32), shape[1])
            else:
                features = _without_candidates(features)
                labels = tf.gather(sentiments, queries)
            return {name: features[name] for name in names}, labels

        rows = tf.data.Dataset.from_generator(
            lambda: itertools.chain.from_iterable(
                self._epoch(plan, number) for number in itertools.count(epoch)
            ),
            output_signature=(
                tf.TensorSpec(shape[:1], tf.int64),
                tf.TensorSpec(shape, tf.int64),
                *self._drawn_signature(shape),
            ),
        )
        dataset = rows.map(load, num_parallel_calls=tf.data.AUTOTUNE)
        return dataset.prefetch(tf.data.AUTOTUNE)

    def encoding(
        self,
        names: Sequence[str],
        batch_size: int,
        rows: np.ndarray | None = None,
    ) -> tf.data.Dataset:
        """Stream posts once, in order, with all segments of their recordings.

        Args:
            names: Features to deliver: the inputs of the model.
            batch_size: Posts per batch; the last batch may be smaller.
            rows: Which posts; by default all.
        """
        rows = np.arange(len(self._posts)) if rows is None else rows

        def load(batch: tf.Tensor) -> dict[str, tf.Tensor]:
            songs = batch[:, None]
            every_segment = tf.fill(tf.shape(songs), tf.constant(-1.0, tf.float64))
            features = self._media(batch, songs, every_segment)
            features = _without_candidates(features | self._text(batch, songs))
            return {name: features[name] for name in names}

        dataset = tf.data.Dataset.from_tensor_slices(rows).batch(batch_size)
        return dataset.map(load).prefetch(tf.data.AUTOTUNE)

    def _epoch(self, plan: BatchPlan, epoch: int) -> Iterator[tuple[np.ndarray, ...]]:
        """Yield the queries and songs of each batch, and what else was drawn."""
        for batch in plan.epoch(epoch):
            yield batch.queries, batch.songs, batch.draws

    def _drawn_signature(self, shape: tuple[int, int]) -> list[tf.TensorSpec]:
        """Return what follows queries and songs in a batch of ``_epoch``."""
        return [tf.TensorSpec(shape, tf.float64)]

    def _media(
        self, queries: tf.Tensor, songs: tf.Tensor, draws: tf.Tensor
    ) -> dict[str, tf.Tensor]:
        """Return features of media; those of songs are ``(batch, candidates, ...)``."""
        specs = self._media_specs(queries.shape[0], songs.shape[1], None)
        dtypes = [spec.dtype for spec in specs.values()]
        media = tf.numpy_function(self._load_media, [queries, songs, draws], dtypes)
        return {
            name: tf.ensure_shape(array, spec.shape)
            for (name, spec), array in zip(specs.items(), media, strict=True)
        }

    def _media_specs(
        self, batch: int | None, candidates: int, segments: int | None
    ) -> dict[str, tf.TensorSpec]:
        """Return the shapes and types of the features of media."""
        spec, songs = self._spec, (batch, candidates, segments)
        return {
            "image": tf.TensorSpec((batch, *spec.image_shape), spec.image_dtype),
            "image_mask": tf.TensorSpec((batch,), tf.bool),
            "spectrogram": tf.TensorSpec((*songs, spec.frames, spec.bins), tf.float32),
            "segment_mask": tf.TensorSpec(songs, tf.bool),
        }

    def _text(self, queries: tf.Tensor, songs: tf.Tensor) -> dict[str, tf.Tensor]:
        """Return ``words`` of songs (with candidates) and ``supporting_words``."""
        captions = tf.gather(self._captions, queries)
        if self._task == "retrieval":
            lyrics = tf.gather(self._lyrics, tf.reshape(songs, [-1]))
            text = self._preprocessor.lyrics(lyrics)
            text |= self._preprocessor.caption(captions)
        else:
            lyrics = tf.gather(self._lyrics, queries)
            text = self._preprocessor.text(lyrics, captions)
            if self._documents is not None:
                text |= {"document": tf.gather(self._documents, queries)}
        words = text["words"]
        shape = (-1, songs.shape[1], *words.shape[1:])
        return {**text, "words": tf.reshape(words, shape)}

    def _load_media(
        self, queries: np.ndarray, songs: np.ndarray, draws: np.ndarray
    ) -> tuple[np.ndarray, ...]:
        """Return pictures, their masks, spectrograms and their masks.

        A draw in [0, 1) chooses one segment of a recording, -1 takes all of them.
        """
        spec = self._spec
        images = np.zeros((len(queries), *spec.image_shape), spec.image_dtype)
        image_mask = np.zeros(len(queries), bool)
        for row, query in enumerate(queries):
            path = self._posts[query].image
            if path is not None and self._store.has(path):
                images[row], image_mask[row] = self._store.image(path), True
        clips = [
            self._segments(self._posts[song].audio, draw)
            for song, draw in zip(songs.ravel(), draws.ravel(), strict=True)
        ]
        longest = max(1, *(len(clip) for clip in clips))
        shape = (*songs.shape, longest)
        spectrograms = np.zeros((*shape, spec.frames, spec.bins), np.float32)
        segment_mask = np.zeros(shape, bool)
        for row, clip in zip(np.ndindex(*songs.shape), clips, strict=True):
            spectrograms[row][: len(clip)] = clip
            segment_mask[row][: len(clip)] = True
        return images, image_mask, spectrograms, segment_mask

    def _segments(self, path: Any, draw: float) -> np.ndarray:
        """Return the drawn or all segments of a recording; none if it is missing."""
        if path is None or not self._store.has(path):
            return np.zeros((0, self._spec.frames, self._spec.bins), np.float32)
        spectrogram = self._store.spectrogram(path)
        if draw < 0:
            return spectrogram
        chosen = int(draw * len(spectrogram))
        return spectrogram[chosen : chosen + 1]


def _without_candidates(features: Mapping[str, tf.Tensor]) -> dict[str, tf.Tensor]:
    return {
        name: array[:, 0] if name in SONG_SIDE else array
        for name, array in features.items()
    }
