import json
from dataclasses import replace
from pathlib import Path

import pyarrow
import pytest
from pyarrow import parquet

from keras_jtav.config import Component
from keras_jtav.data import load_posts
from keras_jtav.data.manifest import read_manifest, write_manifest, write_rejections
from keras_jtav.data.post import Post, Rejection
from keras_jtav.data.tables import read_table


def write(folder, text, name="posts.csv"):
    path = folder / name
    path.write_text(text, encoding="utf-8")
    return path


def labelled(folder, labels):
    rows = "".join(f"la,{label}\n" for label in labels)
    return write(folder, "caption,label\n" + rows)


def test_reads_every_column_and_ignores_others(tmp_path):
    (tmp_path / "media").mkdir()
    for name in ("a.png", "a.wav"):
        (tmp_path / "media" / name).touch()
    path = write(
        tmp_path,
        "id,image,audio,lyrics,caption,label,song,split,group,likes\n"
        'p1,media/a.png,media/a.wav," la, la ",NA,1,s1,Train,g1,17\n',
    )
    table = read_manifest(path)
    assert table.posts == [
        Post(
            "p1",
            {"lyrics": "la, la", "caption": "NA"},
            audio=tmp_path / "media" / "a.wav",
            image=tmp_path / "media" / "a.png",
            label=1,
            song="s1",
            split="train",
            group="g1",
        )
    ]
    assert table.rejections == []


def test_rows_without_an_id_column_are_counted(tmp_path):
    table = read_manifest(write(tmp_path, "caption\nla\n,\nli\n"))
    assert [post.id for post in table.posts] == ["row-1", "row-3"]
    assert table.rejections[0].row == "row 2 (row-2)"


@pytest.fixture
def around(tmp_path):
    """A table that names files inside of its folder and outside, in all ways."""
    folder = tmp_path / "inside"
    (folder / "media").mkdir(parents=True)
    (folder / "media" / "in.png").touch()
    (tmp_path / "out.png").touch()
    (tmp_path / "inside-not").mkdir()
    (tmp_path / "inside-not" / "near.png").touch()
    (folder / "link.png").symlink_to("media/in.png")
    (folder / "leads-out.png").symlink_to("../out.png")
    (folder / "up").symlink_to("..")
    inside = ["media/in.png", "media/../media/in.png", f"{folder}/media/in.png"]
    inside += ["link.png", "../inside/media/in.png"]
    outside = ["../out.png", f"{tmp_path}/out.png", "leads-out.png", "up/out.png"]
    outside += ["media/../../out.png", "../inside-not/near.png"]
    names = [*inside, *outside]
    rows = [f"p{number},{name}" for number, name in enumerate(names)]
    return write(folder, "\n".join(["id,image", *rows])), inside, outside


def test_files_outside_of_the_folder_are_rejected_by_name(around):
    path, inside, outside = around
    table = read_manifest(path)
    assert [post.image for post in table.posts] == [path.parent / n for n in inside]
    assert [r.file for r in table.rejections] == [str(path.parent / n) for n in outside]
    assert {r.reason for r in table.rejections} == {
        "lies outside of the table's folder: move the file there, or allow such files "
        "with --outside (in Python: outside=True)"
    }


def test_a_file_outside_that_is_not_there_says_nothing_about_the_disk(tmp_path):
    path = write(tmp_path, f"image\n{tmp_path.parent}/gone.png\n")
    assert "lies outside" in read_manifest(path).rejections[0].reason


def test_files_outside_are_read_where_that_is_allowed(around):
    path, inside, outside = around
    table = read_manifest(path, outside=True)
    assert len(table.posts) == len(inside) + len(outside)
    assert table.rejections == []


def test_the_folder_itself_may_be_a_link(around, tmp_path):
    path, inside, _ = around
    (tmp_path / "linked").symlink_to(path.parent)
    assert len(read_manifest(tmp_path / "linked" / path.name).posts) == len(inside)


