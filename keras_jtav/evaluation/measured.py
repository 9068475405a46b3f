"""Results of tables that were measured at full size and travel with the package."""

from __future__ import annotations

import json
from pathlib import Path

FOLDER = Path(__file__).parent / "measured"


def measured_tables() -> list[str]:
    """Return the names of the tables that there are.

    Example:
        >>> "table1-synthetic" in measured_tables()
        True
    """
    return sorted(path.stem for path in FOLDER.glob("*.jsonl"))


def measured_results(name: str) -> list[dict]:
    """Return the results of a table, as ``compare`` takes them.

    Args:
        name: One of ``measured_tables()``. ``docs/reproduction.md`` says how it was
            measured; the lines hold every row's config, seed and versions.

    Raises:
        ValueError: No such table.
    """
    if name not in measured_tables():
        raise ValueError(
            f"There are no stored results of {name!r}; there are those of "
            f"{', '.join(measured_tables())}. Others are made with --experiment."
        )
    text = (FOLDER / f"{name}.jsonl").read_text(encoding="utf-8")
    return [json.loads(line) for line in text.splitlines()]
