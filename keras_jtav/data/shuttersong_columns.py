"""Which column of ShutterSong's table is what: guessed, or said in a TOML file."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from keras_jtav.data.data_folder import DataFolder
from keras_jtav.data.outside import REASON
from keras_jtav.data.tables import Row, read_table

COLUMNS_FILE = "shuttersong.toml"
# Field names of the ShutterSong app first, then what they are called elsewhere here.
GUESSES: dict[str, tuple[str, ...]] = {
    "id": ("uuid", "id"),
    "image": ("timeline_image_url", "image_url", "image"),
    "audio": ("audio_url", "audio"),
    "lyrics": ("lyrics",),
    "caption": ("caption",),
    "mood": ("mood",),
    "title": ("song_title", "title"),
    "artist": ("song_artist", "artist"),
}
EXAMPLE = """\
table = "posts.csv"

[columns]
id = "uuid"
image = "timeline_image_url"
audio = "audio_url"
lyrics = "lyrics"
caption = "caption"
mood = "mood"
title = "song_title"
artist = "song_artist"
"""


@dataclass(frozen=True)
class ShutterTable:
    """The table of a folder, and which of its columns is what.

    Args:
        path: The table.
        rows: Its rows.
        columns: Their name of a column by ours (``GUESSES`` has ours).
    """

    path: Path
    rows: Sequence[Row]
    columns: Mapping[str, str]


def find_table(files: DataFolder, columns_file: str | Path, task: str) -> ShutterTable:
    """Find the table of a folder and its columns.

    Args:
        files: The folder.
        columns_file: A TOML file such as ``EXAMPLE``; empty: ``shuttersong.toml`` of
            the folder, where there is one.
        task: Decides which columns must be there.

    Raises:
        FileNotFoundError: No such file of columns.
        ValueError: A broken file of columns or table, a table outside of the folder,
            or another layout; the message lists what was found and shows ``EXAMPLE``.
    """
    table_name, named = _read_columns(files.folder, columns_file)
    if table_name:
        path = files.folder / table_name
        if not files.allows(path):
            raise ValueError(f"The table {path} {REASON}.")
    elif len(files.tables) == 1:
        path = files.tables[0]
    else:
        problem = f"{len(files.tables)} tables where one is expected"
        raise ValueError(_another_layout(problem, files, columns_file))
    found, rows = read_table(path)
    by_lower = {name.lower(): name for name in found}
    guessed = {
        ours: next(by_lower[theirs] for theirs in names if theirs in by_lower)
        for ours, names in GUESSES.items()
        if any(theirs in by_lower for theirs in names)
    }
    columns = guessed | named
    problem = _problem(columns, found, task, bool(files.texts))
    if problem or not rows:
        problem = f"{path} {problem or 'has no rows'}"
        raise ValueError(_another_layout(problem, files, columns_file, found))
    return ShutterTable(path, rows, columns)


def _problem(
    columns: Mapping[str, str], found: Sequence[str], task: str, has_texts: bool
) -> str:
    """Return why a task cannot use a table of these columns; empty if it can."""
    absent = [theirs for theirs in columns.values() if theirs not in found]
    if absent:
        return f"has no column {absent[0]!r}"
    text_files = ["lyrics"] if has_texts else []
    here = {*columns, *text_files}
    needs = {
        "sentiment": (("mood",), ("image", "audio", "lyrics", "caption")),
        "retrieval": (("title",), ("image", "caption"), ("audio", "lyrics")),
    }
    for choices in needs[task]:
        if not here.intersection(choices):
            return f"has no column for {' or '.join(choices)}, which {task} needs"
    return ""


def _read_columns(folder: Path, columns_file: str | Path) -> tuple[str, dict[str, str]]:
    """Return the name of the table, empty if it is not said, and named columns."""
    path = Path(columns_file or folder / COLUMNS_FILE)
    if not path.is_file():
        if columns_file:
            raise FileNotFoundError(f"There is no file of columns {path}.")
        return "", {}
    try:
        content = tomllib.loads(path.read_text(encoding="utf-8"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ValueError(
            f"{path} is no TOML ({error}). Write it as\n{EXAMPLE}"
        ) from error
    table, columns = content.pop("table", ""), content.pop("columns", {})
    valid = isinstance(table, str) and isinstance(columns, dict) and not content
    if not valid or not all(isinstance(name, str) for name in columns.values()):
        raise ValueError(
            f"{path} may have `table`, a name, and `columns`, names by ours. Write it "
            f"as\n{EXAMPLE}"
        )
    unknown = sorted(set(columns) - set(GUESSES))
    if unknown:
        raise ValueError(
            f"{path} names a column {unknown[0]!r}. Ours are {', '.join(GUESSES)}."
        )
    return table, columns


def _another_layout(
    problem: str,
    files: DataFolder,
    columns_file: str | Path,
    found: Sequence[str] = (),
) -> str:
    columns = f"columns: {', '.join(found)}; " if found else ""
    return (
        f"{files.folder} has another layout: {problem}. Found {columns}"
        f"{files.describe()}. Say which is which in "
        f"{columns_file or files.folder / COLUMNS_FILE}, such as\n{EXAMPLE}"
    )
