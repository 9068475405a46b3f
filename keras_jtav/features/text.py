"""From strings to rows of the embedding table: one rule for training and serving."""

from __future__ import annotations

from collections.abc import Sequence

import keras
import numpy as np
import tensorflow as tf

from keras_jtav.features.subwords import ngram_buckets
from keras_jtav.features.vocabulary import (
    FIRST_WORD_ROW,
    OOV_ROW,
    PADDING_ROW,
    Vocabulary,
)

_TEXTS_PER_CALL = 1024
# Two cheap passes: one expression with a captured word takes ten times as long.
_GAP = r"[^\p{L}\p{M}\p{N}']+"
_OUTER_APOSTROPHES = "[ ']{2,}|^'|'$"
# TensorFlow lowers with the rules of the process's locale, and a Turkish, Azeri or
# Lithuanian one differs in these letters: they are lowered first, the same everywhere.
_SETTLED = {
    "\N{RIGHT SINGLE QUOTATION MARK}": "'",
    "I": "i",
    "İ": "i",
    "Ì": "ì",
    "Í": "í",
    "Ĩ": "ĩ",
}


def tokenize(strings):
    """Split texts into lower-case words.

    A word is a run of letters, marks and digits of any script, with single apostrophes
    inside (``don't``; the typographic one counts as the plain one). All else separates.
    Invalid UTF-8 is replaced first and so separates too.

    Choice: no segmentation of scripts without spaces; their runs stay one word, which
    subwords still tell apart.

    Args:
        strings: string ``(batch,)``.

    Returns:
        string RaggedTensor ``(batch, words)``.

    Example:
        >>> tokenize(["It's NOW!"]).to_list()[0]
        [b"it's", b'now']
    """
    strings = tf.strings.unicode_transcode(strings, "UTF-8", "UTF-8", errors="replace")
    for letter, settled in _SETTLED.items():
        strings = tf.strings.regex_replace(strings, letter, settled)
    strings = tf.strings.lower(strings, encoding="utf-8")
    strings = tf.strings.regex_replace(strings, _GAP, " ")
    return tf.strings.split(tf.strings.regex_replace(strings, _OUTER_APOSTROPHES, " "))


def tokenize_texts(texts: Sequence[str]) -> list[list[str]]:
    """Run ``tokenize`` eagerly over any number of texts.

    Example:
        >>> tokenize_texts(["Rock'n'roll, baby", ""])
        [["rock'n'roll", 'baby'], []]
    """
    words = []
    for start in range(0, len(texts), _TEXTS_PER_CALL):
        batch = tf.constant(list(texts[start : start + _TEXTS_PER_CALL]), tf.string)
        for row in tokenize(batch).to_list():
            words.append([word.decode("utf-8") for word in row])
    return words


def protagonist_first(parts):
    """Give every text part its role (Sec. 3.1.1).

    The part with most words is the protagonist (the first of equals); the others,
    joined in their order, are the supporting text.

    Args:
        parts: string ``(batch, parts)``.

    Returns:
        Protagonist and supporting text, both string ``(batch,)``.

    Example:
        >>> main, support = protagonist_first(tf.constant([["so happy", "la la la"]]))
        >>> main.numpy()[0], support.numpy()[0].strip()
        (b'la la la', b'so happy')
    """
    num_parts = parts.shape[1]
    counts = tokenize(tf.reshape(parts, [-1])).row_lengths()
    longest = tf.argmax(tf.reshape(counts, [-1, num_parts]), axis=1)  # (batch,)
    others = tf.where(tf.one_hot(longest, num_parts, True, False), "", parts)
    supporting = tf.strings.reduce_join(others, axis=1, separator=" ")
    return tf.gather(parts, longest, batch_dims=1), supporting


