"""Explanations of rows of a table, on disk."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from pathlib import Path

from keras_jtav.attribution import beside, explain
from keras_jtav.data.pairs import unify_songs
from keras_jtav.data.post import Post
from keras_jtav.pages import write_explanation
from keras_jtav.predict import PARTS, read_posts
from keras_jtav.serving.predictor import Predictor


def explain_row(
    model: Path,
    table: Path,
    id_: str,
    song: str | None,
    folder: Path,
    outside: bool = False,
) -> list[Path]:
    """Explain a model's answer for one row, or for a query and a song.

    Args:
        model: An exported model's folder.
        table: ``.csv``, ``.jsonl`` or ``.parquet`` of posts.
        id_: The row's post.
        song: Retrieval: the song to stand beside it; ``None`` is its own.
        folder: A folder for this answer is made there.
        outside: Whether the table may name files outside of its folder.

    Returns:
        The page and the JSON.

    Raises:
        FileNotFoundError: No model, or no table.
        ValueError: No such row or song, nothing of it that can be read, or a model
            that cannot be taken apart.
    """
    predictor = Predictor(model)
    posts = read_posts(table, outside)
    if predictor.task == "retrieval":
        posts = unify_songs(posts)
    elif song is not None:
        raise ValueError("--song belongs to a retrieval model. Leave it out.")
    post = _find(posts, "id", id_, table)
    if song is not None:
        post = beside(post, _find(posts, "song", song, table))
    name = f"{id_}-{song}" if song else id_
    explanation = explain(predictor, post)
    if len(explanation.faults) == len(set(PARTS) - set(post.missing)):
        raise ValueError(
            f"{table}: nothing of the post {id_!r} can be read. Mend its files: "
            f"{'; '.join(explanation.faults)}."
        )
    folder = folder / _file_name(name)
    return write_explanation(explanation, post, folder, predictor.data)


def _find(posts: Sequence[Post], key: str, value: str, table: Path) -> Post:
    for post in posts:
        if getattr(post, key) == value:
            return post
    known = [getattr(post, key) for post in posts if getattr(post, key)]
    raise ValueError(
        f"{table} has no usable row whose `{key}` is {value!r}. It has "
        f"{', '.join(dict.fromkeys(known[:3])) or 'none'}{', ...' * (len(known) > 3)}."
    )


def _file_name(name: str) -> str:
    """Return a name that any disk takes, another one for every other id.

    Example:
        >>> _file_name("song00001-0")
        'song00001-0'
        >>> _file_name("../a b")
        'ab-2c2c791a'
    """
    plain = "".join(c for c in name if c.isascii() and (c.isalnum() or c in "-_"))
    if plain == name:
        return name
    return f"{plain[:40]}-{hashlib.sha256(name.encode()).hexdigest()[:8]}"
