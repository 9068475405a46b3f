"""image2song (Li et al. 2017), the method that Figs. 5 and 6 compare with.

A picture predicts tags. They lead the attention on the words of a song's lyrics, and
what was attended to becomes a point of the same tag space. The song whose point is
nearest, by mean squared error, is the answer.

Neither its code nor its published table of results is to be had. So this follows its
description, with choices of ours:

- Tags are words of the training texts (``features/tags.py``), and a post has those in
  its caption and lyrics. The original's come from a tagger trained on other pictures.
- The network of pictures and the BiGRU of words are those of the config.
- It is trained as the other rows are, on one false song per query (JTAV Sec. 3.3), and
  beside that on the tags of pictures and of lyrics.
"""

from __future__ import annotations

from collections.abc import Mapping

import keras
from keras import layers, ops

from keras_jtav.encoders.att_bigru import build_word_states
from keras_jtav.features.spec import FeatureSpec
from keras_jtav.layers import TagAttention, TagDistance, TagLoss, real_words
from keras_jtav.tasks.inputs import feature_input, feature_shapes


def build_image2song(
    encoders: Mapping[str, keras.Model],
    spec: FeatureSpec,
    *,
    candidates: int = 2,
    attention_units: int = 32,
    units: int = 64,
    dropout: float = 0.0,
    tag_weight: float = 1.0,
) -> dict[str, keras.Model]:
    """Assemble image2song. A caption is read in training alone, for its tags.

    Args:
        encoders: Encoder of text, one with a BiGRU over all words, and of image.
        spec: Sizes of the features; there must be tags.
        candidates: Songs per query in training: the true one first, then false ones.
        attention_units: Size of the latent vectors of the tag attention.
        units: Size of the hidden layer between attended words and their point.
        dropout: Share of the attended states that training drops.
        tag_weight: Weight of the losses of tags.

    Returns:
        ``encode_query``, ``encode_song``, ``score`` and ``train``, as
        ``build_retrieval`` has them.

    Raises:
        ValueError: Other modalities, an encoder without word states, or no tags.

    Source:
        Li et al. 2017, Image2song: Song retrieval via bridging image content and lyric
        words, https://arxiv.org/abs/1708.05851.
    """
    if set(encoders) != {"text", "image"}:
        raise ValueError(
            "image2song matches pictures with lyrics: `modalities` must be text,image; "
            f"received {','.join(encoders)}."
        )
    if not spec.tag_rows:
        raise ValueError(
            "`matching=image2song` reads tags, and none are chosen. Add "
            "`features.tags=200`."
        )
    models = {
        "encode_query": _encode_query(encoders["image"], spec),
        "encode_song": _encode_song(encoders["text"], spec),
    }
    point = _song_point(
        models["encode_song"], len(spec.tag_rows), attention_units, units, dropout
    )
    logit = TagDistance(name="tag_distance")(
        point.input["image_vector"], point(point.input)
    )
    models["score"] = keras.Model(point.input, logit, name="score")
    models["train"] = _train(models, spec, candidates, tag_weight)
    return models


def _encode_query(encoder: keras.Model, spec: FeatureSpec) -> keras.Model:
    """Build: a picture -> its tags; without one, those that are likely anyway."""
    inputs = {name: feature_input(name, spec) for name in ("image", "image_mask")}
    vector = encoder(inputs["image"])
    vector = vector * ops.cast(inputs["image_mask"], vector.dtype)[:, None]
    tags = layers.Dense(
        len(spec.tag_rows), activation="sigmoid", dtype="float32", name="image_tags"
    )
    return keras.Model(inputs, {"image_vector": tags(vector)}, name="encode_query")


def _encode_song(encoder: keras.Model, spec: FeatureSpec) -> keras.Model:
    """Build: lyrics -> the states of their words, and which words are real."""
    words = feature_input("words", spec)
    # No caption, so the gate of Sec. 3.1.1 is open.
    nothing = ops.repeat(ops.zeros_like(words[:, :1]), spec.supporting_words, axis=1)
    states = build_word_states(encoder)({"words": words, "supporting_words": nothing})
    outputs = {"word_states": states, "word_mask": real_words(words)}
    return keras.Model({"words": words}, outputs, name="encode_song")


def _song_point(
    songs: keras.Model, num_tags: int, attention_units: int, units: int, dropout: float
) -> keras.Model:
    """Build: word states and the tags of a query -> the song's point."""
    inputs = {
        name: keras.Input(tensor.shape[1:], name=name, dtype=tensor.dtype)
        for name, tensor in songs.output.items()
    }
    inputs["image_vector"] = keras.Input((num_tags,), name="image_vector")
    attended = TagAttention(attention_units, name="tag_attention")(
        inputs["word_states"], inputs["image_vector"], inputs["word_mask"]
    )
    attended = layers.Dropout(dropout)(attended)
    hidden = layers.Dense(units, activation="relu", name="hidden")(attended)
    point = layers.Dense(
        num_tags, activation="sigmoid", dtype="float32", name="song_tags"
    )(hidden)
    return keras.Model(inputs, point, name="song_point")


def _train(
    models: Mapping[str, keras.Model],
    spec: FeatureSpec,
    candidates: int,
    tag_weight: float,
) -> keras.Model:
    """Build: pictures with their true and false lyrics -> logits."""
    query_inputs = {n: feature_input(n, spec) for n in ("image", "image_mask")}
    shape, dtype = feature_shapes(spec)["words"]
    songs = keras.Input((candidates, *shape), name="words", dtype=dtype)
    captions = feature_input("supporting_words", spec)
    tags = models["encode_query"](query_inputs)["image_vector"]
    texts = ops.concatenate([songs[:, 0], captions], axis=1)
    tags = TagLoss(spec.tag_rows, tag_weight, name="image_tag_loss")(tags, texts)
    tags = ops.repeat(tags, candidates, axis=0)
    lyrics = ops.reshape(songs, (-1, *shape))  # (batch * candidates, words, pieces)
    song = models["encode_song"]({"words": lyrics})
    score = models["score"]
    point = score.get_layer("song_point")({**song, "image_vector": tags})
    point = TagLoss(spec.tag_rows, tag_weight, name="song_tag_loss")(point, lyrics)
    logits = score.get_layer("tag_distance")(tags, point)
    inputs = {**query_inputs, "words": songs, "supporting_words": captions}
    logits = ops.reshape(logits, (-1, candidates))
    return keras.Model(inputs, logits, name="retrieval")