def test_a_path_with_a_zero_byte_is_named(tmp_path):
    path = write(tmp_path, "id,image\np1,a\0b.png\n")
    (rejection,) = read_manifest(path).rejections
    assert "a zero byte" in rejection.reason


def test_a_table_may_not_be_larger_than_allowed(tmp_path):
    path = write(tmp_path, "caption\nla\n")
    assert len(read_manifest(path, max_table_bytes=11).posts) == 1
    with pytest.raises(ValueError, match=r"more than 10 bytes.*data\.max_table_bytes"):
        read_manifest(path, max_table_bytes=10)


@pytest.mark.parametrize(
    ("row", "reason", "file"),
    [
        ("p2,gone.png,la,,", "is not there or not a file", "gone.png"),
        ("p2,.,la,,", "is not there or not a file", ""),
        (f"p2,{'x' * 5000},la,,", "is not there or not a file", "xxx"),
        ("p2,a\\b.png,la,,", "is not there: write / in place of", "b.png"),
        ("p1,,la,,", "duplicate id, taken by row 1", ""),
        (",,la,,", "A post needs an `id`", ""),
        ("p2,,,,", "has no text, no audio and no image", ""),
        ("p2,,la,dev,", "`split` must be train, validation, test or empty", ""),
        ("p2,,la,,,li", "1 cells more than the header", ""),
    ],
)
def test_bad_rows_are_rejected_and_the_others_kept(tmp_path, row, reason, file):
    path = write(tmp_path, f"id,image,caption,split,label\np1,,la,,\n{row}\np3,,la,,\n")
    table = read_manifest(path)
    assert [post.id for post in table.posts] == ["p1", "p3"]
    (rejection,) = table.rejections
    assert rejection.row.startswith("row 2")
    assert reason in rejection.reason
    assert file in rejection.file
    assert bool(rejection.file) == reason.startswith("is not there")


@pytest.mark.parametrize("missing_files", ["reject", "keep"])
def test_urls_are_named_as_given_and_not_fetched(tmp_path, missing_files):
    urls = ["https://cdn.example/a//b.png?u=http://x/y", "s3://songs/a.mp3"]
    path = write(tmp_path, f"id,image,audio\np1,{urls[0]},\np2,,{urls[1]}\n")
    table = read_manifest(path, missing_files)
    assert table.posts == []
    assert [rejection.file for rejection in table.rejections] == urls
    assert {rejection.reason for rejection in table.rejections} == {
        "is a URL, and nothing is downloaded: save the file, give its path, or drop "
        "the row"
    }


def test_cells_that_are_no_text_are_rejected(tmp_path):
    rows = [
        {"id": 1, "caption": "la", "label": True},
        {"id": 2.0, "caption": "la", "label": None},
        {"id": 3, "caption": ["la"]},
        {"id": 4, "caption": "la", "label": {"mood": 1}},
        {"id": 5, "caption": "\ud800"},
    ]
    lines = "\n".join(json.dumps(row) for row in rows)
    table = read_manifest(write(tmp_path, lines, "posts.jsonl"))
    assert [(post.id, post.label) for post in table.posts] == [("1", 1), ("2", None)]
    reasons = [rejection.reason for rejection in table.rejections]
    assert "`caption` holds a list: give text" in reasons[0]
    assert "`label` holds a dict" in reasons[1]
    assert "half a character" in reasons[2]


def test_parquet_numbers(tmp_path):
    columns = {"id": [1, 2], "caption": ["la", "li"], "label": [0.0, None]}
    parquet.write_table(pyarrow.table(columns), tmp_path / "posts.parquet")
    posts = read_manifest(tmp_path / "posts.parquet").posts
    assert [(post.id, post.label) for post in posts] == [("1", 0), ("2", None)]


