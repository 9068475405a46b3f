"""The lines of a table: one for each system and run, on disk once it is measured."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from pathlib import Path

from keras_jtav.data.whole_file import written_whole

RESULTS_FILE = "results.jsonl"
WORK_FOLDER = "work"  # of what is being measured, and of lines that wait for their turn


def read_results(folder: Path) -> list[dict]:
    """Return the complete lines of a table's results; the last may be half written."""
    path = folder / RESULTS_FILE
    if not path.exists():
        return []
    lines = path.read_text(encoding="utf-8").split("\n")
    return [json.loads(line) for line in lines[:-1]]


def append_result(folder: Path, result: Mapping) -> None:
    """Add one line; what a kill left half written before it is cut off."""
    path = folder / RESULTS_FILE
    whole = path.read_bytes() if path.exists() else b""
    whole = whole[: whole.rfind(b"\n") + 1]
    with written_whole(path) as aside:
        aside.write_bytes(whole + json.dumps(result).encode() + b"\n")


def refuse_other_split(folder: Path, config: Mapping, split: str) -> None:
    """Refuse a row whose split is not that of measured rows which see the same.

    Rows that see other media may have lost other posts: those whose files are bad.

    Args:
        folder: Of the table.
        config: The row's, as its lines have it.
        split: The hash of its split.

    Raises:
        ValueError: A line of the same data, seed and modalities has another split.
    """
    for line in _measured(folder):
        if _view(line["config"]) == _view(config) and line["split"] != split:
            raise ValueError(
                f"{folder} has a line of {line['row']!r}, run {line['run'] + 1}, from "
                f"the split {line['split']}, and the split is {split} now: posts or "
                "their files have changed. Put them back as they were, give another "
                "--runs-dir, or delete that folder."
            )


def _measured(folder: Path) -> Iterator[dict]:
    yield from read_results(folder)
    for path in folder.glob(f"{WORK_FOLDER}/[!.]*.json"):
        yield from json.loads(path.read_text(encoding="utf-8"))


def _view(config: Mapping) -> list:
    """Return what decides a split: the data, with its seed, and the modalities."""
    return [config[part] for part in ("dataset", "data", "modalities")]
