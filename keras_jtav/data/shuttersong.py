"""ShutterSong, the paper's data set, from a folder of yours.

The data set is not part of this project, and its archive was not available: names and
layout of its files are not known. So the folder is read by these rules. It holds one
table (CSV, JSON lines or Parquet) with a row per post, and media files at any depth.
The columns are found by the field names of the ShutterSong app (``uuid, caption,
song_title, song_artist, audio_url, timeline_image_url, mood``) or named in a TOML file
(``shuttersong_columns.py``). A cell with a URL stands for the file of its base name.

Lyrics come from a column of texts or of names of ``.txt`` files, else from the ``.txt``
file called like the post's id, like its recording, or ``artist - title``.

Two posts are of one song if title and artist are the same but for case, punctuation and
white space. Moods become labels by a table (``moods.py``).

Source:
    JTAV, Sec. 4.1 (posts with a mood) and Sec. 4.2 (620 songs, five images each).
"""

from __future__ import annotations

import logging
import re
import unicodedata
from collections import Counter
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

from keras_jtav.data.data_folder import DataFolder, base_name, existing_folder
from keras_jtav.data.moods import MOODS_FILE, read_moods, tidy_mood
from keras_jtav.data.post import TEXT_PARTS, Post, PostTable, Rejection
from keras_jtav.data.shuttersong_columns import find_table
from keras_jtav.data.splits import hold_out_songs
from keras_jtav.data.tables import cell_text, read_text

_logger = logging.getLogger(__name__)
_GAP = re.compile(r"[\W_]+")


def load_shuttersong(
    task: str = "sentiment",
    split: str = "dagger",
    split_seed: int = 0,
    folder: str | Path = "",
    columns: str | Path = "",
    moods: str | Path = MOODS_FILE,
    test_songs: int = 100,
    outside: bool = False,
) -> PostTable:
    """Read posts of a folder laid out as the module says.

    For sentiment, rows without a mood are not the task's and are left out. For
    retrieval with ``split="dagger"``, all posts of ``test_songs`` songs are for test;
    all other splits are left to ``split_posts``.

    Args:
        task: ``sentiment`` or ``retrieval``.
        split: As in ``split_posts``.
        split_seed: Decides which songs are held out.
        folder: Holds the table and the media.
        columns: TOML file that names the columns; by default ``shuttersong.toml`` of
            the folder, where there is one.
        moods: Table of ``mood,label``.
        test_songs: Songs of ``dagger`` held out for test, of those that can be used.
        outside: Whether the table may name files outside of the folder.

    Returns:
        The posts; rows that name a file which is not there, or for sentiment a mood
        that is not in the table, are rejections.

    Raises:
        FileNotFoundError: No such folder, file of columns or table of moods.
        ValueError: No folder given, or another layout; the message lists what was
            found.
    """
    files = DataFolder(existing_folder(folder, "shuttersong"), outside)
    reader = _RowReader(files, read_moods(moods), Path(moods), task)
    source = find_table(files, columns, task)
    table = PostTable([])
    first_rows: dict[str, int] = {}
    for number, row in enumerate(source.rows, 1):
        place = f"row {number}"
        try:
            cells = {
                ours: cell_text(theirs, row.get(theirs))
                for ours, theirs in source.columns.items()
            }
            if task == "sentiment" and not cells["mood"]:
                continue
            if "id" not in cells:
                cells["id"] = f"row-{number}"
            place = f"row {number} ({cells['id']})"
            first = first_rows.setdefault(cells["id"], number)
            if cells["id"] and first != number:
                raise ValueError(f"duplicate id, taken by row {first}")
            table.posts.append(reader.post(cells))
        except ValueError as error:
            table.rejections.append(Rejection(place, "", str(error)))
    reader.report(len(source.rows) - len(table.posts) - len(table.rejections))
    if task == "retrieval" and split == "dagger":
        table = replace(
            table, posts=hold_out_songs(table.posts, test_songs, split_seed)
        )
    return table


class _RowReader:
    """Makes posts of rows, and remembers the moods it does not know."""

    def __init__(
        self, files: DataFolder, moods: Mapping[str, int], moods_file: Path, task: str
    ) -> None:
        self._files = files
        self._moods = moods
        self._moods_file = moods_file
        self._task = task
        self._unknown_moods: Counter[str] = Counter()
        self._lyrics = {_plain(path.stem): path for path in files.texts}

    def post(self, cells: Mapping[str, str]) -> Post:
        """Return the post of a row.

        Raises:
            ValueError: The row's reason for rejection.
        """
        media = {
            name: self._files.find(cells[name]) if cells.get(name) else None
            for name in ("audio", "image")
        }
        texts = {"lyrics": self._read_lyrics(cells), "caption": cells.get("caption")}
        return Post(
            id=cells["id"],
            texts={part: texts[part] for part in TEXT_PARTS if texts[part]},
            label=self._label(cells["mood"]) if self._task == "sentiment" else None,
            song=song_name(cells.get("title", ""), cells.get("artist", "")) or None,
            **media,
        )

    def report(self, num_without_mood: int) -> None:
        """Log what the rejections do not say."""
        if num_without_mood:
            _logger.warning("%d rows without a mood are left out", num_without_mood)
        if self._unknown_moods:
            counts = ", ".join(f"{m} {n}" for m, n in self._unknown_moods.most_common())
            _logger.warning("moods that %s lacks: %s", self._moods_file, counts)

    def _label(self, cell: str) -> int:
        mood = tidy_mood(cell)
        if mood not in self._moods:
            self._unknown_moods[mood] += 1
            raise ValueError(
                f"the mood {mood!r} is not in {self._moods_file}: add it there, or "
                "give a table of your own with --set dataset.moods=FILE"
            )
        return self._moods[mood]

    def _read_lyrics(self, cells: Mapping[str, str]) -> str:
        cell = cells.get("lyrics", "")
        if cell and not cell.lower().endswith(".txt"):
            return cell
        if cell:
            return read_text(self._files.find(cell)).strip()
        names = (
            cells["id"],
            Path(base_name(cells.get("audio", ""))).stem,
            f"{cells.get('artist', '')} - {cells.get('title', '')}",
        )
        known = [_plain(name) for name in names if _plain(name) in self._lyrics]
        return read_text(self._lyrics[known[0]]).strip() if known else ""


def song_name(title: str, artist: str) -> str:
    """Return one name for all spellings of a song; empty without a title.

    Example:
        >>> song_name("Don't  Stop!", "The Band"), song_name("DON'T STOP", "the band")
        ('don t stop / the band', 'don t stop / the band')
    """
    names = [_plain(title), _plain(artist)]
    return " / ".join(name for name in names if name) if names[0] else ""


def _plain(text: str) -> str:
    """Return a text without case, punctuation and double spaces.

    A text of signs alone, such as a title that is one emoji, stays as it is.
    """
    text = unicodedata.normalize("NFKC", text).casefold().strip()
    return _GAP.sub(" ", text).strip() or text
