"""Batches of encoded media become features inside the graph.

An empty string means that a post lacks the medium. One that cannot be decoded is
treated as missing too, and its row is flagged.
"""

from __future__ import annotations

import tensorflow as tf

from keras_jtav.features.preprocessor import Preprocessor
from keras_jtav.serving.images import decode_image_bytes
from keras_jtav.serving.resample import resample
from keras_jtav.serving.wav import parse_wav

Features = dict[str, tf.Tensor]

PICTURES_AT_ONCE = 1  # one at the limit of pixels takes up to 2 GB


def image_features(
    preprocessor: Preprocessor, images: tf.Tensor, max_pixels: int
) -> tuple[Features, tf.Tensor]:
    """Decode and size pictures.

    Args:
        preprocessor: The one of training.
        images: Encoded pictures, string ``(batch,)``.
        max_pixels: Larger pictures are not decoded.

    Returns:
        ``image`` and ``image_mask``, and bool ``(batch,)``: False where a picture was
        given but cannot be decoded.
    """
    size = preprocessor.spec.image_size
    spec = {
        "image": tf.TensorSpec((size, size, 3), tf.uint8),
        "image_mask": tf.TensorSpec((), tf.bool),
    }

    def one(encoded: tf.Tensor) -> tuple[Features, tf.Tensor]:
        picture, ok = decode_image_bytes(encoded, max_pixels)
        return preprocessor.image(picture), ok | (tf.strings.length(encoded) == 0)

    return tf.map_fn(
        one,
        images,
        fn_output_signature=(spec, tf.TensorSpec((), tf.bool)),
        parallel_iterations=PICTURES_AT_ONCE,
    )


def audio_features(
    preprocessor: Preprocessor, recordings: tf.Tensor, max_seconds: float
) -> tuple[Features, tf.Tensor]:
    """Decode recordings, resample them and compute their spectrograms.

    Args:
        preprocessor: The one of training.
        recordings: RIFF WAV files, string ``(batch,)``.
        max_seconds: What comes later is left out.

    Returns:
        ``spectrogram`` and ``segment_mask``, and bool ``(batch,)``: False where a
        recording was given but cannot be decoded.
    """
    shape = (None, preprocessor.spec.frames, preprocessor.spec.bins)
    spec = {
        "spectrogram": tf.RaggedTensorSpec(shape, tf.float32, ragged_rank=0),
        "segment_mask": tf.RaggedTensorSpec((None,), tf.bool, ragged_rank=0),
    }

    def one(encoded: tf.Tensor) -> tuple[Features, tf.Tensor]:
        waveform, sample_rate_hz, ok = parse_wav(encoded, max_seconds)
        features = preprocessor.audio(resample(waveform, sample_rate_hz))
        return features, ok | (tf.strings.length(encoded) == 0)

    ragged, ok = tf.map_fn(
        one, recordings, fn_output_signature=(spec, tf.TensorSpec((), tf.bool))
    )
    return {name: rows.to_tensor() for name, rows in ragged.items()}, ok
