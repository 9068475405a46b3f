"""Retrieval (Sec. 4.2): an image, with or without a caption, finds its song.

A query is an image and a caption, a candidate is a song's audio and lyrics. Each side
is encoded once per item (``encode_query``, ``encode_song``); only what the paper
defines on pairs, the caption's gate on the lyrics and the fusion, runs per pair.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial

import keras
from keras import KerasTensor, layers, ops

from keras_jtav.config import MODALITIES
from keras_jtav.encoders.image_encoder import with_features
from keras_jtav.features.spec import FeatureSpec
from keras_jtav.layers import (
    AbsentVectors,
    InBatchContrastive,
    OverSegments,
    ProtagonistText,
    SoundCourse,
    Tower,
    WordVectors,
    mean_of_words,
    sum_of_pieces,
)
from keras_jtav.tasks.inputs import (
    feature_input,
    feature_shapes,
    has_audio,
    has_words,
)

QUERY_FEATURES = {"text": ("supporting_words",), "image": ("image", "image_mask")}
SONG_FEATURES = {"text": ("words",), "audio": ("spectrogram", "segment_mask")}


def build_retrieval(
    encoders: Mapping[str, keras.Model],
    fuse: Callable[[dict[str, int]], keras.Model],
    head: Callable[[int], keras.Model],
    spec: FeatureSpec,
    *,
    has_lyrics: bool = True,
    candidates: int = 2,
    tower_units: int = 0,
    contrastive_weight: float = 0.0,
    modality_dropout: float = 0.0,
    seed: int = 0,
) -> dict[str, keras.Model]:
    """Assemble JTAV for retrieval.

    Args:
        encoders: Encoder of each modality in use: image, and text or audio or both.
        fuse: From ``{modality: dim}`` to a fusion model.
        head: From the size of ``u`` to a model with one logit.
        spec: Sizes of the features.
        has_lyrics: Whether songs have lyrics. Beside a song without, the caption is the
            protagonist; where none has any, ``t`` depends on the query alone.
        candidates: Songs per query in training: the true one first, then false ones.
        tower_units: Size of the vectors of query and song whose dot product is added
            to the logit; 0 for the paper's model.
        contrastive_weight: Weight of the towers' in-batch loss.
        modality_dropout: Share of rows in which a present modality is hidden.
        seed: Of the modality dropout.

    Returns:
        ``encode_query`` and ``encode_song``: features to a dict of encodings;
        ``encode_text``, with lyrics: lyrics and captions to ``text_vector`` (``t``) and
        ``text_present``; ``score``: encodings of queries and songs, row by row, to
        logits ``(batch,)``; ``train``: features of queries ``(batch, ...)`` and of
        their candidates ``(batch, candidates, ...)`` to logits ``(batch, candidates)``.

    Raises:
        ValueError: Modalities that leave one side of the pair empty.
    """
    sung = {m: e for m, e in encoders.items() if m != "text" or has_lyrics}
    if "image" not in sung or len(sung) < 2:
        lyrics = "" if has_lyrics else " (text without lyrics)"
        raise ValueError(
            "Retrieval needs `modalities` with image and at least one of text and "
            f"audio; received {list(encoders)}{lyrics}."
        )
    query_tower = song_tower = latent_semantics = None
    if tower_units:
        tower = partial(Tower, tower_units, modality_dropout)
        query_tower = tower(seed=seed + 1, learn_scale=True, name="query_tower")
        song_tower = tower(seed=seed + 2, name="song_tower")
        if "text" in encoders and spec.lsa_dim:
            latent_semantics = WordVectors(
                spec.embedding_rows, spec.lsa_dim, name="latent_semantics"
            )
    text_features = partial(_text_features, encoders, latent_semantics)
    query = _encode_query(encoders, spec, query_tower, text_features, has_lyrics)
    song = _encode_song(sung, spec, song_tower, text_features)
    models = {"encode_query": query, "encode_song": song}
    if "text" in sung:
        models["encode_text"] = _encode_text(encoders["text"], spec)
    absent = AbsentVectors(modality_dropout, seed=seed, name="absent")
    models["score"] = _score(models, encoders, fuse, head, absent)
    models["train"] = _train(models, spec, candidates, contrastive_weight)
    return models


def _inputs(
    features: Mapping[str, tuple[str, ...]],
    encoders: Mapping[str, keras.Model],
    spec: FeatureSpec,
) -> dict[str, KerasTensor]:
    names = [n for modality in encoders for n in features.get(modality, ())]
    return {name: feature_input(name, spec) for name in names}


def _encode_query(
    encoders: Mapping[str, keras.Model],
    spec: FeatureSpec,
    tower: Tower | None,
    text_features: Callable[[KerasTensor], KerasTensor],
    has_lyrics: bool,
) -> keras.Model:
    """Build: image and caption -> ``v``, its mask, the caption's ids, the tower.

    Without lyrics, ``t`` and its mask stand in for the ids.
    """
    inputs = _inputs(QUERY_FEATURES, encoders, spec)
    image_vector, image_features = with_features(encoders["image"])(inputs["image"])
    outputs = {
        "image_vector": image_vector,
        "image_present": _passed_on(inputs["image_mask"]),
    }
    vectors, masks = {"image": image_features}, [inputs["image_mask"]]
    if "text" in encoders:
        caption = inputs["supporting_words"]
        if has_lyrics:
            outputs["supporting_words"] = _passed_on(caption)
        else:
            outputs |= _read(encoders["text"], ops.zeros_like(caption), caption)
        vectors["text"] = text_features(caption)
        masks.append(has_words(caption))
    if tower is not None:
        outputs["query_tower"] = tower(list(vectors.values()), masks)
    return keras.Model(inputs, outputs, name="encode_query")


def _encode_text(encoder: keras.Model, spec: FeatureSpec) -> keras.Model:
    """Build: lyrics and caption of a pair -> ``t`` and its mask."""
    inputs = {name: feature_input(name, spec) for name in ("words", "supporting_words")}
    # Of any length, if the encoder takes it.
    inputs["words"] = keras.Input(
        encoder.input["words"].shape[1:], name="words", dtype="int32"
    )
    outputs = _read(encoder, inputs["words"], inputs["supporting_words"])
    return keras.Model(inputs, outputs, name="encode_text")


def _read(
    encoder: keras.Model, lyrics: KerasTensor, caption: KerasTensor
) -> dict[str, KerasTensor]:
    """Return ``t`` of a pair and its mask."""
    length = encoder.input["words"].shape[1]
    words, supporting = ProtagonistText(length, name="protagonist")(lyrics, caption)
    vector = encoder({"words": words, "supporting_words": supporting})
    return {"text_vector": vector, "text_present": has_words(words)}


def _encode_song(
    encoders: Mapping[str, keras.Model],
    spec: FeatureSpec,
    tower: Tower | None,
    text_features: Callable[[KerasTensor], KerasTensor],
) -> keras.Model:
    """Build: audio and lyrics -> ``a``, its mask, the lyrics' ids, the tower."""
    inputs = _inputs(SONG_FEATURES, encoders, spec)
    outputs, vectors, masks = {}, {}, []
    if "audio" in encoders:
        segment_mask = inputs["segment_mask"]
        pool = OverSegments(encoders["audio"], name="over_segments")
        audio_vector = pool(inputs["spectrogram"], segment_mask)
        audio_present = has_audio(segment_mask)
        outputs |= {"audio_vector": audio_vector, "audio_present": audio_present}
        vectors["audio"] = audio_vector
        if spec.frames > 1:  # not one vector that a data set brings
            course = OverSegments(
                SoundCourse(), dtype="float32", name="course_over_segments"
            )
            described = course(inputs["spectrogram"], segment_mask)
            vectors["audio"] = ops.concatenate([audio_vector, described], axis=-1)
        masks.append(audio_present)
    if "text" in encoders:
        lyrics = inputs["words"]
        outputs["words"] = _passed_on(lyrics)
        vectors["text"] = text_features(lyrics)
        masks.append(has_words(lyrics))
    if tower is not None:
        outputs["song_tower"] = tower(list(vectors.values()), masks)
    return keras.Model(inputs, outputs, name="encode_song")


