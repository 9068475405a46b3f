"""Tables of posts: one row per post, in CSV, JSON lines or Parquet.

Columns: ``id, image, audio, lyrics, caption, label, song, split, group``. At least one
of the four contents must be there; other columns are ignored. Paths are relative to the
table's folder; URLs are not fetched. Files outside of the folder (absolute paths,
``..``, links) are read only where the caller allows it. A row that cannot be used never
stops the reading: it is rejected, with the reason.
"""

from __future__ import annotations

import contextlib
import difflib
import logging
import os
from collections.abc import Iterable, Mapping
from pathlib import Path

from keras_jtav.data.labels import (
    are_two_classes,
    class_order,
    classes_of,
    label_of,
    label_text,
)
from keras_jtav.data.missing_file import URL_REASON, is_url, missing_reason
from keras_jtav.data.outside import REASON, first_outside_file
from keras_jtav.data.post import TEXT_PARTS, Post, PostTable, Rejection
from keras_jtav.data.tables import Row, cell_text, read_table, write_table
from keras_jtav.options import DataOptions

CONTENTS = ("image", "audio", "lyrics", "caption")
COLUMNS = ("id", *CONTENTS, "label", "song", "split", "group")
MISSING_FILES = ("reject", "keep")


def read_manifest(
    path: Path | str,
    missing_files: str = "reject",
    outside: bool = DataOptions.outside,
    max_table_bytes: int = DataOptions.max_table_bytes,
    task: str | None = "sentiment",
) -> PostTable:
    """Read a table of posts.

    Labels are two classes. ``0/1``, ``negative/positive``, ``neg/pos`` and
    ``false/true`` (in any case) are known; of two other words the alphabetically second
    is class 1. Where other labels make up at most 5 % of the labelled rows, these rows
    are rejected. Rows are counted from 1, without the header; without an ``id`` column
    a post is called ``row-1`` and so on.

    Args:
        path: File ending in ``.csv``, ``.jsonl``, ``.json`` (JSON lines too) or
            ``.parquet``; text is UTF-8.
        missing_files: ``reject`` rows that name a file which is not there, or ``keep``
            them for a caller who looks at the files himself.
        outside: Whether rows may name files outside of the table's folder; else they
            are rejected.
        max_table_bytes: Larger tables are refused; of Parquet what it unfolds to
            counts.
        task: What the posts are for. ``retrieval`` reads labels only to split evenly,
            and drops the column where it holds anything but two classes. ``None``,
            neither training nor judging, reads no ``label`` and no ``split``.

    Returns:
        Posts in the table's order, the rejected rows, the names of the two classes.

    Raises:
        FileNotFoundError: No such table.
        ValueError: Another ending, text that is not UTF-8, broken CSV, JSON or Parquet,
            a table that is too large, no rows, no content column; for sentiment more
            than two labels.
    """
    path = Path(path)
    if missing_files not in MISSING_FILES:
        raise ValueError(
            f"`missing_files` must be one of {', '.join(MISSING_FILES)}; received "
            f"{missing_files!r}."
        )
    columns, rows = read_table(path, max_table_bytes)
    _check_columns(path, columns)
    if not rows:
        raise ValueError(f"{path} has no rows. Add one row per post below the header.")
    unused = () if task else ("label", "split")
    if task == "retrieval" and not are_two_classes(path, rows):
        unused = ("label",)
    if unused:
        rows = [{n: v for n, v in row.items() if n not in unused} for row in rows]
    classes, class_names = classes_of(path, rows)
    table = PostTable([], [], class_names)
    first_rows: dict[str, int] = {}
    for number, row in enumerate(rows, 1):
        place, file = f"row {number}", ""
        try:
            values = _cells(row)
            post_id = _id(columns, values, number)
            place = f"row {number} ({post_id})" if post_id else place
            if post_id and first_rows.setdefault(post_id, number) != number:
                raise ValueError(
                    f"duplicate id, taken by row {first_rows[post_id]}: give every "
                    "post its own"
                )
            urls = filter(is_url, (values["image"], values["audio"]))
            if file := next(urls, ""):
                raise ValueError(URL_REASON)
            post = _post(post_id, values, path.parent, classes)
            file = "" if outside else first_outside_file(post, path.parent)
            if file:
                raise ValueError(REASON)
            if missing_files == "reject":
                file = first_missing_file(post)
                if file:
                    raise ValueError(missing_reason(file))
        except ValueError as error:
            table.rejections.append(Rejection(place, file, str(error)))
        else:
            table.posts.append(post)
    return table


