"""lyricsHAN, a text baseline of Table 1: words make lines, lines make the song."""

from __future__ import annotations

import keras
from keras import ops

from keras_jtav.features.spec import FeatureSpec
from keras_jtav.layers import (
    ContextAttention,
    WordVectors,
    bidirectional_gru,
    real_words,
)


def build_lyrics_han(
    spec: FeatureSpec,
    *,
    line_words: int = 10,
    units: int = 50,
    attention_units: int = 100,
    trainable_vectors: bool = False,
    dropout: float = 0.0,
) -> keras.Model:
    """Return the hierarchical attention network; it ignores the supporting text.

    Choice: the features carry no line breaks, and real lyrics often come without, so
    every ``line_words`` words are a line.

    Args:
        spec: Sizes of the text features.
        line_words: Words of a line.
        units: Hidden units of one direction of both GRUs.
        attention_units: Size of the latent vectors of both attentions.
        trainable_vectors: Whether the word vectors learn.
        dropout: Share of coordinates that training drops.

    Returns:
        Model from ``words`` int32 (batch, words, pieces) and ``supporting_words`` int32
        (batch, supporting_words, pieces), in a dict, to float (batch, 2 * units).

    Raises:
        ValueError: A line of no word.

    Source:
        Tsaptsinos 2017, Lyrics-based music genre classification using a hierarchical
        attention network; JTAV Sec. 4.1.
    """
    if line_words < 1:
        raise ValueError(
            f"`line_words` must be at least 1; received {line_words}. Use 10."
        )
    words = keras.Input((spec.words, spec.pieces), dtype="int32", name="words")
    supporting_words = keras.Input(
        (spec.supporting_words, spec.pieces), dtype="int32", name="supporting_words"
    )
    num_lines = -(-spec.words // line_words)
    padding = [[0, 0], [0, num_lines * line_words - spec.words], [0, 0]]
    vectors = WordVectors(
        spec.embedding_rows,
        spec.embedding_dim,
        trainable=trainable_vectors,
        name="word_vectors",
    )(words)
    vectors = ops.reshape(
        ops.pad(vectors, padding), (-1, line_words, spec.embedding_dim)
    )
    vectors = keras.layers.Dropout(dropout)(vectors)
    lines = ops.reshape(ops.pad(words, padding), (-1, line_words, spec.pieces))
    in_line = real_words(lines)  # (batch * lines, line_words)
    states = bidirectional_gru(units, return_sequences=True, name="word_gru")(
        vectors, mask=_with_first(in_line)
    )
    line_vectors, _ = ContextAttention(attention_units, name="word_attention")(
        states, mask=in_line
    )
    line_vectors = ops.reshape(line_vectors, (-1, num_lines, 2 * units))
    is_line = ops.reshape(ops.any(in_line, axis=1), (-1, num_lines))
    states = bidirectional_gru(units, return_sequences=True, name="line_gru")(
        line_vectors, mask=_with_first(is_line)
    )
    t, _ = ContextAttention(attention_units, name="line_attention")(
        states, mask=is_line
    )
    t = keras.layers.Dropout(dropout)(t)
    return keras.Model({"words": words, "supporting_words": supporting_words}, t)


def _with_first(mask):
    """Return the mask with the first step in it: cuDNN refuses rows with no step."""
    first = ops.equal(ops.arange(mask.shape[1]), 0)
    return ops.logical_or(mask, first)