def _text_features(
    encoders: Mapping[str, keras.Model],
    latent_semantics: WordVectors | None,
    ids: KerasTensor,
) -> KerasTensor:
    """Return the mean of a text's word vectors, and its latent semantics."""
    mean = mean_of_words(encoders["text"].get_layer("word_vectors"), ids)
    if latent_semantics is None:
        return mean
    return ops.concatenate([mean, sum_of_pieces(latent_semantics, ids)], axis=-1)


def _passed_on(tensor: KerasTensor) -> KerasTensor:
    """Return an input as an output: a model inside a model needs a layer between."""
    return layers.Identity()(tensor)


def _score(
    models: Mapping[str, keras.Model],
    encoders: Mapping[str, keras.Model],
    fuse: Callable[[dict[str, int]], keras.Model],
    head: Callable[[int], keras.Model],
    absent: AbsentVectors,
) -> keras.Model:
    """Build: encodings of a query and a song, and their ``t`` -> logit."""
    encodings = models["encode_query"].output | models["encode_song"].output
    if "encode_text" in models:
        encodings |= models["encode_text"].output
    names = [n for n in encodings if n not in ("words", "supporting_words")]
    inputs = {
        name: keras.Input(
            encodings[name].shape[1:], name=name, dtype=encodings[name].dtype
        )
        for name in names
    }
    order = [modality for modality in MODALITIES if modality in encoders]
    vectors = [inputs[f"{modality}_vector"] for modality in order]
    masks = [inputs[f"{modality}_present"] for modality in order]
    present = absent(vectors, masks)
    by_modality = dict(zip(order, present, strict=True))
    dims = {modality: vector.shape[-1] for modality, vector in by_modality.items()}
    unified = fuse(dims)(by_modality)
    logit = head(unified.shape[-1])(unified)
    if "query_tower" in inputs:
        logit = logit + ops.sum(inputs["query_tower"] * inputs["song_tower"], axis=-1)
    return keras.Model(inputs, logit, name="score")


