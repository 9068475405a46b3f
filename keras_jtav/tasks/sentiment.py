"""Sentiment (Sec. 4.1): one post in, the logit of the positive class out."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import keras

from keras_jtav.features.spec import FeatureSpec
from keras_jtav.layers import AbsentVectors, OverSegments
from keras_jtav.tasks.inputs import feature_input, has_audio, has_words


def build_sentiment(
    encoders: Mapping[str, keras.Model],
    fuse: Callable[[dict[str, int]], keras.Model],
    head: Callable[[int], keras.Model],
    spec: FeatureSpec,
    *,
    modality_dropout: float = 0.0,
    seed: int = 0,
) -> dict[str, keras.Model]:
    """Assemble JTAV for sentiment.

    Args:
        encoders: Encoder of each modality in use.
        fuse: From ``{modality: dim}`` to a fusion model.
        head: From the size of ``u`` to a model with one logit.
        spec: Sizes of the features.
        modality_dropout: Share of rows in which a present modality is hidden.
        seed: Of the modality dropout.

    Returns:
        ``train``: features to logits ``(batch,)``; ``encode``: features to ``u``,
        ``(batch, units)``. They share their weights.
    """
    inputs: dict[str, keras.KerasTensor] = {}
    vectors, masks = [], []
    if "text" in encoders:
        read = [tensor.name for tensor in encoders["text"].inputs]
        text = {name: feature_input(name, spec) for name in ("words", *read)}
        inputs |= text
        vectors.append(encoders["text"]({name: text[name] for name in read}))
        masks.append(has_words(text["words"]))
    if "audio" in encoders:
        spectrogram = feature_input("spectrogram", spec)
        segment_mask = feature_input("segment_mask", spec)
        inputs |= {"spectrogram": spectrogram, "segment_mask": segment_mask}
        pool = OverSegments(encoders["audio"], name="over_segments")
        vectors.append(pool(spectrogram, segment_mask))
        masks.append(has_audio(segment_mask))
    if "image" in encoders:
        image = feature_input("image", spec)
        image_mask = feature_input("image_mask", spec)
        inputs |= {"image": image, "image_mask": image_mask}
        vectors.append(encoders["image"](image))
        masks.append(image_mask)
    present = AbsentVectors(modality_dropout, seed=seed, name="absent")(vectors, masks)
    by_modality = dict(zip(encoders, present, strict=True))
    dims = {modality: vector.shape[-1] for modality, vector in by_modality.items()}
    unified = fuse(dims)(by_modality)
    logit = head(unified.shape[-1])(unified)
    return {
        "train": keras.Model(inputs, logit, name="sentiment"),
        "encode": keras.Model(inputs, unified, name="encode"),
    }
