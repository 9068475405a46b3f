"""The page of one answer: modalities, words, sound and picture."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from markupsafe import Markup
from PIL import Image

from keras_jtav.attribution import Explanation, Word
from keras_jtav.config import DataOptions
from keras_jtav.data.any_path import write_text
from keras_jtav.data.decode import decode_image
from keras_jtav.data.media_file import DecodeError
from keras_jtav.data.post import Post
from keras_jtav.evaluation.figures import svg_text
from keras_jtav.evaluation.figures_sound import sound_figure
from keras_jtav.pages.embedding import DEFAULTS, picture_uri
from keras_jtav.pages.templates import render

PAGE_FILE = "explanation.html"
JSON_FILE = "explanation.json"
HOT = np.array([221, 122, 43])
ROLES = {
    "sentiment": {"words": "main text", "supporting_words": "supporting text"},
    "retrieval": {"words": "lyrics", "supporting_words": "caption"},
}


def write_explanation(
    explanation: Explanation,
    post: Post,
    folder: Path,
    data: DataOptions = DEFAULTS,
) -> list[Path]:
    """Write an explanation as JSON and as one HTML file with everything inside.

    Args:
        explanation: What ``explain`` returned.
        post: What was explained; in retrieval its recording is the song's.
        folder: Where to; made where absent.
        data: Limits on what is decoded: the ``data`` of the explained ``Predictor``.

    Returns:
        The page and the JSON.
    """
    folder.mkdir(parents=True, exist_ok=True)
    sound = explanation.sound
    chart = ""
    if sound is not None:
        figure = sound_figure(np.array(sound.effect), sound.seconds, sound.hz)
        chart = Markup(svg_text(figure))
    most = max(map(abs, explanation.parts.values()), default=0.0) or 1.0
    page = render(
        "explain.html.jinja",
        data,
        explanation=explanation,
        post=post,
        bars={n: (v, 100 * abs(v) / most) for n, v in explanation.parts.items()},
        texts=[
            (title, _shaded([w for w in explanation.words if w.role == role]))
            for role, title in ROLES[explanation.task].items()
        ],
        sound_chart=chart,
        overlaid=_overlaid(explanation, post, data),
    )
    paths = [folder / PAGE_FILE, folder / JSON_FILE]
    for path, text in zip(paths, (page, explanation.to_json()), strict=True):
        write_text(str(path), text)
    return paths


def _shaded(words: list[Word]) -> list[dict]:
    """Return words with how strongly each is coloured, 0 to 1."""
    effect = max((abs(word.effect) for word in words), default=0.0) or 1.0
    attention = max((word.attention or 0.0 for word in words), default=0.0) or 1.0
    return [
        {
            "text": word.text,
            "effect": word.effect,
            "strength": round(abs(word.effect) / effect, 3),
            "weight": word.attention,
            "shade": round((word.attention or 0.0) / attention, 3),
        }
        for word in words
    ]


def _overlaid(explanation: Explanation, post: Post, data: DataOptions) -> str:
    """Return the picture with its map over it; empty without one."""
    if not explanation.picture or post.image is None:
        return ""
    try:
        picture = decode_image(post.image, data.max_image_pixels, data.max_file_bytes)
    except (OSError, DecodeError):
        return ""
    heat = np.array(explanation.picture, "float32")
    heat = Image.fromarray(heat / (heat.max() or 1.0))
    size = picture.shape[1::-1]
    share = np.asarray(heat.resize(size, Image.Resampling.BILINEAR))[..., None]
    gray = picture.mean(axis=2, keepdims=True)
    mixed = gray * (1 - 0.75 * share) + HOT * 0.75 * share
    return picture_uri(mixed.clip(0, 255).astype("uint8"))