def _train(
    models: Mapping[str, keras.Model],
    spec: FeatureSpec,
    candidates: int,
    contrastive_weight: float,
) -> keras.Model:
    """Build: queries with their true and false songs -> logits."""
    shapes = feature_shapes(spec)
    query_inputs = {
        tensor.name: feature_input(tensor.name, spec)
        for tensor in models["encode_query"].inputs
    }
    song_inputs = {}
    for tensor in models["encode_song"].inputs:
        shape, dtype = shapes[tensor.name]
        # Training draws one segment of every recording.
        shape = tuple(1 if size is None else size for size in shape)
        song_inputs[tensor.name] = keras.Input(
            (candidates, *shape), name=tensor.name, dtype=dtype
        )
    inputs = query_inputs | song_inputs
    query = models["encode_query"](query_inputs)
    song = models["encode_song"](
        {name: _merge_candidates(tensor) for name, tensor in song_inputs.items()}
    )
    if contrastive_weight and "query_tower" in query:
        song_keys = keras.Input((candidates, 2), name="song_keys", dtype="int32")
        inputs["song_keys"] = song_keys
        units = query["query_tower"].shape[-1]
        song_towers = ops.reshape(song["song_tower"], (-1, candidates, units))
        towers = InBatchContrastive(contrastive_weight, name="in_batch_contrastive")(
            query["query_tower"], song_towers, song_keys
        )
        query = {**query, "query_tower": towers}
    query = {n: ops.repeat(tensor, candidates, axis=0) for n, tensor in query.items()}
    pairs = {**query, **song}
    if "words" in pairs:
        texts = {name: pairs.pop(name) for name in ("words", "supporting_words")}
        pairs |= models["encode_text"](texts)
    logits = ops.reshape(models["score"](pairs), (-1, candidates))
    return keras.Model(inputs, logits, name="retrieval")


def _merge_candidates(tensor: KerasTensor) -> KerasTensor:
    """Return ``(batch, candidates, ...)`` as ``(batch * candidates, ...)``."""
    return ops.reshape(tensor, (-1, *tensor.shape[2:]))
