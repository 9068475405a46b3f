"""Which files a table may name: those in its own folder, unless the user says more.

A table may come from somebody else. What it names is read, shown on pages and, by
``prepare``, copied into records: so it must not reach for files that it was not given
with.
"""

from __future__ import annotations

import os
from pathlib import Path

from keras_jtav.data.post import Post

REASON = (
    "lies outside of the table's folder: move the file there, or allow such files with "
    "--outside (in Python: outside=True)"
)


def is_inside(file: Path, folder: Path) -> bool:
    """Return whether a file lies below a folder once ``..`` and links are followed.

    Neither has to be there. What somebody changes after the look is not seen.

    Example:
        >>> is_inside(Path("posts/media/../a.png"), Path("posts"))
        True
        >>> is_inside(Path("posts/../a.png"), Path("posts"))
        False
    """
    return Path(os.path.realpath(file)).is_relative_to(os.path.realpath(folder))


def first_outside_file(post: Post, folder: Path) -> str:
    """Return the first of the post's files outside of a folder, or an empty text."""
    files = [file for file in (post.image, post.audio) if file is not None]
    return next((str(file) for file in files if not is_inside(file, folder)), "")
