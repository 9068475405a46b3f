"""Asks an exported model why it answers as it does."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, nullcontext
from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np
import tensorflow as tf

from keras_jtav.attribution.explanation import Explanation, SoundMap, Word
from keras_jtav.attribution.gradients import (
    class_activation_map,
    hook,
    integrated_gradients,
)
from keras_jtav.attribution.network import Features, Network, repeat
from keras_jtav.attribution.shapley import coalitions, shapley_values
from keras_jtav.config import SAMPLE_RATE_HZ
from keras_jtav.data.decode import decode_audio
from keras_jtav.data.post import Post, Rejection
from keras_jtav.features.preprocessor import spectrogram_layer
from keras_jtav.features.spec import clip_samples
from keras_jtav.features.text import protagonist_texts, tokenize_texts
from keras_jtav.serving.predictor import Predictor

TEXTS = ("words", "supporting_words")


def explain(
    model: str | Path | Predictor, post: Post, song: Post | None = None
) -> Explanation:
    """Explain one answer of an exported model.

    Args:
        model: An exported model, or its folder.
        post: Sentiment: the post. Retrieval: the query; its recording and lyrics are
            the song's, unless ``song`` is given.
        song: Retrieval: the song to stand beside the query.

    Raises:
        FileNotFoundError: The folder holds no SavedModel.
        ValueError: A model that cannot be taken apart.
    """
    predictor = model if isinstance(model, Predictor) else Predictor(model)
    return Explainer(predictor).explain(post, song)


def beside(query: Post, song: Post) -> Post:
    """Return a query with the recording and the lyrics of a song.

    Example:
        >>> beside(Post("q", {"caption": "hi"}), Post("s", {"lyrics": "la"})).texts
        {'caption': 'hi', 'lyrics': 'la'}
    """
    texts = {**query.texts, "lyrics": song.texts.get("lyrics", "")}
    return replace(query, texts=texts, audio=song.audio, song=song.song or song.id)


class Explainer:
    """Explains answers of one exported model, taken apart once.

    Args:
        predictor: The exported model.

    Attributes:
        network: Its Keras models.

    Raises:
        ValueError: A model that cannot be taken apart.
    """

    def __init__(self, predictor: Predictor) -> None:
        self._settings = predictor.settings
        self.network = Network(predictor)

    def explain(self, post: Post, song: Post | None = None) -> Explanation:
        """Return what ``explain`` does.

        Raises:
            ValueError: The parts do not give the exported model's answer.
        """
        post = post if song is None else beside(post, song)
        network = self.network
        features, faults = network.features([post])
        with self._attention() as attention:
            logits = self._logits_of_coalitions(features)
        logit = float(logits[-1])
        self._check(post, logits)
        return Explanation(
            task=network.config.task,
            id=post.id,
            song=post.song or "",
            class_names=tuple(self._settings["class_names"]),
            logit=logit,
            answer=self._answer(logit),
            absent_logit=float(logits[0]),
            parts=shapley_values(network.players, logits),
            words=self._words(post, features, attention[0][-1] if attention else None),
            sound=self._sound(post, features, faults),
            picture=self._picture(features),
            faults=[f"{fault.file}: {fault.reason}" for fault in faults],
        )

    def _check(self, post: Post, logits: np.ndarray) -> None:
        """Refuse logits of coalitions that are not the exported model's.

        Without lyrics, versions differ in what they make of a caption.
        """
        self.network.check_answer(post, float(logits[-1]))
        players = self.network.players
        if "lyrics" in players and post.texts.get("lyrics"):
            others = np.array([player != "lyrics" for player in players])
            (row,) = np.flatnonzero((coalitions(len(players)) == others).all(axis=1))
            without = replace(post, texts={**post.texts, "lyrics": ""})
            self.network.check_answer(without, float(logits[row]))

    def _answer(self, logit: float) -> str:
        """Return the class that ``predict`` names, by the model's own threshold."""
        if self.network.config.task == "retrieval":
            return ""
        probability = 1 / (1 + np.exp(-logit))
        is_second = probability >= self._settings["threshold"]
        return self._settings["class_names"][int(is_second)]

    def parts(self, post: Post) -> dict[str, float]:
        """Return the Shapley value of each part of a post, and nothing else."""
        logits = self._logits_of_coalitions(self.network.features([post])[0])
        return shapley_values(self.network.players, logits)

    def _logits_of_coalitions(self, features: Features) -> np.ndarray:
        """Return the logit of each coalition of parts; the first has none of them."""
        players = self.network.players
        present = dict(zip(players, coalitions(len(players)).T, strict=True))
        return self.network.logits(self.network.hide(features, present)).numpy()

    def _words(
        self, post: Post, features: Features, attention: np.ndarray | None
    ) -> list[Word]:
        """Return the words of a post; ``attention`` are its weights in Eq. 1."""
        network = self.network
        if "text" not in network.config.modalities:
            return []
        tokens = self._tokens(post)
        protagonist = _protagonist(tokens)
        lengths = [features[name].shape[1] for name in TEXTS]

        def logits_of(gates: tf.Tensor) -> tf.Tensor:
            rows = repeat(features, len(gates))
            parts = dict(zip(TEXTS, tf.split(gates, lengths, axis=1), strict=True))
            with network.gated(rows, parts):
                return network.logits(rows)

        together = integrated_gradients(logits_of, np.ones(sum(lengths), "float32"))
        effects = dict(zip(TEXTS, np.split(together, lengths[:1]), strict=True))
        weights = {} if attention is None else dict(enumerate(attention.tolist()))
        return [
            Word(
                text,
                part,
                float(effects[part][place]),
                weights.get(place) if part == protagonist else None,
            )
            for part in TEXTS
            for place, text in enumerate(tokens[part])
        ]

    def _tokens(self, post: Post) -> dict[str, list[str]]:
        """Return the words that the model reads, by the rule of the preprocessor."""
        lyrics, caption = (post.texts.get(n, "") for n in ("lyrics", "caption"))
        if self.network.config.task == "sentiment":
            (protagonist,) = protagonist_texts([[lyrics, caption]])
            if protagonist == caption != lyrics:
                lyrics, caption = caption, lyrics
        elif "lyrics" not in self.network.players:
            lyrics = ""  # not read
        spec = self.network.spec
        own, supporting = tokenize_texts([lyrics, caption])
        return {
            "words": own[: spec.words],
            "supporting_words": supporting[: spec.supporting_words],
        }

    def attention(self, posts: Sequence[Post]) -> list[list[tuple[str, float]]]:
        """Return the protagonist words of posts, each with its weight in Eq. 1.

        Only texts are read. A text encoder without that attention gives no words.
        """
        words: list[list[tuple[str, float]]] = [[] for _ in posts]
        rows = [row for row, post in enumerate(posts) if any(post.texts.values())]
        if not rows or self.network.word_attention() is None:
            return words
        texts = [Post(posts[row].id, posts[row].texts) for row in rows]
        with self._attention() as seen:
            self.network.logits(self.network.features(texts)[0])
        for row, post, own in zip(rows, texts, seen[0].tolist(), strict=True):
            tokens = self._tokens(post)
            words[row] = list(zip(tokens[_protagonist(tokens)], own, strict=False))
        return words

    @contextmanager
    def _attention(self) -> Iterator[list[np.ndarray]]:
        """Keep the weights of Eq. 1, (rows, words), if the encoder has them."""
        layer = self.network.word_attention()
        seen: list[np.ndarray] = []

        def keep(_, output):
            seen.append(output[1].numpy())
            return output

        with nullcontext() if layer is None else hook(layer, keep):
            yield seen

    def _sound(
        self, post: Post, features: Features, faults: list[Rejection]
    ) -> SoundMap | None:
        unusable = {fault.file for fault in faults}
        present = post.audio is not None and str(post.audio) not in unusable
        if "audio" not in self.network.players or not present:
            return None

        def logits_of(spectrograms: tf.Tensor) -> tf.Tensor:
            rows = repeat(features, len(spectrograms))
            return self.network.logits({**rows, "spectrogram": spectrograms})

        spectrogram = features["spectrogram"][0].numpy()  # (segments, frames, bins)
        effect = integrated_gradients(logits_of, spectrogram)
        config = self.network.config
        options, length = config.features, clip_samples(config.features)
        data = config.data
        waveform = decode_audio(post.audio, data.max_audio_seconds, data.max_file_bytes)
        samples = len(waveform)
        starts = np.minimum(
            np.arange(len(spectrogram)) * length, max(0, samples - length)
        )
        frames = np.arange(spectrogram.shape[1]) * options.hop_samples
        seconds = (starts[:, None] + frames) / SAMPLE_RATE_HZ
        return SoundMap(
            effect.reshape(-1, effect.shape[-1]).tolist(),
            seconds.ravel().tolist(),
            spectrogram_layer(options).centres_hz.tolist(),
        )

    def _picture(self, features: Features) -> list[list[float]]:
        layer = self.network.last_convolution()
        if layer is None or not bool(features["image_mask"][0]):
            return []
        logit_of = partial(self.network.logits, features)
        return class_activation_map(logit_of, layer).tolist()


def _protagonist(tokens: Mapping[str, Sequence[str]]) -> str:
    """Return the words that Eq. 1 attends to; in a pair without lyrics the caption."""
    return "words" if tokens["words"] else "supporting_words"
