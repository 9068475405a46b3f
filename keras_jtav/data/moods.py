"""Mood tags to polarity, by a table that anyone can read and change.

The paper sorted 272 mood tags into positive and negative by hand (Sec. 4.1) and never
published the list. ``moods.csv`` beside this file is this project's own: English mood
words sorted by their usual sense. Labels made with it are not the paper's labels.
"""

from __future__ import annotations

import csv
from pathlib import Path

from keras_jtav.data.tables import read_text

MOODS_FILE = Path(__file__).with_name("moods.csv")
POLARITIES = {"negative": 0, "positive": 1}


def read_moods(path: Path | str = MOODS_FILE) -> dict[str, int]:
    """Read a table with the columns ``mood,label``; lines with ``#`` are comments.

    Args:
        path: CSV file, UTF-8; labels are ``positive`` and ``negative``.

    Returns:
        Label by mood, as ``tidy_mood`` writes it: 1 positive, 0 negative.

    Raises:
        FileNotFoundError: No such file.
        ValueError: Other columns, another label, a mood with both labels.

    Example:
        >>> moods = read_moods()
        >>> moods["happy"], moods["heartbroken"]
        (1, 0)
    """
    path = Path(path)
    if not path.is_file():
        raise FileNotFoundError(f"There is no table of moods {path}. Check the path.")
    lines = [line for line in read_text(path).splitlines() if line[:1] != "#"]
    reader = csv.DictReader(lines)
    if not {"mood", "label"} <= set(reader.fieldnames or ()):
        found = ", ".join(reader.fieldnames or ()) or "none"
        raise ValueError(
            f"{path} needs the columns mood,label; found {found}. Begin it with the "
            "line mood,label."
        )
    moods: dict[str, int] = {}
    for row in reader:
        mood, label = tidy_mood(row["mood"] or ""), (row["label"] or "").strip().lower()
        if label not in POLARITIES:
            raise ValueError(
                f"{path}: the mood {mood!r} has the label {label!r}. Give it positive "
                "or negative, or drop the line."
            )
        if moods.setdefault(mood, POLARITIES[label]) != POLARITIES[label]:
            raise ValueError(
                f"{path}: the mood {mood!r} is both positive and negative. Drop one of "
                "the two lines."
            )
    return moods


def tidy_mood(mood: str) -> str:
    """Return a tag in lower case, without the sign ``#`` and outer white space.

    Example:
        >>> tidy_mood(" #Laid  Back")
        'laid back'
    """
    return " ".join(mood.casefold().lstrip(" #").split())
