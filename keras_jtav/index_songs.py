"""From a table of songs to an index: what a model needs of each, kept on disk."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from keras_jtav.data.post import Post
from keras_jtav.predict import (
    SONG_PARTS,
    encode_songs,
    read_songs,
    song_name,
    usable_rows,
)
from keras_jtav.serving.index_folder import STATE_FILE, IndexFolder
from keras_jtav.serving.inverted_lists import check_room
from keras_jtav.serving.predictor import Predictor
from keras_jtav.serving.song_index import SongIndex
from keras_jtav.serving.song_search import check_fit, check_model

_logger = logging.getLogger(__name__)

SONGS_AT_ONCE = 256
SAVE_EVERY = 8_192  # minutes of decoding; what a kill loses at most


@dataclass(frozen=True)
class Indexed:
    """What became of the songs of a table.

    Args:
        added: Songs that the index took in.
        known: Songs that it had already; they stay as they were.
        left_out: Songs without a recording that can be decoded, or without anything.
        total: Songs in the index now.
    """

    added: int
    known: int
    left_out: int
    total: int


def index_songs(
    predictor: Predictor,
    table: Path,
    folder: Path,
    progress: Callable[[Iterable, int, str], Iterable],
    outside: bool = False,
) -> Indexed:
    """Encode the songs of a table and add them to an index, which may be new.

    The index is saved every ``SAVE_EVERY`` songs, so that after a kill the same call
    goes on with the songs that are not in it. Rows and songs that cannot be used are
    told in the log.

    Args:
        predictor: An exported retrieval model with towers.
        table: ``.csv``, ``.jsonl`` or ``.parquet``; see ``rank_songs``.
        folder: Where the index is, or will be.
        progress: Wraps an iterable, given its length and a title.
        outside: Whether the table may name files outside of its folder.

    Raises:
        FileNotFoundError: No table.
        ValueError: A table without a usable row, or a model that does not fit.
        ImportError: The songs will be more than are searched without faiss.
    """
    check_model(predictor)
    index = open_or_make(predictor, folder)
    songs = read_songs(table, outside)
    new = [post for post in songs if song_name(post) not in index]
    check_room(len(index) + len(new))
    before = unsaved = len(index)
    starts = range(0, len(new), SONGS_AT_ONCE)
    for start in progress(starts, len(starts), "songs"):
        _add(predictor, index, new[start : start + SONGS_AT_ONCE])
        is_last = start + SONGS_AT_ONCE >= len(new)
        if len(index) - unsaved >= SAVE_EVERY or (is_last and len(index) > unsaved):
            index.save(folder)
            unsaved = len(index)
    added = len(index) - before
    return Indexed(added, len(songs) - len(new), len(new) - added, len(index))


def open_or_make(predictor: Predictor, folder: Path) -> SongIndex:
    """Return the index of a folder, or an empty one if there is none.

    Raises:
        ValueError: Another model made it, or the folder holds other files.
    """
    if not (folder / STATE_FILE).is_file():
        IndexFolder(folder).check_free()
        return SongIndex(predictor.fingerprint)
    index = SongIndex.load(folder)
    check_fit(predictor, index)
    return index


def _add(predictor: Predictor, index: SongIndex, songs: Sequence[Post]) -> None:
    """Add those songs that can be read, and tell the others in the log."""
    songs = [songs[row] for row in usable_rows(songs, SONG_PARTS)]
    if not songs:
        return
    encodings, faults = encode_songs(predictor, songs)
    for fault in faults:
        _logger.warning("%s, left out", fault)
    bad = {fault.row for fault in faults}
    rows = [row for row, post in enumerate(songs) if f"post {post.id}" not in bad]
    ids = [song_name(songs[row]) for row in rows]
    index.add(ids, {name: array[rows] for name, array in encodings.items()})
