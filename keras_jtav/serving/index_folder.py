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
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import numpy as np

from keras_jtav.data.whole_file import is_left_over, told_where_full, written_whole
from keras_jtav.serving.index_part import IndexPart
from keras_jtav.serving.index_rows import IndexRows
from keras_jtav.serving.inverted_lists import InvertedLists, need_lists, sample_size

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
        with written_whole(self.path / STATE_FILE) as aside:
            aside.write_text(json.dumps(asdict(state), indent=1), encoding="utf-8")

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
            with told_where_full(self.path):
                yield IndexFolder(aside)
            aside.chmod(0o755)
            os.rename(aside, self.path)
        finally:
            shutil.rmtree(aside, ignore_errors=True)

    def write(self, state: IndexState, rows: IndexRows) -> None:
        """Bring the files up to date.

        Args:
            state: What the folder's index consisted of when it was loaded.
            rows: What it consists of now.

        Raises:
            ImportError: Too many songs wait for lists, and there is no faiss.
        """
        self._sweep(state)
        revision = state.revision + 1
        names = []
        for number, part in enumerate(rows.parts):
            if part.folder is not None and part.folder.parent == self.path:
                names.append(part.folder.name)
            else:
                names.append(f"part-{revision}-{number}")
                self._write_part(names[-1], part)
        removed = f"removed-{revision}.npy" if len(rows.removed) else ""
        if removed:
            with written_whole(self.path / removed) as aside:
                np.save(aside, rows.removed, allow_pickle=False)
        lists = self._write_lists(state.lists, rows, f"lists-{revision}.faiss")
        state = replace(
            state, parts=tuple(names), removed=removed, lists=lists, revision=revision
        )
        self.write_state(state)
        self._sweep(state)

    def _write_part(self, name: str, part: IndexPart) -> None:
        with written_whole(self.path / name) as aside:
            aside.mkdir()
            part.write(aside)

    def _write_lists(self, old: str, rows: IndexRows, new: str) -> str:
        """Take songs into lists if many wait; return the lists' file."""
        lists = None
        if old:
            lists = InvertedLists.open(self.path / old)
        listed = 0 if lists is None else len(lists)
        if not need_lists(rows.num_rows - listed):
            return old
        if lists is None:
            size = sample_size(rows.num_rows)
            sample = np.linspace(0, rows.num_rows - 1, size).astype(int)
            lists = InvertedLists.train(rows.vectors(sample), rows.num_rows)
        else:
            lists = InvertedLists.open(self.path / old, mapped=False)
        lists.add(rows.vector_blocks(listed))
        with written_whole(self.path / new) as aside:
            lists.write(aside)
        return new

    def _sweep(self, state: IndexState) -> None:
        """Delete what the index does not consist of."""
        kept = {*state.parts, state.removed, state.lists}
        for path in self.path.iterdir():
            ours = path.name.startswith(("part-", "removed-", "lists-"))
            if not (ours or is_left_over(path)) or path.name in kept:
                continue
            if path.is_dir():
                shutil.rmtree(path)
            else:
                path.unlink()
