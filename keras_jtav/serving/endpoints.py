"""What an exported model answers: one class a task, one method an endpoint."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

import keras
import tensorflow as tf

from keras_jtav.features.preprocessor import Preprocessor
from keras_jtav.options import DataOptions
from keras_jtav.serving.raw_media import Features, audio_features, image_features

STRINGS = tf.TensorSpec((None,), tf.string)


class Endpoints(tf.Module):
    """The graph functions of one exported model, and the variables they read.

    Args:
        models: What ``build_model`` returned.
        preprocessor: The one of training.
        data: Limits on what is decoded.
        settings: JSON text that the endpoint ``settings`` returns.
    """

    def __init__(
        self,
        models: Mapping[str, keras.Model],
        preprocessor: Preprocessor,
        data: DataOptions,
        settings: str,
    ) -> None:
        super().__init__()
        # Variables are tracked one by one. Models hide in a proxy: one that is tracked
        # would be written once more, as Keras calls it.
        variables = {
            id(variable): variable.value
            for model in models.values()
            for variable in model.variables
        }
        self.model_variables = list(variables.values())
        self.preprocessor = preprocessor
        self._models = MappingProxyType(models)
        self._data = data
        self._settings = settings
        # What several endpoints share is traced, written and loaded once.
        self._image = tf.function(self._read_pictures, (STRINGS,))
        self._audio = tf.function(self._read_recordings, (STRINGS,))

    def signatures(self) -> dict[str, Any]:
        """Return the traced endpoints by name."""
        return {"settings": tf.function(self._answer_settings, input_signature=[])}

    def _answer_settings(self) -> Features:
        return {"settings": tf.constant(self._settings)}

    def _read_pictures(self, images: tf.Tensor) -> tuple[Features, tf.Tensor]:
        return image_features(self.preprocessor, images, self._data.max_image_pixels)

    def _read_recordings(self, recordings: tf.Tensor) -> tuple[Features, tf.Tensor]:
        seconds = self._data.max_audio_seconds
        return audio_features(self.preprocessor, recordings, seconds)

    def _run(self, name: str, features: Features) -> Any:
        model = self._models[name]
        wanted = {tensor.name: features[tensor.name] for tensor in model.inputs}
        return model(wanted, training=False)


class SentimentEndpoints(Endpoints):
    """``serving_default`` and ``encode``: a post in, its sentiment or vector out."""

    def __init__(self, models: Mapping[str, keras.Model], *others: Any) -> None:
        train, encode = models["train"], models["encode"]
        inputs = {tensor.name: tensor for tensor in train.inputs}
        outputs = {"logit": train.output, "vector": encode.output}
        super().__init__({"answer": keras.Model(inputs, outputs)}, *others)

    def signatures(self) -> dict[str, Any]:
        """Return the traced endpoints by name."""
        inputs = (STRINGS,) * 4
        self._answer = tf.function(self._answer_posts, inputs)
        return super().signatures() | {
            "serving_default": tf.function(self._classify, inputs),
            "encode": tf.function(self._encode, inputs),
            "features": tf.function(self._all_features, inputs),
        }

    def _classify(
        self, image: tf.Tensor, audio: tf.Tensor, lyrics: tf.Tensor, caption: tf.Tensor
    ) -> Features:
        answer = self._answer(image, audio, lyrics, caption)
        del answer["vector"]
        return answer | {"probability": tf.sigmoid(answer["logit"])}

    def _all_features(
        self, image: tf.Tensor, audio: tf.Tensor, lyrics: tf.Tensor, caption: tf.Tensor
    ) -> Features:
        return self._features(image, audio, lyrics, caption)[0]

    def _encode(
        self, image: tf.Tensor, audio: tf.Tensor, lyrics: tf.Tensor, caption: tf.Tensor
    ) -> Features:
        answer = self._answer(image, audio, lyrics, caption)
        del answer["logit"]
        return answer

    def _answer_posts(
        self, image: tf.Tensor, audio: tf.Tensor, lyrics: tf.Tensor, caption: tf.Tensor
    ) -> Features:
        features, flags = self._features(image, audio, lyrics, caption)
        return self._run("answer", features) | flags

    def _features(
        self, image: tf.Tensor, audio: tf.Tensor, lyrics: tf.Tensor, caption: tf.Tensor
    ) -> tuple[Features, Features]:
        pictures, image_ok = self._image(image)
        recordings, audio_ok = self._audio(audio)
        texts = self.preprocessor.text(lyrics, caption)
        flags = {"image_ok": image_ok, "audio_ok": audio_ok}
        return pictures | recordings | texts, flags


class RetrievalEndpoints(Endpoints):
    """Encodes queries and songs, each once, and scores every query with every song."""

    def signatures(self) -> dict[str, Any]:
        """Return the traced endpoints by name."""
        query, song = self._models["encode_query"], self._models["encode_song"]
        encodings = {
            name: tf.TensorSpec(tensor.shape, tensor.dtype, name=name)
            for name, tensor in (query.output | song.output).items()
        }
        self._encode_query = tf.function(self._encode_queries, (STRINGS,) * 2)
        self._encode_song = tf.function(self._encode_songs, (STRINGS,) * 2)
        return super().signatures() | {
            "serving_default": tf.function(self._match, (STRINGS,) * 4),
            "features": tf.function(self._all_features, (STRINGS,) * 4),
            "encode_query": self._encode_query,
            "encode_song": self._encode_song,
            "score": tf.function(self._score).get_concrete_function(**encodings),
        }

    def _match(
        self, image: tf.Tensor, caption: tf.Tensor, audio: tf.Tensor, lyrics: tf.Tensor
    ) -> Features:
        query = self._encode_query(image, caption)
        song = self._encode_song(audio, lyrics)
        flags = {"image_ok": query.pop("image_ok"), "audio_ok": song.pop("audio_ok")}
        logit = self._logits(query | song)
        return {"logit": logit, "probability": tf.sigmoid(logit), **flags}

    def _all_features(
        self, image: tf.Tensor, caption: tf.Tensor, audio: tf.Tensor, lyrics: tf.Tensor
    ) -> Features:
        media = self._image(image)[0] | self._audio(audio)[0]
        texts = self.preprocessor.caption(caption) | self.preprocessor.lyrics(lyrics)
        return media | texts

    def _encode_queries(self, image: tf.Tensor, caption: tf.Tensor) -> Features:
        features, image_ok = self._image(image)
        features |= self.preprocessor.caption(caption)
        return {**self._run("encode_query", features), "image_ok": image_ok}

    def _encode_songs(self, audio: tf.Tensor, lyrics: tf.Tensor) -> Features:
        features, audio_ok = self._audio(audio)
        features |= self.preprocessor.lyrics(lyrics)
        return {**self._run("encode_song", features), "audio_ok": audio_ok}

    def _score(self, **encodings: tf.Tensor) -> Features:
        """Score ``(queries, ...)`` with ``(songs, ...)``, ``(queries, songs)``."""
        names = self._models["encode_query"].output
        queries = {name: encodings[name] for name in names}
        songs = {n: tensor for n, tensor in encodings.items() if n not in names}
        num_songs = tf.shape(next(iter(songs.values())))[0]

        def one(query: Features) -> tf.Tensor:
            rows = {n: tf.repeat(t[None], num_songs, axis=0) for n, t in query.items()}
            return self._logits(rows | songs)

        return {"logit": tf.map_fn(one, queries, fn_output_signature=tf.float32)}

    def _logits(self, pairs: Features) -> tf.Tensor:
        if "encode_text" in self._models:
            pairs = pairs | self._run("encode_text", pairs)
        return self._run("score", pairs)