def protagonist_texts(parts: Sequence[Sequence[str]]) -> list[str]:
    """Run ``protagonist_first`` eagerly and return the protagonists.

    Args:
        parts: The parts of each post, as many for all.

    Example:
        >>> protagonist_texts([["so happy", "la la la"], ["", "la"]])
        ['la la la', 'la']
    """
    protagonists, _ = protagonist_first(tf.constant(parts, tf.string))
    return [text.decode("utf-8") for text in protagonists.numpy()]


@keras.saving.register_keras_serializable(package="keras_jtav")
class TextIds(keras.layers.Layer):
    """Texts as rows of the embedding table.

    With subwords a known word is its own row and the rows of its n-grams, an unknown
    one its n-grams alone, as in fastText's ``get_word_vector``; the first
    ``MAX_PIECES`` are kept. A word without any row is the unknown word.

    Args:
        vocabulary: Words and n-gram settings; the vectors are not used.
        length: Words kept per text; shorter texts are padded with zeros.

    Input: string ``(batch,)``.
    Output: int32 ``(batch, length, pieces)``.

    Raises:
        ValueError: A length below 1.

    Example:
        >>> table = np.zeros((4, 2), "float32")
        >>> ids = TextIds(Vocabulary(["sun", "moon"], table), length=3)
        >>> ids(tf.constant(["Moon river"])).numpy()[0, :, 0]
        array([3, 1, 0], dtype=int32)
    """

    def __init__(self, vocabulary: Vocabulary, length: int, **kwargs) -> None:
        super().__init__(autocast=False, **kwargs)
        if length < 1:
            raise ValueError(f"`length` must be at least 1 word; received {length}.")
        self.vocabulary = vocabulary
        self.length = length
        self.supports_jit = False
        rows = np.arange(len(vocabulary.words), dtype="int32") + FIRST_WORD_ROW
        self._rows = tf.lookup.StaticHashTable(
            tf.lookup.KeyValueTensorInitializer(list(vocabulary.words), rows),
            default_value=OOV_ROW,
        )

    def call(self, strings):
        tokens = tokenize(strings)[:, : self.length]
        distinct, position = tf.unique(tokens.values)
        ids = tf.gather(self._pieces_of(distinct), position)  # (all words, pieces)
        shape = (None, self.length, self.vocabulary.pieces)
        return tokens.with_values(ids).to_tensor(PADDING_ROW, shape=shape)

    def _pieces_of(self, words):
        """Return rows ``(words, pieces)`` of distinct words."""
        rows = self._rows.lookup(words)[:, None]
        vocabulary = self.vocabulary
        if not vocabulary.buckets:
            return rows
        buckets, exist = ngram_buckets(
            words,
            vocabulary.min_ngram,
            vocabulary.max_ngram,
            vocabulary.buckets,
            limit=vocabulary.pieces,
        )
        bare = ~tf.reduce_any(exist, axis=1, keepdims=True)
        candidates = tf.concat([rows, buckets + vocabulary.first_bucket_row], axis=1)
        kept = tf.concat([(rows >= FIRST_WORD_ROW) | bare, exist], axis=1)
        ragged = tf.ragged.boolean_mask(candidates, kept)
        return ragged.to_tensor(PADDING_ROW, shape=(None, vocabulary.pieces))

    def compute_output_shape(self, input_shape):
        return (*input_shape, self.length, self.vocabulary.pieces)

    def get_config(self):
        vocabulary = self.vocabulary
        return {
            **super().get_config(),
            "vocabulary": {
                "words": list(vocabulary.words),
                "min_ngram": vocabulary.min_ngram,
                "max_ngram": vocabulary.max_ngram,
                "buckets": vocabulary.buckets,
            },
            "length": self.length,
        }

    @classmethod
    def from_config(cls, config):
        """Rebuild the layer, its vocabulary without vectors (of size 0)."""
        settings = config["vocabulary"]
        rows = FIRST_WORD_ROW + len(settings["words"]) + settings["buckets"]
        vocabulary = Vocabulary(matrix=np.zeros((rows, 0), "float32"), **settings)
        return cls(**{**config, "vocabulary": vocabulary})
