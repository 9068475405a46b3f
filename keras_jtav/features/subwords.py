"""fastText's character n-grams inside a TensorFlow graph."""

from __future__ import annotations

import math

import tensorflow as tf

_FNV_OFFSET = 2_166_136_261
_FNV_PRIME = 16_777_619
_SIGN_BITS = 0xFFFFFF00


def ngram_buckets(words, min_ngram: int, max_ngram: int, buckets: int, limit: int):
    """Return the buckets that fastText puts the n-grams of ``<word>`` into.

    Same n-grams, order and hash (FNV-1a over sign-extended bytes) as fastText's
    ``Dictionary::computeSubwords``. An n-gram of one character does not count when it
    is ``<`` or ``>``.

    Args:
        words: string ``(words,)``, valid UTF-8.
        min_ngram: Shortest n-gram in characters.
        max_ngram: Longest n-gram in characters.
        buckets: Number of buckets.
        limit: How many leading n-grams of a word are sure to be complete; characters
            that can only matter after them are not read.

    Returns:
        int32 bucket numbers and a bool mask of those that exist, both
        ``(words, candidates)``, in fastText's order.

    Source: Bojanowski et al. 2017, https://arxiv.org/abs/1607.04606.
    """
    num_lengths = max_ngram - min_ngram + 1
    width = math.ceil((limit + 2) / num_lengths) + max_ngram
    codepoints = tf.strings.unicode_decode(
        tf.strings.join(["<", words, ">"]), "UTF-8"
    ).to_tensor(0, shape=(None, width))  # (words, characters)
    steps = _bytes_of(tf.pad(codepoints, [[0, 0], [0, max_ngram]]))
    present = tf.pad(codepoints > 0, [[0, 0], [0, max_ngram]])
    inner = tf.range(width) > 0
    state = tf.fill(tf.shape(codepoints), tf.constant(_FNV_OFFSET, tf.uint32))
    hashes, masks = [], []
    for length in range(1, max_ngram + 1):
        state = _hash_step(state, steps, slice(length - 1, length - 1 + width))
        if length >= min_ngram:
            exists = present[:, length - 1 : length - 1 + width]
            if length == 1:
                exists &= inner & present[:, 1 : 1 + width]
            hashes.append(state)
            masks.append(exists)
    numbers = tf.cast(tf.stack(hashes, -1) % tf.constant(buckets, tf.uint32), tf.int32)
    shape = (-1, width * num_lengths)
    return tf.reshape(numbers, shape), tf.reshape(tf.stack(masks, -1), shape)


def _bytes_of(codepoints):
    """Return four pairs: the k-th UTF-8 byte as fastText's hash reads it, and a mask.

    The hash takes bytes as ``int8``, so those of 128 and more get ones in front.
    """
    sizes = 1 + sum(
        tf.cast(codepoints >= bound, tf.int32) for bound in (0x80, 0x800, 0x10000)
    )
    lead = tf.gather(tf.constant([0, 0, 0xC0, 0xE0, 0xF0]), sizes)
    pairs = []
    for position in range(4):
        shift = 6 * tf.maximum(sizes - 1 - position, 0)
        bits = tf.bitwise.right_shift(codepoints, shift)
        tail = tf.bitwise.bitwise_and(bits, 0x3F) + 0x80
        byte = tail if position else bits + lead
        byte = tf.cast(byte, tf.uint32)
        signed = tf.where(byte >= 128, byte + tf.constant(_SIGN_BITS, tf.uint32), byte)
        pairs.append((signed, sizes > position))
    return pairs


def _hash_step(state, steps, window: slice):
    """Return FNV-1a states after one more character, up to four bytes."""
    prime = tf.constant(_FNV_PRIME, tf.uint32)
    for byte, exists in steps:
        after = tf.bitwise.bitwise_xor(state, byte[:, window]) * prime
        state = tf.where(exists[:, window], after, state)
    return state
