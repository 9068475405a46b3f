"""Tables of predictions from an exported model and the user's files."""

from __future__ import annotations

import logging
from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from keras_jtav.data.manifest import read_manifest
from keras_jtav.data.pairs import unify_songs
from keras_jtav.data.post import Post, Rejection
from keras_jtav.serving.predictor import Predictor
from keras_jtav.serving.song_index import SongIndex
from keras_jtav.serving.song_search import CANDIDATES, SongSearch

_logger = logging.getLogger(__name__)

PARTS = ("image", "audio", "lyrics", "caption")
SONG_PARTS = ("audio", "lyrics")


def predict_sentiment(
    predictor: Predictor, table: Path, vectors: bool = False, outside: bool = False
) -> pd.DataFrame:
    """Judge every post of a table.

    Rows that cannot be used are reported in the log and left out; a file that is not
    there or cannot be decoded counts as missing, and its post's row says so. A post of
    which nothing is left gets no row.

    Args:
        predictor: An exported sentiment model.
        table: ``.csv``, ``.jsonl`` or ``.parquet`` of posts.
        vectors: Whether to add the unified vector, one column a dimension.
        outside: Whether the table may name files outside of its folder.

    Returns:
        One row a post: ``id``, ``probability`` of the second class, ``label``,
        ``unreadable`` (names of files), then ``u0``, ``u1``, ...

    Raises:
        FileNotFoundError: No table.
        ValueError: A table without a usable row.
    """
    posts = read_posts(table, outside)
    answer, faults = predictor.call_on_posts("serving_default", posts, PARTS)
    rows = usable_rows(posts, PARTS, faults)
    if not rows:
        raise no_usable_row(table)
    posts = [posts[row] for row in rows]
    probability = answer["probability"][rows]
    is_second = probability >= predictor.settings["threshold"]
    names = predictor.settings["class_names"]
    frame = pd.DataFrame(
        {
            "id": [post.id for post in posts],
            "probability": probability,
            "label": [names[int(second)] for second in is_second],
            "unreadable": _unreadable(posts, faults),
        }
    )
    if not vectors:
        return frame
    unified = predictor.call_on_posts("encode", posts, PARTS)[0]["vector"]
    columns = pd.DataFrame(unified).add_prefix("u")
    return pd.concat([frame, columns], axis="columns")


def rank_songs(
    predictor: Predictor,
    table: Path,
    image: Path,
    caption: str = "",
    outside: bool = False,
) -> pd.DataFrame:
    """Rank the songs of a table for one picture.

    Songs of which nothing can be read are told in the log and left out.

    Args:
        predictor: An exported retrieval model.
        table: ``.csv``, ``.jsonl`` or ``.parquet`` with a row for each song: ``song``
            (or ``id``), ``audio``, ``lyrics``.
        image: The query's picture.
        caption: The query's caption; empty is none.
        outside: Whether the table may name files outside of its folder.

    Returns:
        One row a song, the best first: ``rank``, ``song``, ``score`` (a logit),
        ``unreadable``.

    Raises:
        FileNotFoundError: No picture.
        ValueError: A picture that cannot be decoded, or a table without a usable row.
    """
    songs = read_songs(table, outside)
    queries = _encode_query(predictor, image, caption)
    songs, encodings, faults = encode_usable_songs(predictor, songs)
    if not songs:
        raise no_usable_row(table)
    scores = predictor.call("score", **queries, **encodings)["logit"][0]
    order = np.argsort(-scores, kind="stable")
    unreadable = _unreadable(songs, faults)
    return _ranking(
        [song_name(songs[row]) for row in order],
        scores[order],
        [unreadable[row] for row in order],
    )


def search_songs(
    predictor: Predictor,
    index: SongIndex,
    image: Path,
    caption: str,
    top: int,
) -> pd.DataFrame:
    """Find the songs of an index that go with one picture.

    Args:
        predictor: The exported retrieval model that made the index.
        index: The songs.
        image: The query's picture.
        caption: The query's caption; empty is none.
        top: How many songs are wanted.

    Returns:
        What ``rank_songs`` returns, for the best songs. ``unreadable`` is empty: an
        index holds no song with a recording that cannot be decoded.

    Raises:
        FileNotFoundError: No picture.
        ValueError: A picture that cannot be decoded, or an index of another model.
    """
    search = SongSearch(predictor, index, max(top, CANDIDATES))
    ids, scores = search.search(_encode_query(predictor, image, caption), top)
    return _ranking(ids[0], scores[0], [""] * len(ids[0]))


