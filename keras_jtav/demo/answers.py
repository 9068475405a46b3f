"""What the page answers, as HTML: the model's answer and what it looked at."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from functools import cache, partial
from pathlib import Path

import numpy as np

from keras_jtav.attribution import Explainer
from keras_jtav.data.post import Post
from keras_jtav.features.text import tokenize_texts
from keras_jtav.pages.embedding import sound_uri
from keras_jtav.pages.templates import render
from keras_jtav.predict import (
    PARTS,
    encode_usable_songs,
    no_usable_row,
    read_songs,
    song_name,
)
from keras_jtav.serving.predictor import Predictor

TOP = 10
EMPTY = "Give at least one of picture, recording and texts."

Progress = Callable[[Iterable, int, str], Iterable]


class SentimentAnswers:
    """Answers about posts.

    Args:
        predictor: An exported sentiment model.
    """

    def __init__(self, predictor: Predictor) -> None:
        self._predictor = predictor
        self._explainer = Explainer(predictor)

    def answer(
        self, image: str | None, audio: str | None, lyrics: str, caption: str
    ) -> str:
        """Return a page about one post; files are paths, ``None`` is missing."""
        post = _post(image, caption, audio, lyrics)
        if post is None:
            return render("notice.html.jinja", text=EMPTY)
        answer, faults = self._predictor.call_on_posts("serving_default", [post], PARTS)
        probability = float(answer["probability"][0])
        settings = self._predictor.settings
        is_second = probability >= settings["threshold"]
        parts = self._explainer.parts(post)
        most = max(map(abs, parts.values())) or 1.0
        return render(
            "demo_sentiment.html.jinja",
            answer=settings["class_names"][int(is_second)],
            class_names=settings["class_names"],
            probability=probability,
            bars={name: (v, 100 * abs(v) / most) for name, v in parts.items()},
            words=_weighted(self._explainer.attention([post])[0]),
            faults=[f"{Path(f.file).name}: {f.reason}" for f in faults],
        )


class SongAnswers:
    """Answers which songs go with a picture.

    Args:
        predictor: An exported retrieval model.
        table: ``.csv``, ``.jsonl`` or ``.parquet`` with a row for each song.
        progress: Wraps an iterable, given its length and a title.
        outside: Whether the table may name files outside of its folder.

    Raises:
        FileNotFoundError: No table.
        ValueError: A table without a usable row.
    """

    def __init__(
        self,
        predictor: Predictor,
        table: Path,
        progress: Progress,
        outside: bool = False,
    ) -> None:
        self._predictor = predictor
        self._explainer = Explainer(predictor)
        songs = read_songs(table, outside)
        size = 16
        starts = range(0, len(songs), size)
        usable = [
            encode_usable_songs(predictor, songs[start : start + size])
            for start in progress(starts, len(starts), "songs")
        ]
        self._songs = [song for part, _, _ in usable for song in part]
        if not self._songs:
            raise no_usable_row(table)
        encoded = [encodings for _, encodings, _ in usable]
        self._encodings = {
            name: np.concatenate([part[name] for part in encoded])
            for name in encoded[0]
        }
        self._sound = cache(partial(sound_uri, data=predictor.data))

    def answer(self, image: str | None, caption: str) -> str:
        """Return a page with the best songs; the picture is a path."""
        post = _post(image, caption)
        if post is None:
            return render("notice.html.jinja", text="Give a picture or a caption.")
        query, faults = self._predictor.call_on_posts(
            "encode_query", [post], ("image", "caption")
        )
        query.pop("image_ok")
        scores = self._predictor.call("score", **query, **self._encodings)["logit"][0]
        best = np.argsort(-scores, kind="stable")[:TOP]
        lyrics = [self._songs[row].texts.get("lyrics", "") for row in best]
        pairs = [
            Post(song_name(self._songs[row]), {**post.texts, "lyrics": text})
            for row, text, words in zip(
                best, lyrics, tokenize_texts(lyrics), strict=True
            )
            if words
        ]
        read = dict(
            zip([p.id for p in pairs], self._explainer.attention(pairs), strict=True)
        )
        return render(
            "demo_songs.html.jinja",
            songs=[
                {
                    "name": song_name(self._songs[row]),
                    "score": float(scores[row]),
                    "sound": self._play(self._songs[row]),
                    "words": _weighted(read.get(song_name(self._songs[row]), [])),
                }
                for row in best
            ],
            faults=[f"{Path(f.file).name}: {f.reason}" for f in faults],
        )

    def _play(self, song: Post) -> str:
        return "" if song.audio is None else self._sound(song.audio)


def _post(
    image: str | None, caption: str, audio: str | None = None, lyrics: str = ""
) -> Post | None:
    texts = {"lyrics": lyrics.strip(), "caption": caption.strip()}
    if not (image or audio or any(texts.values())):
        return None
    files = [Path(path) if path else None for path in (audio, image)]
    return Post("yours", texts, *files)


def _weighted(words: list[tuple[str, float]]) -> list[dict]:
    """Return words with how strongly each is coloured, 0 to 1."""
    most = max((weight for _, weight in words), default=0.0) or 1.0
    return [
        {"text": text, "weight": weight, "shade": round(weight / most, 3)}
        for text, weight in words
    ]
