"""Scores of all queries with all songs, from items that were encoded once."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping

import keras
import numpy as np

from keras_jtav.config import MODALITIES
from keras_jtav.fusion.cmf_ap_of_all_pairs import can_share, unify_all_pairs

PAIRS_AT_ONCE = 1024  # each may need a latent vector at every coordinate
Encodings = dict[str, np.ndarray]
Rows = int | np.ndarray | tuple[np.ndarray, ...]


def encode(model: keras.Model, batches: Iterable) -> Encodings | np.ndarray:
    """Run a model over batches of features.

    Args:
        model: From features to one array or a dict of arrays.
        batches: Dicts of features.

    Returns:
        What the model returns, with the rows of all batches.
    """
    outputs = [model.predict_on_batch(as_arrays(batch)) for batch in batches]
    if isinstance(outputs[0], dict):
        return {
            name: np.concatenate([output[name] for output in outputs])
            for name in outputs[0]
        }
    return np.concatenate(outputs)


def as_arrays(batch: Mapping) -> Encodings:
    """Return a batch of ``tf.data`` as NumPy's arrays, which every backend takes."""
    return {name: np.asarray(tensor) for name, tensor in batch.items()}


def take(encodings: Mapping[str, np.ndarray], rows: Rows) -> Encodings:
    """Return the given rows of every array."""
    return {name: array[rows] for name, array in encodings.items()}