def read_songs(table: Path, outside: bool = False) -> list[Post]:
    """Return one post for each song of a table; rows left out are told in the log.

    A row without ``song`` is a song of its own, called by its id.

    Args:
        table: ``.csv``, ``.jsonl`` or ``.parquet``.
        outside: Whether it may name files outside of its folder.

    Raises:
        FileNotFoundError: No table.
        ValueError: A table without a usable row, or with an id that is the song of
            another row.
    """
    songs: dict[str, Post] = {}
    for post in unify_songs(read_posts(table, outside)):
        first = songs.setdefault(song_name(post), post)
        if first.song != post.song:
            named, nameless = (first, post) if first.song else (post, first)
            raise ValueError(
                f"{table}: the row {nameless.id!r} names no song, and its id is the "
                f"song of the row {named.id!r}. Fill its `song`, or change its id."
            )
    return list(songs.values())


def song_name(post: Post) -> str:
    """Return what a song is called in answers."""
    return post.song or post.id


def encode_songs(
    predictor: Predictor, songs: list[Post]
) -> tuple[dict[str, np.ndarray], list[Rejection]]:
    """Return the encodings of songs, and the recordings that cannot be decoded."""
    encodings, faults = predictor.call_on_posts("encode_song", songs, SONG_PARTS)
    del encodings["audio_ok"]
    return encodings, faults


def encode_usable_songs(
    predictor: Predictor, songs: list[Post]
) -> tuple[list[Post], dict[str, np.ndarray], list[Rejection]]:
    """Return the songs of which something can be read, and what ``encode_songs`` does.

    A song of which nothing is known still gets a score, which may be the best.
    """
    encodings, faults = encode_songs(predictor, songs)
    rows = usable_rows(songs, SONG_PARTS, faults)
    kept = {name: array[rows] for name, array in encodings.items()}
    return [songs[row] for row in rows], kept, faults


def _encode_query(
    predictor: Predictor, image: Path, caption: str
) -> dict[str, np.ndarray]:
    query = Post("query", {"caption": caption}, image=_existing(image))
    encodings, faults = predictor.call_on_posts(
        "encode_query", [query], ("image", "caption")
    )
    if faults:
        raise ValueError(f"{image}: {faults[0].reason}.")
    del encodings["image_ok"]
    return encodings


def _ranking(
    songs: Sequence[str], scores: np.ndarray, unreadable: Sequence[str]
) -> pd.DataFrame:
    """Return the answer to a query, from songs with the best first."""
    columns = {"song": songs, "score": scores, "unreadable": unreadable}
    return pd.DataFrame({"rank": range(1, len(songs) + 1), **columns})


def read_posts(table: Path, outside: bool = False) -> list[Post]:
    """Return the usable posts of a table; rows left out are told in the log.

    Files that are not there are for the caller to find, as those that cannot be read.

    Args:
        table: ``.csv``, ``.jsonl`` or ``.parquet``.
        outside: Whether it may name files outside of its folder.

    Raises:
        FileNotFoundError: No table.
        ValueError: A table without a usable row.
    """
    found = read_manifest(table, "keep", outside, task=None)
    for rejection in found.rejections:
        _logger.warning("%s", rejection)
    if not found.posts:
        raise no_usable_row(table)
    return found.posts


def usable_rows(
    posts: Sequence[Post], parts: Sequence[str], faults: Sequence[Rejection] = ()
) -> list[int]:
    """Return the rows of posts of which a part is left; the log tells the others.

    Args:
        posts: What was asked about.
        parts: What counts among image, audio, lyrics and caption.
        faults: Files of these parts that cannot be read.
    """
    faults_of: dict[str, list[Rejection]] = defaultdict(list)
    for fault in faults:
        faults_of[fault.row].append(fault)
    rows = []
    for row, post in enumerate(posts):
        unread = faults_of[f"post {post.id}"]
        if len(set(parts) - set(post.missing)) > len(unread):
            rows.append(row)
        elif unread:
            for fault in unread:
                _logger.warning("%s, left out", fault)
        else:
            lacking = " nor ".join(parts)
            _logger.warning(
                "song %s: has neither %s, left out", song_name(post), lacking
            )
    return rows


def no_usable_row(table: Path) -> ValueError:
    """Return the error for a table of which nothing can be used."""
    return ValueError(f"{table} holds no usable row; `keras-jtav check` says why.")


def _existing(path: Path) -> Path:
    if not path.is_file():
        raise FileNotFoundError(f"There is no picture {path}. Check --image.")
    return path


def _unreadable(posts: list[Post], faults: list[Rejection]) -> list[str]:
    """Return the names of each post's files that could not be decoded."""
    files: dict[str, list[str]] = {}
    for fault in faults:
        files.setdefault(fault.row, []).append(Path(fault.file).name)
    return [", ".join(files.get(f"post {post.id}", [])) for post in posts]