def write_manifest(
    posts: Iterable[Post],
    path: Path | str,
    class_names: tuple[str, str] = ("negative", "positive"),
) -> None:
    """Write a table that ``read_manifest`` reads back, in one step (no half files).

    Files below the table's folder are written relative to it, others absolute; to read
    these takes ``outside``.

    Args:
        posts: What to write; columns that no post fills are left out.
        path: File ending in ``.csv``, ``.jsonl``, ``.json`` or ``.parquet``.
        class_names: Names of label 0 and label 1.

    Raises:
        ValueError: No posts, another ending, or class names that would be read back in
            the other order.
    """
    if class_order(*class_names) != tuple(class_names):
        raise ValueError(
            f"`class_names` {tuple(class_names)} would be read back the other way "
            "round. Swap them and the labels, or call them 0 and 1."
        )
    folder = Path(os.path.abspath(path)).parent
    rows = [_row(post, folder, class_names) for post in posts]
    if not rows:
        raise ValueError(f"There are no posts to write to {path}.")
    used = [name for name in COLUMNS if any(row[name] for row in rows)]
    write_table(path, used, rows)


def write_rejections(rejections: Iterable[Rejection], path: Path | str) -> None:
    """Write rejected rows as a table with the columns ``row, file, reason``."""
    rows = [vars(rejection) for rejection in rejections]
    write_table(path, ["row", "file", "reason"], rows)


def column_hints(columns: Iterable[str]) -> list[str]:
    """Return a question for each ignored column that looks like a known one.

    Example:
        >>> column_hints(["id", "images", "lyrics", "likes"])
        ["column 'images' is ignored: did you mean 'image'?"]
    """
    names = list(columns)
    hints = []
    for name in names:
        near = difflib.get_close_matches(name.lower(), COLUMNS, n=1, cutoff=0.75)
        if near and name not in COLUMNS and near[0] not in names:
            hints.append(f"column {name!r} is ignored: did you mean {near[0]!r}?")
    return hints


def rows_by_id(columns: Iterable[str], rows: Iterable[Row]) -> dict[str, int]:
    """Return the number of the row that holds each id, as the reading finds it.

    Example:
        >>> rows_by_id(["id"], [{"id": 12.0}, {"id": ["no text"]}, {"id": "a "}])
        {'12': 1, 'a': 3}
    """
    places: dict[str, int] = {}
    for number, row in enumerate(rows, 1):
        with contextlib.suppress(ValueError):  # that row is rejected
            places.setdefault(_id(columns, _cells(row), number), number)
    return places


def first_missing_file(post: Post) -> str:
    """Return the first of the post's files that is not there, or an empty text."""
    files = [file for file in (post.image, post.audio) if file is not None]
    return next((str(file) for file in files if not os.path.isfile(file)), "")


def _check_columns(path: Path, columns: list[str]) -> None:
    hints = column_hints(columns)
    if any(name in CONTENTS for name in columns):
        for hint in hints:
            logging.getLogger(__name__).warning("%s: %s", path, hint)
        return
    if len(columns) == 1 and any(mark in columns[0] for mark in ";\t|"):
        hints = ["Separate the columns with commas."]
    raise ValueError(
        f"{path} needs at least one of the columns {', '.join(CONTENTS)}; found "
        f"{', '.join(columns) or 'none'}. Known columns: {', '.join(COLUMNS)}. "
        + " ".join(hints)
    )


def _cells(row: Row) -> dict[str, str]:
    if any(row.get(None) or ()):
        raise ValueError(
            f"{len(row[None])} cells more than the header has: put texts with commas "
            "in quotation marks"
        )
    cells = {name: cell_text(name, row.get(name)) for name in COLUMNS}
    return {**cells, "label": label_text(row)}


def _id(columns: Iterable[str], values: Mapping[str, str], number: int) -> str:
    return values["id"] if "id" in columns else f"row-{number}"


def _post(
    post_id: str, values: Mapping[str, str], folder: Path, classes: Mapping[str, int]
) -> Post:
    return Post(
        id=post_id,
        texts={part: values[part] for part in TEXT_PARTS if values[part]},
        audio=folder / values["audio"] if values["audio"] else None,
        image=folder / values["image"] if values["image"] else None,
        label=label_of(values["label"], classes),
        song=values["song"] or None,
        split=values["split"].lower() or None,
        group=values["group"],
    )


def _row(
    post: Post, folder: Path, class_names: tuple[str, str]
) -> dict[str, str | None]:
    def relative(file: Path | None) -> str | None:
        if file is None:
            return None
        file = Path(os.path.abspath(file))
        inside = file.is_relative_to(folder)
        return (file.relative_to(folder) if inside else file).as_posix()

    return {
        "id": post.id,
        "image": relative(post.image),
        "audio": relative(post.audio),
        "lyrics": post.texts.get("lyrics"),
        "caption": post.texts.get("caption"),
        "label": None if post.label is None else class_names[post.label],
        "song": post.song,
        "split": post.split,
        "group": post.group or None,
    }
