import csv
import os

import pytest

from keras_jtav.data.tables import read_table, write_table

ROWS = [
    {"id": "p1", "caption": 'so "happy", he\nsaid — 嬉しい'},
    {"id": "NA", "caption": "007"},
]


@pytest.mark.parametrize("suffix", [".csv", ".jsonl", ".json", ".parquet", ".CSV"])
def test_round_trip(tmp_path, suffix):
    path = tmp_path / "new" / f"table{suffix}"
    write_table(path, ["id", "caption"], ROWS)
    assert read_table(path) == (["id", "caption"], ROWS)
    assert os.listdir(path.parent) == [path.name]


def test_a_failed_write_leaves_the_old_file(tmp_path):
    path = tmp_path / "table.jsonl"
    write_table(path, ["id"], ROWS)
    with pytest.raises(TypeError):
        write_table(path, ["id"], [{"id": "new"}, {"id": object()}])
    assert read_table(path)[1] == [{"id": "p1"}, {"id": "NA"}]
    assert os.listdir(tmp_path) == ["table.jsonl"]


def test_byte_order_mark_blank_lines_and_blanks_in_the_header(tmp_path):
    path = tmp_path / "excel.csv"
    path.write_bytes("\ufeffid , caption\r\n\r\np1,la\r\n".encode())
    assert read_table(path) == (["id", "caption"], [{"id": "p1", "caption": "la"}])


def test_short_and_long_csv_rows(tmp_path):
    path = tmp_path / "ragged.csv"
    path.write_text("id,caption\np1\np2,la,li\n")
    assert read_table(path)[1] == [
        {"id": "p1", "caption": None},
        {"id": "p2", "caption": "la", None: ["li"]},
    ]


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        (
            "a.txt",
            b"id",
            "ends in one of .csv, .jsonl, .json, .parquet; received '.txt'",
        ),
        ("a", b"id", "received 'no ending'"),
        ("a.csv", b"id,caption\np1,la\np2,caf\xe9\n", "not UTF-8: line 3 has .* 0xe9"),
        ("a.csv", b'id,caption\np1,"la\n', "broken CSV near line 2 .* quotation mark"),
        ("a.csv", b'id,caption\np1,"la" x\np2,la\n', "near line 2 "),
        ("a.csv", b'id,caption\np1,"la\nla"\np2,"li\np3,la\n', "near line 4 "),
        ("a.csv", b'id,"caption\np1,la\n', "near line 1 "),
        ("a.csv", b"id,id\n1,2\n", "the column 'id' twice"),
        ("a.jsonl", b'{"id": 1}\n\n{"id": \n', "line 3, is no JSON object"),
        ("a.json", b'[{"id": 1}]', "line 1, is no JSON object. Write one object per"),
        ("a.jsonl", b'{"id": ' + b"1" * 5_000 + b"}", "line 1, is no JSON object"),
        ("a.jsonl", b'{"\\ud800": 1}', r"a column '\\ud800' with half a character"),
        ("a.parquet", b"PAR1 no", "cannot be read as Parquet"),
    ],
)
def test_read_refuses(tmp_path, name, content, message):
    (tmp_path / name).write_bytes(content)
    with pytest.raises(ValueError, match=message):
        read_table(tmp_path / name)


def test_read_names_an_absent_file(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"There is no table .*posts\.csv"):
        read_table(tmp_path / "posts.csv")


def test_write_refuses_another_ending(tmp_path):
    with pytest.raises(ValueError, match=r"received '\.xlsx'"):
        write_table(tmp_path / "a.xlsx", ["id"], [{"id": "1"}])


def test_long_texts_are_read(tmp_path):
    text = "la " * 400_000
    for suffix in (".csv", ".jsonl", ".parquet"):
        path = tmp_path / f"long{suffix}"
        write_table(path, ["lyrics"], [{"lyrics": text}])
        assert read_table(path)[1] == [{"lyrics": text}]
    assert csv.field_size_limit() == 131_072


def test_parquet_whose_text_is_not_utf_8_is_named(tmp_path):
    path = tmp_path / "a.parquet"
    write_table(path, ["id"], [{"id": "la la la"}])
    path.write_bytes(path.read_bytes().replace(b"la la la", b"la \xb5\xff la"))
    with pytest.raises(ValueError, match=r"a\.parquet cannot be read as Parquet"):
        read_table(path)


def test_what_a_table_unfolds_to_counts(tmp_path):
    path = tmp_path / "bomb.parquet"
    text = "la " * 1_000
    write_table(path, ["lyrics"], [{"lyrics": text}] * 100_000)
    assert path.stat().st_size < 100_000
    with pytest.raises(ValueError, match="more than 5000000 bytes"):
        read_table(path, max_bytes=5_000_000)


def test_several_row_groups_keep_their_order(tmp_path, monkeypatch):
    monkeypatch.setattr("keras_jtav.data.tables.ROWS_AT_ONCE", 2)
    rows = [{"id": str(number)} for number in range(5)]
    write_table(tmp_path / "a.parquet", ["id"], rows)
    assert read_table(tmp_path / "a.parquet")[1] == rows
