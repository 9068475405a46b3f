"""From decoded media to features: the one path of training and of serving."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path

import keras
import tensorflow as tf

from keras_jtav.config import SAMPLE_RATE_HZ, FeatureOptions, look_up
from keras_jtav.features.cqt import ConstantQ
from keras_jtav.features.image import resize_image
from keras_jtav.features.mel import MelSpectrogram
from keras_jtav.features.segments import cut_segments
from keras_jtav.features.spec import FeatureSpec, clip_samples
from keras_jtav.features.text import TextIds, protagonist_first
from keras_jtav.features.vocabulary import Vocabulary

SPECTROGRAMS = {
    "cqt": lambda options: ConstantQ(SAMPLE_RATE_HZ, options.hop_samples, options.bins),
    "mel": lambda options: MelSpectrogram(
        SAMPLE_RATE_HZ,
        options.hop_samples,
        options.bins,
        fft_samples=options.mel_window_samples,
        fmax_hz=options.mel_fmax_hz,
    ),
}
_RANGE_DB = 80.0


def spectrogram_layer(options: FeatureOptions) -> ConstantQ | MelSpectrogram:
    """Return the layer that makes the spectrograms which options ask for.

    Raises:
        ValueError: An unknown spectrogram, or sizes that do not fit it.
    """
    return look_up("spectrogram", options.spectrogram, SPECTROGRAMS)(options)


class Preprocessor(tf.Module):
    """UTF-8 strings, waveforms and RGB pictures to the inputs of the encoders.

    Works eagerly, inside ``tf.data`` and inside a SavedModel, with the same result;
    nothing is random and nothing looks at the other posts of a batch. Text comes in
    batches, a recording and a picture one at a time, as their sizes differ.

    Args:
        options: Sizes of the features.
        vocabulary: Words of the embedding table.

    Raises:
        ValueError: An unknown spectrogram, or sizes that do not fit it.
    """

    def __init__(self, options: FeatureOptions, vocabulary: Vocabulary) -> None:
        super().__init__(name="preprocessor")
        self.options = options
        self.spec = FeatureSpec.from_options(options, vocabulary)
        # Layers by what they compute, without what Keras does around it: that belongs
        # to its backend, and these are graphs of TensorFlow whichever trains.
        self._words = TextIds(vocabulary, options.words)
        self._supporting_words = TextIds(vocabulary, options.supporting_words)
        self._spectrogram = spectrogram_layer(options)

    def __call__(self, post):
        """Return all features of one post, the longer text as protagonist.

        Args:
            post: Dict of ``lyrics`` and ``caption`` (string, ``()``), ``audio``
                (float32, ``(samples,)``, mono, 22,050 Hz) and ``image`` (uint8,
                ``(height, width, 3)``); empty ones are missing.

        Returns:
            The dicts of ``text``, ``audio`` and ``image`` in one, no batch axis.
        """
        text = self.text(post["lyrics"][None], post["caption"][None])
        return {
            **{name: ids[0] for name, ids in text.items()},
            **self.audio(post["audio"]),
            **self.image(post["image"]),
        }

    def text(self, lyrics, caption):
        """Return the ids of posts whose longer text is the protagonist (Sec. 3.1.1).

        Args:
            lyrics: string ``(batch,)``.
            caption: string ``(batch,)``.

        Returns:
            ``words`` int32 ``(batch, words, pieces)`` and ``supporting_words`` int32
            ``(batch, supporting_words, pieces)``.
        """
        parts = tf.stack([lyrics, caption], axis=1)  # (batch, parts)
        protagonist, supporting = protagonist_first(parts)
        return {**self.lyrics(protagonist), **self.caption(supporting)}

    def lyrics(self, strings):
        """Return ``words`` int32 ``(batch, words, pieces)`` of a protagonist text."""
        return {"words": self._words.call(strings)}

    def caption(self, strings):
        """Return ``supporting_words`` int32 of a supporting text.

        Its shape is ``(batch, supporting_words, pieces)``.
        """
        return {"supporting_words": self._supporting_words.call(strings)}

    def audio(self, waveform):
        """Return the spectrograms of one recording's segments.

        Choice: decibels from 80 below the segment's maximum up to it become 0 to 1, so
        that a recording's loudness does not matter; a segment of digital silence is 0.
        Samples that are no finite numbers count as silence.

        Choice: spectrograms are made on the host, also where there is a GPU. Its
        products round to TF32 by default, which moves a CQT by up to 10 dB.

        Args:
            waveform: float32 ``(samples,)``, mono, 22,050 Hz; no samples is missing.

        Returns:
            ``spectrogram`` float32 ``(segments, frames, bins)`` and ``segment_mask``
            bool ``(segments,)``; a missing recording is one segment of zeros, masked.
        """
        waveform = tf.where(tf.math.is_finite(waveform), waveform, 0.0)
        segments = cut_segments(waveform, clip_samples(self.options))
        with tf.device("CPU"):
            decibels = self._spectrogram.call(segments)  # (segments, frames, bins)
        loudest = tf.reduce_max(decibels, axis=(1, 2), keepdims=True)
        silent = loudest <= tf.reduce_min(decibels, axis=(1, 2), keepdims=True)
        scaled = (decibels - loudest + _RANGE_DB) / _RANGE_DB
        scaled = tf.where(silent, 0.0, tf.clip_by_value(scaled, 0.0, 1.0))
        shape = (None, self.spec.frames, self.spec.bins)
        present = tf.fill(tf.shape(segments)[:1], tf.size(waveform) > 0)
        return {
            "spectrogram": tf.ensure_shape(scaled, shape),
            "segment_mask": present,
        }

    def image(self, rgb):
        """Return one picture at the encoders' size.

        Args:
            rgb: uint8 ``(height, width, 3)``; an empty one is missing.

        Returns:
            ``image`` uint8 ``(image_size, image_size, 3)`` and ``image_mask`` bool.
        """
        return {
            "image": resize_image(rgb, self.options.image_size),
            "image_mask": tf.size(rgb) > 0,
        }

    def json_settings(self) -> str:
        """Return what made the features, as JSON to travel inside a SavedModel.

        The vector file is named without its folder.
        """
        options = {
            **asdict(self.options),
            "fasttext": Path(self.options.fasttext).name,
        }
        versions = {"keras": keras.__version__, "tensorflow": tf.__version__}
        settings = {
            "sample_rate_hz": SAMPLE_RATE_HZ,
            "options": options,
            "spec": asdict(self.spec),
            "versions": versions,
        }
        return json.dumps(settings, indent=2)