def test_labels_of_csv_are_those_of_parquet(tmp_path):
    for labels in ([0.0, None, 1.0], [2.0, None, 3.0]):
        columns = {"caption": ["la"] * 3, "label": labels}
        parquet.write_table(pyarrow.table(columns), tmp_path / "posts.parquet")
        columns = ["" if label is None else str(label) for label in labels]
        table = read_manifest(labelled(tmp_path, columns))
        assert table == read_manifest(tmp_path / "posts.parquet")
        assert [post.label for post in table.posts] == [0, None, 1]


@pytest.mark.parametrize(
    ("words", "labels", "names"),
    [
        ("0 1", [0, 1], ("negative", "positive")),
        ("Positive NEGATIVE", [1, 0], ("negative", "positive")),
        ("pos neg pos", [1, 0, 1], ("negative", "positive")),
        ("True FALSE", [1, 0], ("negative", "positive")),
        ("1 1", [1, 1], ("negative", "positive")),
        ("sad glad sad", [1, 0, 1], ("glad", "sad")),
        ("sad sad", [1, 1], ("not sad", "sad")),
        ("mad mad", [0, 0], ("mad", "not mad")),
    ],
)
def test_labels(tmp_path, words, labels, names):
    table = read_manifest(labelled(tmp_path, words.split()))
    assert [post.label for post in table.posts] == labels
    assert table.class_names == names


def test_empty_labels_are_unknown(tmp_path):
    table = read_manifest(labelled(tmp_path, ["", "sad", " ", "glad"]))
    assert [post.label for post in table.posts] == [None, 1, None, 0]


@pytest.mark.parametrize("pair", [("0", "1"), ("glad", "sad")])
def test_a_few_slips_among_labels_are_rejected(tmp_path, pair):
    table = read_manifest(labelled(tmp_path, [*pair * 10, "maybe"]))
    assert len(table.posts) == 20
    assert "the label 'maybe' is neither" in table.rejections[0].reason


def test_more_than_two_labels_are_refused_with_counts(tmp_path):
    path = labelled(tmp_path, "abbcccddddefghij")
    with pytest.raises(
        ValueError,
        match=r"has 10 values, expected two classes: 'd' \(4\), 'c' \(3\), 'b' \(2\), "
        r"'a' \(1\), 'e' \(1\), 'f' \(1\), 'g' \(1\), 'h' \(1\) and more. Keep two",
    ):
        read_manifest(path)


@pytest.mark.parametrize(
    "labels",
    [["Apple", "Blue Note", "Motown"], [*("glad", "sad") * 20, "maybe"], [{"a": 1}]],
)
def test_retrieval_takes_labels_that_are_no_classes_for_absent(tmp_path, labels):
    rows = [{"id": f"p{n}", "caption": "la", "label": x} for n, x in enumerate(labels)]
    lines = "\n".join(json.dumps(row) for row in rows)
    table = read_manifest(write(tmp_path, lines, "a.jsonl"), task="retrieval")
    assert [post.label for post in table.posts] == [None] * len(labels)
    assert table.rejections == []


def test_the_task_of_a_run_reaches_the_table(tmp_path):
    dataset = Component("manifest", {"path": str(labelled(tmp_path, "abc"))})
    assert len(load_posts(dataset, {"task": "retrieval"}).posts) == 3
    with pytest.raises(ValueError, match="has 3 values"):
        load_posts(dataset, {"task": "sentiment"})


def test_retrieval_keeps_labels_that_are_classes(tmp_path):
    path = labelled(tmp_path, ["sad", "", "glad"])
    posts = read_manifest(path, task="retrieval").posts
    assert [post.label for post in posts] == [1, None, 0]


def test_answering_reads_neither_label_nor_split(tmp_path):
    text = "caption,label,split\nla,a,val\nli,b,dev\nlo,c,train\n"
    path = write(tmp_path, text)
    posts = read_manifest(path, task=None).posts
    assert [(post.label, post.split) for post in posts] == [(None, None)] * 3
    text = text.replace(",b,", ",a,").replace(",c,", ",a,")
    rejections = read_manifest(write(tmp_path, text), task="retrieval").rejections
    assert [rejection.row[:5] for rejection in rejections] == ["row 1", "row 2"]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (
            "id,pictures,captions\n1,2,3\n",
            "found id, pictures, captions. Known columns: id, image, audio.*"
            "'captions' is ignored: did you mean 'caption'",
        ),
        ("id;image;caption\n1;2;3\n", "Separate the columns with commas"),
        ("", "found none"),
        ("id,caption\n", "has no rows. Add one row per post"),
    ],
)
def test_read_refuses(tmp_path, text, message):
    with pytest.raises(ValueError, match=message):
        read_manifest(write(tmp_path, text))


