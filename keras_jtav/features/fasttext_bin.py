"""fastText's ``.bin`` models, read without loading them."""

from __future__ import annotations

import mmap
import struct
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import tensorflow as tf

from keras_jtav.features.subwords import ngram_buckets

_MAGIC = 793_712_314
_LAYOUT_BEFORE_MAGIC = 0  # files of 2016: no magic number, layout, pruning, flags
_LAYOUTS = (11, 12)
_SUPERVISED = 3
# dim, window, epochs, least count, negatives, word n-grams, loss, model, buckets,
# shortest and longest n-gram, update rate; sampling threshold.
_ARGUMENTS = struct.Struct("<12id")
_DICTIONARY = struct.Struct("<3iq")  # entries, words, labels; tokens
_BYTES_AFTER_WORD = 9  # count and type
_WORDS_PER_CALL = 1024


class FastTextBin:
    """The words of a ``.bin`` file and the vectors that its model gives to any word.

    Choice: not through the fastText library, which copies the usual 7 GB into memory,
    hangs on a file that is cut in its words and takes one cut in its vectors for whole.
    Here the file is mapped, and only the rows asked for are read.

    Args:
        path: An existing file.

    Raises:
        ValueError: A file of another kind or layout, a cut or a quantised one.

    Source: ``FastText::loadModel``, ``Dictionary::load`` and ``DenseMatrix::load`` of
    https://github.com/facebookresearch/fastText.
    """

    def __init__(self, path: Path) -> None:
        try:
            with path.open("rb") as file:
                data = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
            position = self._read_arguments(data)
            position = self._read_words(data, position)
            self._matrix = self._map_matrix(data, position)
        except (ValueError, struct.error) as error:
            raise ValueError(
                f"{path} is no whole fastText model ({error}). Give a complete .bin "
                "file, not quantised, or the .vec text of the same vectors."
            ) from error
        self._row_of = {word: row for row, word in enumerate(self.words)}

    def vectors(self, words: Sequence[str]) -> dict[str, np.ndarray]:
        """Return fastText's vectors, float32 ``(dim,)``, of words that have one.

        It is the mean of a word's own row and the rows of its n-grams; a word of
        neither is left out.
        """
        found = {}
        for start in range(0, len(words), _WORDS_PER_CALL):
            batch = words[start : start + _WORDS_PER_CALL]
            for word, buckets in zip(batch, self._buckets(batch), strict=True):
                own = [self._row_of[word]] if word in self._row_of else []
                rows = np.concatenate([own, buckets + len(self.words)]).astype(int)
                if len(rows):
                    found[word] = self._matrix[rows].mean(axis=0)
        return found

    def _buckets(self, words: Sequence[str]) -> list[np.ndarray]:
        if not (self._max_ngram and self._num_buckets):
            return [np.zeros(0, int)] * len(words)
        # As many as the longest word has, so that none is left out.
        longest = max(map(len, words)) + 2
        limit = longest * (self._max_ngram - self._min_ngram + 1)
        buckets, exist = ngram_buckets(
            tf.constant(words),
            self._min_ngram,
            self._max_ngram,
            self._num_buckets,
            limit,
        )
        pairs = zip(buckets.numpy(), exist.numpy(), strict=True)
        return [numbers[mask] for numbers, mask in pairs]

    def _read_arguments(self, data: mmap.mmap) -> int:
        """Read what decides a vector; return where the dictionary starts."""
        magic, layout = struct.unpack_from("<2i", data)
        if magic != _MAGIC:
            layout = _LAYOUT_BEFORE_MAGIC
        elif layout not in _LAYOUTS:
            raise ValueError(f"its layout is number {layout}")
        position = 8 if layout else 0
        arguments = _ARGUMENTS.unpack_from(data, position)
        self._layout, self._dim = layout, arguments[0]
        self._num_buckets, self._min_ngram, self._max_ngram = arguments[8:11]
        if layout < _LAYOUTS[-1] and arguments[7] == _SUPERVISED:
            self._max_ngram = 0
        return position + _ARGUMENTS.size

    def _read_words(self, data: mmap.mmap, position: int) -> int:
        """Read the words, most frequent first; return where the matrix starts."""
        num_entries, num_words, _, _ = _DICTIONARY.unpack_from(data, position)
        position += _DICTIONARY.size
        if self._layout:
            (num_pruned,) = struct.unpack_from("<q", data, position)
            position += 8
            if num_pruned > 0:
                raise ValueError("its n-grams are pruned")
        words = []
        for _ in range(num_entries):
            end = data.find(b"\0", position)
            if end < 0:
                raise ValueError("it ends amid its words")
            words.append(data[position:end].decode("utf-8", "replace"))
            position = end + 1 + _BYTES_AFTER_WORD
        self.words = words[:num_words]  # labels follow
        return position

    def _map_matrix(self, data: mmap.mmap, position: int) -> np.ndarray:
        if self._layout:
            if data[position : position + 1] == b"\1":
                raise ValueError("it is quantised")
            position += 1
        rows, dim = struct.unpack_from("<2q", data, position)
        position += 16
        if dim != self._dim or dim < 1 or rows < max(len(self.words), 1):
            raise ValueError("another kind of file")
        if position + 4 * rows * dim > len(data):
            raise ValueError("it ends amid its vectors")
        values = np.frombuffer(data, "<f4", rows * dim, position)
        return values.reshape(rows, dim)