def pair_scores(
    models: Mapping[str, keras.Model],
    queries: Mapping[str, np.ndarray],
    songs: Mapping[str, np.ndarray],
    block_pairs: int = 16384,
) -> np.ndarray:
    """Score every query with every song.

    Lyrics are encoded once for each distinct caption (Sec. 3.1.1: the caption gates
    the lyrics). Time grows with the pairs; memory is bounded by ``block_pairs``.

    Args:
        models: ``score`` and, where text is used, ``encode_text``.
        queries: What ``encode_query`` gave, ``(queries, ...)`` each.
        songs: What ``encode_song`` gave, ``(songs, ...)`` each.
        block_pairs: Pairs scored at once.

    Returns:
        Logits, float32 ``(queries, songs)``.
    """
    num_queries = len(next(iter(queries.values())))
    num_songs = len(next(iter(songs.values())))
    order = _by_caption(queries, num_queries)
    # Square: what each side needs for itself is computed in every block it is part of.
    songs_per_block = min(num_songs, max(1, math.isqrt(block_pairs)))
    queries_per_block = max(1, block_pairs // songs_per_block)
    scores = np.empty((num_queries, num_songs), np.float32)
    for first_song in range(0, num_songs, songs_per_block):
        columns = np.arange(first_song, min(first_song + songs_per_block, num_songs))
        block_songs = take(songs, columns)
        texts = _Texts(models, block_songs)
        for first_query in range(0, num_queries, queries_per_block):
            rows = order[first_query : first_query + queries_per_block]
            block = _score_block(models, take(queries, rows), block_songs, texts)
            scores[np.ix_(rows, columns)] = block
    return scores


def _by_caption(queries: Mapping[str, np.ndarray], num_queries: int) -> np.ndarray:
    """Return the order in which equal captions stand together."""
    if "supporting_words" not in queries:
        return np.arange(num_queries)
    return np.argsort(_caption_index(queries)[1], kind="stable")


def _caption_index(queries: Mapping[str, np.ndarray]) -> tuple[np.ndarray, np.ndarray]:
    """Return the distinct captions and which of them each query has."""
    captions = queries["supporting_words"]
    flat = captions.reshape(len(captions), -1)
    distinct, index = np.unique(flat, axis=0, return_inverse=True)
    return distinct.reshape(-1, *captions.shape[1:]), index.ravel()


class _Texts:
    """``t`` of a block of songs, under the captions of one block of queries at a time.

    Blocks come in the order of captions, so that only the captions of the block before
    can come again.

    Args:
        models: ``encode_text``, where text is used.
        songs: What ``encode_song`` gave.
    """

    def __init__(self, models: Mapping[str, keras.Model], songs: Encodings) -> None:
        self._encoder = models.get("encode_text")
        self._words = songs.get("words")
        if self._encoder is not None and _takes_any_length(self._encoder):
            self._words = _without_padding(self._words)
        self._known: dict[bytes, Encodings] = {}

    def by_caption(self, queries: Encodings) -> tuple[Encodings, np.ndarray] | None:
        """Return ``t`` under each distinct caption, and which query has which.

        Returns:
            What ``encode_text`` gives, ``(captions, songs, ...)`` each, and int
            ``(queries,)``; ``None`` without text.
        """
        if self._encoder is None:
            return None
        captions, caption_of = _caption_index(queries)
        keys = [caption.tobytes() for caption in captions]
        new = [index for index, key in enumerate(keys) if key not in self._known]
        known = dict(self._known)
        if new:
            encoded = self._encode(captions[new])
            known |= {keys[i]: take(encoded, row) for row, i in enumerate(new)}
        self._known = {key: known[key] for key in keys}
        texts = {
            name: np.stack([self._known[key][name] for key in keys])
            for name in next(iter(self._known.values()))
        }
        return texts, caption_of

    def _encode(self, captions: np.ndarray) -> Encodings:
        num_songs = len(self._words)
        batches = []
        for first in range(0, len(captions) * num_songs, PAIRS_AT_ONCE):
            last = min(first + PAIRS_AT_ONCE, len(captions) * num_songs)
            caption, song = np.divmod(np.arange(first, last), num_songs)
            batches.append(
                {"words": self._words[song], "supporting_words": captions[caption]}
            )
        return {
            name: array.reshape(len(captions), num_songs, *array.shape[1:])
            for name, array in encode(self._encoder, batches).items()
        }


def _takes_any_length(encoder: keras.Model) -> bool:
    return any(t.name == "words" and t.shape[1] is None for t in encoder.inputs)


def _without_padding(words: np.ndarray) -> np.ndarray:
    """Cut off what all texts of a block leave empty.

    What is left has a power of two of words, as every length is compiled anew.

    Args:
        words: int32 (songs, words, pieces), 0 = padding.
    """
    used = np.flatnonzero(words.any(axis=(0, 2)))
    longest = used[-1] + 1 if used.size else 1
    return words[:, : 1 << int(longest - 1).bit_length()]


def _score_block(
    models: Mapping[str, keras.Model],
    queries: Encodings,
    songs: Encodings,
    texts: _Texts,
) -> np.ndarray:
    """Return the scores of one block, ``(queries, songs)``."""
    by_caption = texts.by_caption(queries)
    scores = _score_together(models["score"], queries, songs, by_caption)
    if scores is None:
        scores = _score_one_by_one(models["score"], queries, songs, by_caption)
    return scores


def _score_together(
    score: keras.Model,
    queries: Encodings,
    songs: Encodings,
    by_caption: tuple[Encodings, np.ndarray] | None,
) -> np.ndarray | None:
    """Score a block by what its pairs share; ``None`` where they share little.

    With several captions each pair has a text of its own, and the compiled model of
    one pair is the faster way.
    """
    layers = {layer.name: layer for layer in score.layers}
    fusion = layers.get("fusion")
    several_captions = by_caption is not None and len(by_caption[0]["text_vector"]) > 1
    if fusion is None or several_captions or not can_share(fusion):
        return None
    if by_caption is not None:
        songs = songs | take(by_caption[0], 0)
    sides: dict[str, Encodings] = {"queries": {}, "songs": {}}
    seen = {tensor.name for tensor in fusion.inputs}
    for index, modality in enumerate(m for m in MODALITIES if m in seen):
        side, encodings = "songs", songs
        if f"{modality}_vector" in queries:
            side, encodings = "queries", queries
        vectors = encodings[f"{modality}_vector"]
        present = encodings[f"{modality}_present"]
        sides[side][modality] = layers["absent"].fill(index, vectors, present)
    unified = unify_all_pairs(fusion, **sides)
    if unified is None:
        return None
    size = unified.shape[:2]
    logits = layers["head"](keras.ops.reshape(unified, (-1, unified.shape[-1])))
    scores = keras.ops.convert_to_numpy(logits).reshape(size)
    if "query_tower" in queries:
        scores = scores + queries["query_tower"] @ songs["song_tower"].T
    return scores


def _score_one_by_one(
    score: keras.Model,
    queries: Encodings,
    songs: Encodings,
    by_caption: tuple[Encodings, np.ndarray] | None,
) -> np.ndarray:
    """Score a block pair by pair, ``PAIRS_AT_ONCE`` at a time."""
    num_queries = len(queries["image_vector"])
    num_songs = len(next(iter(songs.values())))
    names = [tensor.name for tensor in score.inputs]
    logits = []
    for first in range(0, num_queries * num_songs, PAIRS_AT_ONCE):
        pairs = np.arange(first, min(first + PAIRS_AT_ONCE, num_queries * num_songs))
        query_of, song_of = np.divmod(pairs, num_songs)
        rows = take(queries, query_of) | take(songs, song_of)
        if by_caption is not None:
            texts, caption_of = by_caption
            rows |= take(texts, (caption_of[query_of], song_of))
        logits.append(score.predict_on_batch({name: rows[name] for name in names}))
    return np.concatenate(logits).reshape(num_queries, num_songs)