def test_read_refuses_an_unknown_way_with_missing_files(tmp_path):
    with pytest.raises(ValueError, match="one of reject, keep; received 'drop'"):
        read_manifest(tmp_path / "posts.csv", missing_files="drop")


def test_a_column_that_looks_like_a_known_one_is_named(tmp_path, caplog):
    read_manifest(write(tmp_path, "caption,Image\nla,a.png\n"))
    assert "column 'Image' is ignored: did you mean 'image'?" in caplog.text


def test_missing_files_can_be_kept(tmp_path):
    path = write(tmp_path, "image\ngone.png\n")
    (post,) = read_manifest(path, missing_files="keep").posts
    assert post.image == tmp_path / "gone.png"


@pytest.mark.parametrize("suffix", [".csv", ".jsonl", ".parquet"])
@pytest.mark.parametrize("names", [("negative", "positive"), ("glad", "sad")])
def test_round_trip(tmp_path, suffix, names, monkeypatch):
    (tmp_path / "table").mkdir()
    for name in ("table/a.png", "b.wav"):
        (tmp_path / name).touch()
    posts = [
        Post(
            "p1", {"caption": 'one "two",\nthree'}, image=tmp_path / "table" / "a.png"
        ),
        Post("p2", {"lyrics": "NA"}, audio=tmp_path / "b.wav", label=0, group="g"),
        Post("p3", {"lyrics": "嬉しい"}, label=1, song="s", split="test"),
    ]
    path = tmp_path / "table" / f"posts{suffix}"
    write_manifest(posts, path, names)
    table = read_manifest(path, outside=True)
    assert table.posts == posts
    assert table.class_names == names
    columns, rows = read_table(path)
    assert columns == [
        "id", "image", "audio", "lyrics", "caption", "label", "song", "split", "group"
    ]  # fmt: skip
    assert rows[0]["image"] == "a.png"
    monkeypatch.chdir(tmp_path)
    posts[0] = replace(posts[0], image=Path("table", "a.png"))
    write_manifest(posts, Path("table", f"again{suffix}"), names)
    assert read_table(Path("table", f"again{suffix}")) == (columns, rows)


def test_columns_that_no_post_fills_are_left_out(tmp_path):
    write_manifest([Post("p1", {"caption": "la"})], tmp_path / "posts.csv")
    assert (tmp_path / "posts.csv").read_text() == "id,caption\np1,la\n"


def test_write_refuses(tmp_path):
    with pytest.raises(ValueError, match=r"read back the other way round\. Swap them"):
        write_manifest([], tmp_path / "posts.csv", ("pos", "neg"))
    with pytest.raises(ValueError, match="There are no posts to write to"):
        write_manifest([], tmp_path / "posts.csv")


def test_a_rejected_file_is_named_once():
    path = Path("a b.wav")
    rejection = Rejection.of_file(
        Post("p3", audio=path), path, ValueError(f"{path}: is cut.")
    )
    assert str(rejection) == "post p3 a b.wav: is cut"
    assert str(Rejection("row 3 (p3)", "", "no label")) == "row 3 (p3): no label"


def test_rejections_are_a_table(tmp_path):
    write_rejections(
        [Rejection("row 3 (p3)", "a.png", "cut, short")], tmp_path / "bad.csv"
    )
    assert read_table(tmp_path / "bad.csv")[1] == [
        {"row": "row 3 (p3)", "file": "a.png", "reason": "cut, short"}
    ]
