"""Encoders that learn nothing: the mean over time, or features passed on as they are.

They are for data sets that bring one vector for each modality. On words and
spectrograms they are plain averages.
"""

from __future__ import annotations

import keras
from keras import ops

from keras_jtav.features.spec import FeatureSpec
from keras_jtav.layers import WordVectors, mean_of_words


def build_text_vector(spec: FeatureSpec) -> keras.Model:
    """Return the mean word vector of the protagonist text.

    Args:
        spec: Sizes of the text features.

    Returns:
        Model with the inputs of ``build_att_bigru`` to float (batch, embedding_dim).
    """
    words, supporting_words = (
        keras.Input((length, spec.pieces), dtype="int32", name=name)
        for name, length in (
            ("words", spec.words),
            ("supporting_words", spec.supporting_words),
        )
    )
    table = WordVectors(spec.embedding_rows, spec.embedding_dim, name="word_vectors")
    mean = mean_of_words(table, words)
    return keras.Model({"words": words, "supporting_words": supporting_words}, mean)


def build_audio_vector(spec: FeatureSpec) -> keras.Model:
    """Return the mean over the frames of a segment.

    Args:
        spec: Sizes of the spectrogram.

    Returns:
        Model from float (batch, frames, bins) to float (batch, bins).
    """
    spectrogram = keras.Input((spec.frames, spec.bins), name="spectrogram")
    return keras.Model(spectrogram, ops.mean(spectrogram, axis=1))


def build_image_vector(spec: FeatureSpec) -> keras.Model:
    """Return the features of pictures that a data set brings.

    Args:
        spec: Sizes of the features; ``image_features`` is used.

    Returns:
        Model from float (batch, image_features) to the same.

    Raises:
        ValueError: Pictures, not features.
    """
    if not spec.image_features:
        raise ValueError(
            "`image=vector` passes on features that a data set brings, and this one "
            "has pictures. Use a network, such as image=small_cnn."
        )
    image = keras.Input(spec.image_shape, name="image")
    return keras.Model(image, keras.layers.Identity()(image))
