"""Rows in CSV, JSON lines and Parquet, by the file's ending."""

from __future__ import annotations

import csv
import io
import json
import math
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from keras_jtav.data.whole_file import written_whole
from keras_jtav.options import DataOptions

Row = Mapping[str, Any]
ROWS_AT_ONCE = 1024  # of Parquet


def read_table(
    path: Path | str, max_bytes: int = DataOptions.max_table_bytes
) -> tuple[list[str], list[Row]]:
    """Read a table, every cell of a CSV as text.

    Args:
        path: File ending in ``.csv``, ``.jsonl``, ``.json`` (JSON lines too) or
            ``.parquet``; text is UTF-8, with or without a byte order mark.
        max_bytes: Larger tables are refused; of Parquet what it unfolds to counts.

    Returns:
        The columns, and one mapping per row. Cells that a row lacks are absent or
        ``None``; cells beyond the header of a CSV are a list under the key ``None``.

    Raises:
        FileNotFoundError: No such file.
        ValueError: Another ending, a file that is too large, text that is not UTF-8, a
            broken file, a column twice or with half a character in its name.
    """
    path = Path(path)
    read = _by_suffix(path, READERS)
    if not path.is_file():
        raise FileNotFoundError(f"There is no table {path}. Check the path.")
    if path.stat().st_size > max_bytes:
        raise _too_large(path, max_bytes)
    columns, rows = read(path, max_bytes)
    broken = [name for name in columns if name and _has_half_a_letter(name)]
    if broken:
        raise ValueError(
            f"{path} has a column {broken[0]!r} with half a character in its name. "
            "Write it as UTF-8."
        )
    twice = [name for name, count in Counter(columns).items() if name and count > 1]
    if twice:
        raise ValueError(f"{path} has the column {twice[0]!r} twice. Drop one.")
    return columns, rows


def write_table(path: Path | str, columns: Sequence[str], rows: Sequence[Row]) -> None:
    """Write a table in one step: the file is there as a whole or not at all.

    Args:
        path: File ending in ``.csv``, ``.jsonl``, ``.json`` or ``.parquet``.
        columns: What to write of each row, in this order.
        rows: One mapping per row with at least these keys.

    Raises:
        ValueError: Another ending.

    Example:
        >>> import tempfile
        >>> path = Path(tempfile.mkdtemp(), "moods.jsonl")
        >>> write_table(path, ["id", "mood"], [{"id": "p1", "mood": "glad"}])
        >>> read_table(path)
        (['id', 'mood'], [{'id': 'p1', 'mood': 'glad'}])
    """
    path = Path(path)
    write = _by_suffix(path, WRITERS)
    path.parent.mkdir(parents=True, exist_ok=True)
    with written_whole(path) as aside:
        write(aside, columns, rows)


def read_text(path: Path) -> str:
    """Return the text of a UTF-8 file, without its byte order mark.

    Raises:
        ValueError: Another encoding; the message names the line.
    """
    data = path.read_bytes()
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = data[: error.start].count(b"\n") + 1
        raise ValueError(
            f"{path} is not UTF-8: line {line} has the byte "
            f"0x{data[error.start]:02x}. Save it as UTF-8."
        ) from error


def cell_text(name: str, value: Any) -> str:
    """Return a cell as text; whole numbers lose the ``.0`` that Parquet gives them.

    Args:
        name: The column, for the message.
        value: What ``read_table`` gave for the cell; absent ones are empty.

    Raises:
        ValueError: A cell that holds no text, half a character or a zero byte.

    Example:
        >>> cell_text("id", 12.0), cell_text("id", None)
        ('12', '')
    """
    if value is None or (isinstance(value, float) and math.isnan(value)):
        return ""
    if isinstance(value, list | dict | bytes):
        raise ValueError(
            f"`{name}` holds a {type(value).__name__}: give text, or the path of a file"
        )
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    text = str(value).strip()
    if _has_half_a_letter(text):
        raise ValueError(f"`{name}` holds half a character: write it as UTF-8")
    if "\0" in text:
        raise ValueError(f"`{name}` holds a zero byte: drop it")
    return text


