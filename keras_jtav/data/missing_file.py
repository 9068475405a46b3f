"""What is said of a file that a table names and that is not there."""

from __future__ import annotations

import os
import unicodedata
from pathlib import Path

NOT_FETCHED = "nothing is downloaded"
URL_REASON = (
    f"is a URL, and {NOT_FETCHED}: save the file, give its path, or drop the row"
)


def is_url(cell: str) -> bool:
    """Return whether a cell is an address of the web, not a path.

    Example:
        >>> is_url("https://cdn.example/a.png"), is_url("images/a.png")
        (True, False)
    """
    return "://" in cell


def missing_reason(file: Path | str) -> str:
    r"""Return why a path leads to no file, and what to do about it.

    Example:
        >>> print(missing_reason(r"images\a.png"))
        is not there: write / in place of \ in its path, or drop the row
    """
    path = Path(file)
    other = _in_other_form(path)
    if "\\" in path.as_posix() and not os.path.exists(path):  # a path of Windows
        return "is not there: write / in place of \\ in its path, or drop the row"
    if other != path and os.path.isfile(other):
        return (
            "is not there, but a file is whose name looks the same and is written in "
            "the other Unicode form (NFC or NFD): copy its name from the disk, or "
            "rename it"
        )
    return "is not there or not a file: mend the path or drop the row"


def _in_other_form(path: Path) -> Path:
    """Return what lies there but for the form of the letters; else the path."""
    found = Path(path.anchor)
    for part in path.relative_to(path.anchor).parts:
        forms = (part, *(unicodedata.normalize(form, part) for form in ("NFC", "NFD")))
        found = next((found / f for f in forms if os.path.exists(found / f)), None)
        if found is None:
            return path
    return found
