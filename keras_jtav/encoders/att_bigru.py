"""attBiGRU, the text encoder of Fig. 3, and BiGRU, its baseline without captions."""

from __future__ import annotations

import keras
from keras import ops

from keras_jtav.features.spec import FeatureSpec
from keras_jtav.layers import (
    ContextAttention,
    ProtagonistGate,
    WordVectors,
    bidirectional_gru,
    masked_mean,
    real_words,
)


def build_att_bigru(
    spec: FeatureSpec,
    *,
    units: int = 50,
    attention_units: int = 100,
    gate: bool = True,
    rescale_gate: bool = False,
    trainable_vectors: bool = False,
    word_mean: bool = False,
    dropout: float = 0.0,
) -> keras.Model:
    """Return the text encoder: gated word vectors, BiGRU, context attention.

    The word table is the layer ``word_vectors``; a trained matrix is put in with
    ``model.get_layer("word_vectors").set_weights([matrix])``. Padding has no effect on
    ``t``; a post without a word gives the zero vector.

    Args:
        spec: Sizes of the text features.
        units: Hidden units of one direction of the GRU.
        attention_units: Size of the attention's latent vectors. Choice: as wide as the
            states; the paper does not say.
        gate: Whether the supporting text gates the protagonist.
        rescale_gate: Whether the gate is brought to a root mean square of 1.
        trainable_vectors: Whether the word vectors learn.
        word_mean: Whether the mean word vector of the protagonist and, with ``gate``,
            that of the supporting text stand beside the attended states in ``t``, as
            they are. Not the paper's; with few posts the recurrent part learns little
            (see ``docs/model.md``).
        dropout: Share of the word vectors' and of ``t``'s coordinates that training
            drops.

    Returns:
        Model from ``words`` int32 (batch, words, pieces) and ``supporting_words`` int32
        (batch, supporting_words, pieces), in a dict, to ``t`` float (batch, 2 * units),
        with ``word_mean`` an ``embedding_dim`` more for each mean.

    Source:
        JTAV Sec. 3.1.1, Eq. 1.
    """
    # Of any length: where all texts are short, scoring leaves padding out.
    words = keras.Input((None, spec.pieces), dtype="int32", name="words")
    supporting_words = keras.Input(
        (spec.supporting_words, spec.pieces), dtype="int32", name="supporting_words"
    )
    word_vectors = WordVectors(
        spec.embedding_rows,
        spec.embedding_dim,
        trainable=trainable_vectors,
        name="word_vectors",
    )
    own = vectors = word_vectors(words)  # (batch, words, dim)
    supporting = word_vectors(supporting_words)
    supporting_mask = real_words(supporting_words)
    if gate:
        vectors = ProtagonistGate(rescale=rescale_gate, name="protagonist_gate")(
            vectors, supporting, supporting_mask=supporting_mask
        )
    vectors = keras.layers.Dropout(dropout)(vectors)
    mask = real_words(words)
    states = bidirectional_gru(units, return_sequences=True, name="bigru")(
        vectors, mask=_steps(mask)
    )  # (batch, words, 2 * units)
    attention = ContextAttention(attention_units, name="context_attention")
    t, _ = attention(states, mask=mask)
    if word_mean:
        means = [masked_mean(own, mask)]
        if gate:
            means.append(masked_mean(supporting, supporting_mask))
        t = keras.layers.Concatenate(name="word_mean")([t, *means])
    t = keras.layers.Dropout(dropout)(t)
    return keras.Model({"words": words, "supporting_words": supporting_words}, t)


def build_bigru(
    spec: FeatureSpec,
    *,
    units: int = 50,
    attention_units: int = 100,
    trainable_vectors: bool = False,
    dropout: float = 0.0,
) -> keras.Model:
    """Return the baseline of Table 1: attBiGRU that ignores the supporting text.

    Args:
        spec: Sizes of the text features.
        units: Hidden units of one direction of the GRU.
        attention_units: Size of the attention's latent vectors.
        trainable_vectors: Whether the word vectors learn.
        dropout: Share of coordinates that training drops.

    Returns:
        Model with the inputs and the output of ``build_att_bigru``.

    Source:
        JTAV Sec. 4.1 (BiGRU).
    """
    return build_att_bigru(
        spec,
        units=units,
        attention_units=attention_units,
        gate=False,
        trainable_vectors=trainable_vectors,
        dropout=dropout,
    )


def build_word_weights(encoder: keras.Model) -> keras.Model:
    """Return a model that tells how much each word counts in ``t``.

    Args:
        encoder: What ``build_att_bigru`` or ``build_bigru`` returned; the weights are
            shared.

    Returns:
        Model with the encoder's inputs to ``alpha`` of Eq. 1, float32 (batch, words):
        each row sums to 1, or to 0 where a post has no word.
    """
    _, alpha = encoder.get_layer("context_attention").output
    return keras.Model(encoder.input, alpha)


def build_word_states(encoder: keras.Model) -> keras.Model:
    """Return a model of the states that the attention of a text encoder reads.

    Args:
        encoder: What ``build_att_bigru`` or ``build_bigru`` returned; the weights are
            shared.

    Returns:
        Model with the encoder's inputs to the states of the BiGRU, float (batch, words,
        2 * units).

    Raises:
        ValueError: An encoder without a BiGRU over all words.
    """
    if "bigru" not in [layer.name for layer in encoder.layers]:
        raise ValueError(
            "Word states are those of `text=att_bigru` or `text=bigru`; this encoder "
            "has none."
        )
    return keras.Model(encoder.input, encoder.get_layer("bigru").output)


def _steps(mask):
    """Return the mask with every step up to the last real word, and the first one.

    cuDNN refuses rows with no step at all and rows with gaps. The extra steps are zero
    vectors, and the attention leaves them out.
    """
    # Counted from the mask: a number that is known beforehand would be captured by
    # graphs as one more input, which converters of graphs do not expect.
    positions = ops.cumsum(ops.ones_like(mask, "int32"), axis=1)
    lengths = ops.max(ops.cast(mask, "int32") * positions, axis=1, keepdims=True)
    return ops.less_equal(positions, ops.maximum(lengths, 1))