def _has_half_a_letter(text: str) -> bool:
    return any("\ud800" <= letter <= "\udfff" for letter in text)


def _by_suffix(path: Path, functions: Mapping[str, Callable]) -> Callable:
    if path.suffix.lower() not in functions:
        raise ValueError(
            f"{path}: a table ends in one of {', '.join(functions)}; received "
            f"{path.suffix or 'no ending'!r}."
        )
    return functions[path.suffix.lower()]


def _too_large(path: Path, max_bytes: int) -> ValueError:
    return ValueError(
        f"{path} is too large: it holds more than {max_bytes} bytes. Split it, or "
        "raise `data.max_table_bytes`."
    )


def _read_csv(path: Path, max_bytes: int) -> tuple[list[str], list[Row]]:
    reader = csv.DictReader(io.StringIO(read_text(path), newline=""), strict=True)
    usual = csv.field_size_limit(max_bytes)  # of 131,072 letters: lyrics may be longer
    try:
        reader.fieldnames = [name.strip() for name in reader.fieldnames or []]
        return list(reader.fieldnames), list(reader)
    except csv.Error as error:
        line = reader.line_num + 1  # it counts the lines of the rows that could be read
        raise ValueError(
            f"{path} is broken CSV near line {line} ({error}). Look for a quotation "
            "mark that is not closed."
        ) from error
    finally:
        csv.field_size_limit(usual)


def _lines(text: str) -> Iterator[tuple[int, str]]:
    for number, line in enumerate(text.split("\n"), 1):
        if line.strip():
            yield number, line


def _read_json_lines(path: Path, max_bytes: int) -> tuple[list[str], list[Row]]:
    rows = []
    for number, line in _lines(read_text(path)):
        try:
            row = json.loads(line)
        except (ValueError, RecursionError):  # numbers of 5,000 digits among others
            row = None
        if not isinstance(row, dict):
            raise ValueError(
                f"{path}, line {number}, is no JSON object. Write one object per line, "
                'such as {"id": "p1", "caption": "so happy"}.'
            )
        rows.append(row)
    return list(dict.fromkeys(name for row in rows for name in row)), rows


def _read_parquet(path: Path, max_bytes: int) -> tuple[list[str], list[Row]]:
    import pyarrow
    from pyarrow import parquet

    rows, num_bytes = [], 0
    try:
        with path.open("rb") as stream:  # a path could also mean a folder of parts
            file = parquet.ParquetFile(stream)
            # A few kilobytes may repeat a long text many million times.
            for batch in file.iter_batches(ROWS_AT_ONCE):
                num_bytes += batch.nbytes
                if num_bytes > max_bytes:
                    raise _too_large(path, max_bytes)
                rows += batch.to_pylist()
    except (pyarrow.ArrowException, OSError, UnicodeDecodeError) as error:
        raise ValueError(
            f"{path} cannot be read as Parquet ({error}). Write it again."
        ) from error
    return file.schema_arrow.names, rows


def _write_csv(path: Path, columns: Sequence[str], rows: Sequence[Row]) -> None:
    with path.open("w", encoding="utf-8", newline="") as stream:
        writer = csv.DictWriter(stream, columns, extrasaction="ignore")
        writer.writeheader()
        writer.writerows(rows)


def _write_json_lines(path: Path, columns: Sequence[str], rows: Sequence[Row]) -> None:
    with path.open("w", encoding="utf-8", newline="\n") as stream:
        for row in rows:
            line = {name: row[name] for name in columns}
            stream.write(json.dumps(line, ensure_ascii=False) + "\n")


def _write_parquet(path: Path, columns: Sequence[str], rows: Sequence[Row]) -> None:
    import pyarrow
    from pyarrow import parquet

    table = {name: [row[name] for row in rows] for name in columns}
    parquet.write_table(pyarrow.table(table), path)


READERS = {
    ".csv": _read_csv,
    ".jsonl": _read_json_lines,
    ".json": _read_json_lines,
    ".parquet": _read_parquet,
}
WRITERS = {
    ".csv": _write_csv,
    ".jsonl": _write_json_lines,
    ".json": _write_json_lines,
    ".parquet": _write_parquet,
}
