"""The files of an index: parts that never change, and one small file that names them.

A save writes what is new beside what is there, then replaces ``index.json``. A process
that is killed before that leaves the old index; what it left is swept by the next save.
"""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import tempfile
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np

from keras_jtav.serving.index_part import IndexPart
from keras_jtav.serving.inverted_lists import InvertedLists

STATE_FILE = "index.json"
FORMAT = 1


@dataclass(frozen=True)
class IndexState:
    """What an index consists of.

    Args:
        model: Fingerprint of the model that encoded the songs.
        parts: Folders of the parts, in the order of their rows.
        removed: File with the rows that were removed; empty for none.
        lists: File of the inverted lists; empty for none.
        revision: How often the index was saved.
        format: Of the files.
    """

    model: str = ""
    parts: tuple[str, ...] = ()
    removed: str = ""
    lists: str = ""
    revision: int = 0
    format: int = FORMAT


class IndexFolder:
    """The folder of an index.

    Args:
        path: Where it is, or will be.
    """

    def __init__(self, path: Path) -> None:
        self.path = path.resolve()

    def __eq__(self, other: object) -> bool:
        return isinstance(other, IndexFolder) and self.path == other.path

    def __hash__(self) -> int:
        return hash(self.path)

    def read_state(self) -> IndexState:
        """Read what the index consists of.

        Raises:
            FileNotFoundError: The folder holds no index.
            ValueError: Another version of this package wrote it.
        """
        path = self.path / STATE_FILE
        if not path.is_file():
            raise FileNotFoundError(
                f"{self.path} holds no index of songs. Make one: keras-jtav index "
                "exported_models/retrieval/1 songs.csv --out FOLDER"
            )
        state = json.loads(path.read_text(encoding="utf-8"))
        if state.get("format") != FORMAT:
            raise ValueError(
                f"{self.path} has format {state.get('format')}, and this version reads "
                f"format {FORMAT}. Make the index again."
            )
        return IndexState(**{**state, "parts": tuple(state["parts"])})

    def write_state(self, state: IndexState) -> None:
        """Make a state the folder's own, in one step."""
        aside = self.path / f".new-{STATE_FILE}"
        aside.write_text(json.dumps(asdict(state), indent=1), encoding="utf-8")
        os.replace(aside, self.path / STATE_FILE)

    def check_revision(self, revision: int) -> None:
        """Refuse to save over what another process saved.

        Raises:
            ValueError: The folder was saved meanwhile.
        """
        found = self.read_state().revision
        if found != revision:
            raise ValueError(
                f"{self.path} was saved by another process meanwhile (revision "
                f"{found}, loaded at {revision}). Load it and repeat the change."
            )

    def check_free(self) -> None:
        """Refuse to write a whole index over other files.

        Raises:
            ValueError: The folder holds something.
        """
        if self.path.exists() and (not self.path.is_dir() or any(self.path.iterdir())):
            raise ValueError(
                f"{self.path} is in use. To change the index in it, load it from "
                "there; else give a folder that is empty or not there yet."
            )

    @contextlib.contextmanager
    def written_aside(self) -> Iterator[IndexFolder]:
        """Yield a folder to fill, which then gets this folder's name."""
        self.path.parent.mkdir(parents=True, exist_ok=True)
        aside = Path(tempfile.mkdtemp(prefix=".index-", dir=self.path.parent))
        try:
            yield IndexFolder(aside)
            aside.chmod(0o755)
            os.rename(aside, self.path)
        finally:
            shutil.rmtree(aside, ignore_errors=True)

    def write_part(self, name: str, part: IndexPart) -> None:
        """Write a part aside, then give it its name."""
        aside = self.path / f".new-{name}"
        aside.mkdir()
        part.write(aside)
        os.rename(aside, self.path / name)

    def write_rows(self, name: str, rows: np.ndarray) -> str:
        """Write row numbers aside, then give the file its name; return that."""
        aside = self.path / f".new-{name}"
        np.save(aside, rows)
        os.replace(aside, self.path / name)
        return name

    def write_lists(self, name: str, lists: InvertedLists) -> None:
        """Write inverted lists aside, then give the file its name."""
        aside = self.path / f".new-{name}"
        lists.write(aside)
        os.replace(aside, self.path / name)

    def sweep(self, state: IndexState) -> None:
        """Delete what the index does not consist of."""
        kept = {*state.parts, state.removed, state.lists}
        for path in self.path.iterdir():
            ours = path.name.startswith(("part-", "removed-", "lists-", ".new-"))
            if not ours or path.name in kept:
                continue
            if path.is_dir():
                shutil.rmtree(path)
            else:
                path.unlink()
