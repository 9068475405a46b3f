"""Tables of posts that are damaged, absurd or made to do harm."""

import io
import json

import pyarrow
from damage import damaged
from pyarrow import parquet

COLUMNS = (
    *("id", "image", "audio", "lyrics", "caption"),
    *("label", "song", "split", "group"),
)
CELLS = (
    *("../secret.png", "/etc/hostname", "leads-out.png", "loop.png", "pipe.png"),
    *("up/secret.png", "folder", ".", "..", "/", "/dev/zero", "a.png/", "A.PNG"),
    *("http://127.0.0.1:9/a.png", "file:///etc/hostname", "~/.netrc", "a\0b.png"),
    *("x" * 5_000, "x " * 500_000, "=1+1", "=cmd|' /C calc'!A0", "@SUM(A1)", "-2+3"),
    *("\u202egnp.a", "a" + "\u0301" * 10_000, "\ufeff", "\u200d\u2066\u2069", "嬉しい"),
    *("👩‍👩‍👧‍👦" * 100, "مرحبا بالعالم", "NaN", "inf", "1e400", "-0", "null", "true"),
    *("\r\n", "\r", '"', "';DROP TABLE posts;--", "<script>alert(1)</script>"),
    *("{{7*7}}", "%s%n%x", "$(touch ran)", "`touch ran`", "\x1b[2J\x07", "\x7f\x01"),
    *("\ud800", "\U0010ffff", " ", "\t", "a.png\n", "test", "positive", "\\", "con"),
)
FORMS = ("csv", "jsonl", "parquet")


def tables(draw):
    """Yield ``(name, bytes)``."""
    sound = {form: written(rows(), form) for form in FORMS}
    for form, data in sound.items():
        yield f"sound.{form}", data
        for name, broken in damaged(form, data, draw, flips=60):
            yield f"{name}.{form}", broken
        for other in FORMS:
            if other != form:
                yield f"really-{form}.{other}", data
    for column in COLUMNS:
        for number, cell in enumerate(CELLS):
            changed = rows()
            changed[2][column] = cell
            form = ("jsonl", "csv", "parquet")[number % 3]
            if "\ud800" <= cell[0] <= "\udfff":
                form = "jsonl"  # no other one can hold half a character
            yield f"{column}-{number}.{form}", written(changed, form)
    yield from texts(sound)
    yield from columns()


def rows():
    """Return six sound rows that use files which lie beside the table."""
    return [
        {
            "id": f"p{number}",
            "image": ("a.png", "")[number % 2],
            "audio": "a.wav",
            "lyrics": "la la la",
            "caption": f"so {('sad', 'glad')[number % 2]}",
            "label": str(number % 2),
            "song": f"song {number // 2}",
            "split": "",
            "group": "",
        }
        for number in range(6)
    ]


def written(rows, form):
    """Return a table's bytes, without the care of the package."""
    if form == "csv":
        lines = [",".join(rows[0])]
        for row in rows:
            cells = (str(cell).replace('"', '""') for cell in row.values())
            lines.append(",".join(f'"{cell}"' for cell in cells))
        return "\n".join(lines).encode()
    if form == "jsonl":
        return "\n".join(json.dumps(row) for row in rows).encode()
    stream = io.BytesIO()
    columns = {name: [row[name] for row in rows] for name in rows[0]}
    parquet.write_table(pyarrow.table(columns), stream)
    return stream.getvalue()


def texts(sound):
    """Yield tables whose text is not what its ending says."""
    for name, data in {
        "empty": b"",
        "blank": b"\n\n \n",
        "mark": b"\xef\xbb\xbf",
        "header": b"id,caption\n",
        "wide": ",".join(f"c{n}" for n in range(20_000)).encode() + b",caption\n1\n",
        "utf-16": "id,caption\np1,la\n".encode("utf-16"),
        "latin": b"id,caption\np1,caf\xe9\n",
        "zeros": b"id,caption\np1,\0\0\n",
        "old-mac": b"id,caption\rp1,la\rp2,li\r",
        "open": b'id,caption\np1,"' + b"la\n" * 100_000,
        "quotes": b"id,caption\np1," + b'"' * 100_001 + b"\n",
        "twice": b"id,id,caption\np1,p2,la\n",
        "same": b"id,caption\n" + b"p1,la\n" * 2_000,
        "ragged": b"id,caption\n" + b"p1,la" + b",li" * 5_000 + b"\n",
        "semicolons": b"id;caption\np1;la\n",
        "no-content": b"id,label\np1,1\n",
        "labels": b"caption,label\n" + b"\n".join(b"la,%d" % n for n in range(300)),
        "many": b"id,caption,label\n"
        + b"".join(b"%d,la,1\n" % n for n in range(50_000)),
    }.items():
        yield f"{name}.csv", data
        yield f"{name}.jsonl", data
    for name, data in {
        "array": b'[{"id": "p1", "caption": "la"}]',
        "deep": b'{"id": ' + b"[" * 100_000 + b"]" * 100_000 + b"}",
        "number": b'{"id": ' + b"1" * 5_000 + b', "caption": "la"}',
        "float": b'{"id": 1e999, "caption": "la"}',
        "nan": b'{"id": NaN, "caption": "la", "label": Infinity}',
        "half": b'{"\\ud800": 1, "caption": "\\udfff"}',
        "half-column": b'{"\\ud800": 1}',
        "keys": b'{"caption": "la", "caption": "li", "": 3}',
        "kinds": b'{"id": [1], "caption": {"a": 1}, "label": null, "image": false}',
        "strings": b'"la"\n"li"',
    }.items():
        yield f"{name}.jsonl", data
        yield f"{name}.json", data
        yield f"{name}.csv", data
    yield "three.csv", sound["csv"] * 3
    yield "no-ending", sound["csv"]
    yield "ending.xlsx", sound["csv"]


def columns():
    """Yield Parquet of other types, and such that unfolds to something large."""
    kinds = {
        "lists": [["la"]] * 4,
        "structs": [{"a": 1}] * 4,
        "bytes": [b"\xff\xfe"] * 4,
        "numbers": [1.5, float("nan"), float("inf"), -0.0],
        "nothing": pyarrow.nulls(4),
        "no-rows": pyarrow.array([], pyarrow.string()),
    }
    for name, values in kinds.items():
        stream = io.BytesIO()
        parquet.write_table(pyarrow.table({"caption": values}), stream)
        yield f"{name}.parquet", stream.getvalue()
    stream = io.BytesIO()
    text = "la " * 40_000
    parquet.write_table(pyarrow.table({"caption": [text] * 10_000}), stream)
    yield "unfolds.parquet", stream.getvalue()
    stream = io.BytesIO()
    table = pyarrow.table([["la"], ["li"]], ["caption", "caption"])
    parquet.write_table(table, stream)
    yield "same-names.parquet", stream.getvalue()
