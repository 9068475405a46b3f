import os
import random
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import soundfile
from PIL import Image

from keras_jtav.config import TASKS, DataOptions
from keras_jtav.data.check import check_table
from keras_jtav.data.check_report import CheckReport, Finding, Summary
from keras_jtav.data.manifest import read_manifest
from keras_jtav.data.post import Post
from keras_jtav.data.splits import split_posts
from keras_jtav.data.tables import write_table
from keras_jtav.data.task_rules import (
    modality_problem,
    post_problem,
    split_problem,
)
from keras_jtav.experiments import preset_config
from keras_jtav.options import TASK_SPLITS
from keras_jtav.preparation import prepare, silent

NUM_POSTS = 42
SUFFIXES = ("wav", "ogg", "mp3")
LENIENT = DataOptions(max_rejected=0.5)


@pytest.fixture(scope="session")
def media(tmp_path_factory):
    """Small real files: 42 pictures, one recording for each of 14 songs."""
    folder = tmp_path_factory.mktemp("media")
    draw = np.random.default_rng(0)
    for n in range(NUM_POSTS):
        pixels = draw.integers(0, 256, (12, 16, 3), np.uint8)
        Image.fromarray(pixels).save(folder / f"{n}.png")
        if n % 3 == 0:
            sound = draw.normal(0, 0.1, 8_000)
            soundfile.write(folder / f"s{n // 3}.{SUFFIXES[n // 3 % 3]}", sound, 8_000)
    return folder


@pytest.fixture
def table(media, tmp_path):
    """A sound table and its folder: rows by id, 14 songs with 3 posts each."""
    for file in media.iterdir():
        (tmp_path / file.name).write_bytes(file.read_bytes())
    rows = {}
    for n in range(NUM_POSTS):
        song = n // 3
        rows[f"p{n}"] = {
            "id": f"p{n}",
            "image": f"{n}.png",
            "audio": f"s{song}.{SUFFIXES[song % 3]}",
            "caption": f"happy {n}",
            "label": ("sad", "glad")[song % 2],
            "song": f"song {song}",
        }
    return tmp_path, rows


def check(folder, rows, task=None, data=LENIENT, **kwargs):
    rows = list(rows.values())
    columns = list(dict.fromkeys(name for row in rows for name in row))
    rows = [{name: row.get(name, "") for name in columns} for row in rows]
    write_table(folder / "posts.csv", columns, rows)
    return check_table(folder / "posts.csv", task, data, **kwargs)


def found(report):
    return {(f.severity, f.kind, f.row, Path(f.file).name) for f in report.findings}


def cut(path):
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


def test_a_sound_table(table):
    report = check(*table)
    assert report.findings == []
    assert not report.fatal
    assert report.summary == Summary(
        rows=42,
        posts=42,
        songs=14,
        missing={"lyrics": 42},
        classes={"glad": 21, "sad": 21},
        splits=report.summary.splits,
    )
    assert sum(report.summary.splits["retrieval"].values()) == 42
    assert "nothing found" in report.render()
    assert "sentiment: can be trained (" in report.render()


@pytest.mark.parametrize("seed", range(3))
def test_exactly_the_seeded_faults_are_found(table, seed):
    folder, rows = table
    victims = random.Random(seed).sample(sorted(rows, key=lambda i: int(i[1:])), 9)
    place = {post_id: f"row {int(post_id[1:]) + 1} ({post_id})" for post_id in rows}
    extra = {f"x{n}": {"id": f"x{n}", "label": "sad", "song": "new"} for n in range(3)}
    expected = set()

    def plant(severity, kind, file=""):
        post_id = victims.pop()
        expected.add((severity, kind, place[post_id], file))
        return post_id

    def own_sound(post_id, samples, name):
        soundfile.write(folder / name, samples, 22_050)
        rows[post_id]["audio"] = name

    rows[plant("error", "missing file", "gone.png")]["image"] = "gone.png"
    cut(folder / f"{victims[-1][1:]}.png")
    plant("error", "unreadable image", f"{victims[-1][1:]}.png")
    (folder / "page.jpg").write_text("<html>404</html>")
    rows[plant("error", "unreadable image", "page.jpg")]["image"] = "page.jpg"
    (folder / "text.mp3").write_text("no sound")
    rows[plant("error", "unreadable audio", "text.mp3")]["audio"] = "text.mp3"
    noise = np.random.default_rng(seed).normal(0, 0.1, 22_050)
    own_sound(plant("error", "unreadable audio", "cut.ogg"), noise, "cut.ogg")
    cut(folder / "cut.ogg")
    own_sound(plant("warning", "short audio", "tick.wav"), noise[:9_000], "tick.wav")
    own_sound(plant("warning", "silent audio", "hush.flac"), noise * 2e-4, "hush.flac")
    rows[plant("warning", "text without words")]["caption"] = "... !"
    rows[plant("info", "no text")]["caption"] = ""
    rows |= extra
    rows["x0"] |= {"caption": "la", "id": "p7"}
    rows["x1"] |= {"caption": "la", "split": "dev"}
    place |= {"x0": "row 43 (p7)", "x1": "row 44 (x1)", "x2": "row 45 (x2)"}
    expected |= {("error", "unusable row", place[name], "") for name in extra}
    report = check(folder, rows, "sentiment", data=replace(LENIENT, split="section"))
    assert found(report) == expected
    assert report.summary.rows == 45
    assert report.summary.posts == 42 - 5
    assert not victims


def test_a_file_of_many_posts_is_read_and_named_once(table):
    folder, rows = table
    cut(folder / "s0.wav")
    (folder / "s3.wav").write_bytes((folder / "s0.wav").read_bytes())
    seen = []
    report = check(folder, rows, progress=lambda files: seen.extend(files) or files)
    assert len(seen) == len(set(seen)) == NUM_POSTS + 14
    broken = [f for f in report.findings if f.kind == "unreadable audio"]
    assert [f.row for f in broken] == [
        "row 1 (p0) and 2 more",
        "row 10 (p9) and 2 more",
    ]
    assert "ends early" in broken[0].message
    assert report.summary.posts == NUM_POSTS - 6
    assert sum(report.summary.splits["retrieval"].values()) == NUM_POSTS - 6


def parts_of(folder, data):
    posts = read_manifest(folder / "posts.csv").posts
    return split_posts(posts, data.split, data.fractions)


def test_the_same_content_on_both_sides_is_found(table):
    folder, rows = table
    check(folder, rows)
    parts = parts_of(folder, LENIENT)
    train, test = parts["train"][0].id, parts["test"][0].id
    copied = (folder / rows[train]["image"]).read_bytes()
    (folder / rows[test]["image"]).write_bytes(copied)
    report = check(folder, rows, "sentiment")
    (leak,) = report.findings
    assert (leak.severity, leak.kind) == (
        "warning",
        "same file on both sides of a split",
    )
    assert leak.row.endswith(f"({train})")
    assert leak.file.endswith(rows[train]["image"])
    assert f"({test}), {folder / rows[test]['image']}, in test: give" in leak.message
    assert not report.fatal


def test_the_same_song_and_recording_on_both_sides_of_a_given_split(table):
    folder, rows = table
    names = {0: "test", 1: "test", 2: "validation", 3: "validation"}
    for n, row in enumerate(rows.values()):
        row["split"] = names.get(n // 3, "train")
    assert check(folder, rows).findings == []
    rows["p41"]["split"] = "test"
    report = check(folder, rows)
    assert found(report) == {
        ("warning", "same song on both sides of a split", "row 40 (p39)", ""),
        ("warning", "same file on both sides of a split", "row 40 (p39)", "s13.ogg"),
    }
    assert check(folder, rows, data=replace(LENIENT, split="section")).findings == []
    rows["p41"]["split"] = ""
    report = check(folder, rows, "sentiment")
    assert report.fatal
    assert "41 of 42 posts carry a `split`" in report.render()


def test_too_many_bad_rows_are_fatal(table):
    folder, rows = table
    for n in range(3):
        rows[f"p{n}"]["image"] = "gone.png"
    strict, lenient = DataOptions(), DataOptions(max_rejected=0.08)
    assert not check(folder, rows, "sentiment", lenient).fatal
    report = check(folder, rows, "sentiment", strict)
    assert report.fatal
    assert (
        "3 of 42 rows (7.1%) cannot be used, more than --max-rejected 0.05"
        in (report.problems["sentiment"][0])
    )


def test_classes(table):
    folder, rows = table
    for n, row in enumerate(rows.values()):
        row["label"] = "sad" if n % 14 == 0 else "glad"
    report = check(folder, rows, "sentiment")
    assert ("warning", "class balance", "table", "") in found(report)
    rows["p0"]["label"] = rows["p14"]["label"] = "glad"
    report = check(folder, rows, "sentiment")
    assert "class 'sad' has 1 usable posts; needs 3" in report.problems["sentiment"][0]
    rows["p28"]["label"] = "glad"
    report = check(folder, rows, "sentiment")
    assert report.fatal
    assert "class 'not glad' has 0 usable posts" in report.render()


def test_songs(table):
    folder, rows = table
    rows["p0"] |= {"song": "alone", "audio": "", "lyrics": "la"}
    report = check(folder, rows, "retrieval")
    assert found(report) == {("info", "song with one query", "row 1 (p0)", "")}
    for n, row in enumerate(rows.values()):
        row["song"] = f"song {n % 2}"
    report = check(folder, rows, "retrieval")
    assert "2 usable songs; needs 3 or more" in report.problems["retrieval"]


def test_posts_that_a_task_cannot_use(table):
    folder, rows = table
    rows["p0"]["label"] = rows["p4"]["song"] = rows["p4"]["audio"] = ""
    for n in range(6, 9):
        rows[f"p{n}"]["audio"] = ""
    assert found(check(folder, rows, "sentiment")) == {
        ("warning", "not for sentiment", "row 1 (p0)", "")
    }
    report = check(folder, rows, "retrieval")
    assert {f.row for f in report.findings if f.kind == "not for retrieval"} == {
        "row 5 (p4)",
        *(f"row {n + 1} (p{n})" for n in range(6, 9)),
    }
    rows["p6"]["lyrics"] = "la la"  # lyrics of one post are those of its song
    report = check(folder, rows, "retrieval")
    kinds = [f.row for f in report.findings if f.kind == "not for retrieval"]
    assert kinds == ["row 5 (p4)"]


def test_without_a_task_one_that_works_is_enough(table):
    folder, rows = table
    for row in rows.values():
        row["song"] = ""
    report = check(folder, rows)
    assert not report.fatal
    assert report.problems["retrieval"] == ["no usable row has a song: fill `song`"]
    for row in rows.values():
        row["label"] = ""
    assert check(folder, rows).fatal


def test_a_split_that_fails_is_fatal(table):
    folder, rows = table
    two = {name: rows[name] for name in ("p0", "p3")}
    report = check(folder, two, "retrieval")
    assert any("leaves none for" in text for text in report.problems["retrieval"])
    for row in rows.values():
        row["split"] = "train" if row["label"] == "glad" else "test"
    report = check(folder, rows, "sentiment")
    assert any("split holds" in text for text in report.problems["sentiment"])


def test_columns_that_look_like_known_ones_are_named(table):
    folder, rows = table
    for row in rows.values():
        row["lyric"] = "la"
    report = check(folder, rows)
    assert found(report) == {("warning", "ignored column", "table", "")}


def test_an_unreadable_table_is_a_finding(tmp_path):
    report = check_table(tmp_path / "posts.csv")
    assert report.fatal
    assert "There is no table" in report.findings[0].message
    (tmp_path / "posts.csv").write_text("a,b\n1,2\n")
    report = check_table(tmp_path / "posts.csv", "retrieval")
    assert report.fatal
    assert "needs at least one of the columns" in report.render()


def test_an_unknown_task_is_refused(tmp_path):
    with pytest.raises(ValueError, match="one of sentiment, retrieval; received 'x'"):
        check_table(tmp_path / "posts.csv", "x")


def test_render_shows_twenty_lines_a_kind():
    findings = [
        Finding("info", f"row {n}", "", "has no text", "no text") for n in range(25)
    ]
    findings.append(Finding("error", "row 3", "a.png", "is not there", "missing file"))
    text = CheckReport("posts.csv", findings, Summary(), {"sentiment": ["no"]}).render()
    assert text.index("error: missing file (1)") < text.index("info: no text (25)")
    assert "  row 3, a.png: is not there\n" in text
    assert text.count("has no text") == 20
    assert text.endswith("  ... and 5 more")
    assert "sentiment: training would fail\n  no\n" in text


def test_rules_of_the_tasks():
    def song(**kwargs):
        return Post("p1", song="s", **kwargs)

    picture, sound = Path("a.png"), Path("a.wav")
    assert post_problem(song(image=picture, audio=sound), "retrieval") == ""
    assert "nor lyrics" in post_problem(song(image=picture), "retrieval")
    assert "nor caption" in post_problem(song(audio=sound), "retrieval")
    assert "names no song" in post_problem(Post("p1", audio=sound), "retrieval")
    assert post_problem(Post("p1", audio=sound, label=0), "sentiment") == ""
    good = [replace(song(audio=sound), label=n, song=f"s{n}") for n in range(2)]
    for task in ("sentiment", "retrieval"):
        assert split_problem({"train": good, "test": good}, task) == ""
    parts = {"train": [*good, *good], "test": good[:1]}
    message = split_problem(parts, "sentiment", ("sad", "glad"))
    assert "test split holds 1 sad and 0 glad posts: add posts of the absent" in message


def test_a_class_that_cannot_be_in_every_split_is_named():
    posts = [Post(f"p{n}", {"caption": "la"}, label=int(n > 8)) for n in range(10)]
    parts = split_posts(posts, "random")
    message = split_problem(parts, "sentiment", ("sad", "glad"))
    assert message == (
        "the class 'glad' has 1 post, and each of train, validation, test needs one: "
        "add posts of this class"
    )


def test_songs_that_a_system_cannot_perceive_are_named():
    def post(name, **kwargs):
        return Post(name, {"lyrics": "la"}, song=f"song {name}", **kwargs)

    picture, sound = Path("a.png"), Path("a.wav")
    posts = [post("a", image=picture, audio=sound), post("b", image=picture)]
    assert modality_problem(posts, ("text", "image"), 0) == ""
    assert modality_problem(posts, ("audio", "image"), 0.5) == ""
    message = modality_problem(posts, ("audio", "image"), 0.4)
    assert message.startswith("the song 'song b' of post 'b' has no audio, and")
    assert "modalities=audio,image" in message
    assert "1 of 2 posts" in message
    assert "the query of post 'c' has no image and no caption" in modality_problem(
        [post("c", audio=sound)], ("text", "audio", "image"), 0
    )


def test_what_is_no_plain_file_or_too_large_is_named(table):
    folder, rows = table
    os.mkfifo(folder / "pipe.png")  # opening it would wait for a writer
    rows["p0"]["image"] = "pipe.png"
    sparse = folder / "sparse.wav"
    with open(sparse, "wb") as file:
        file.truncate(10**12)
    rows["p2"]["audio"] = "sparse.wav"
    assert found(check(folder, rows, "sentiment")) == {
        ("error", "missing file", "row 1 (p0)", "pipe.png"),
        ("error", "unreadable audio", "row 3 (p2)", "sparse.wav"),
    }


def test_paths_that_look_right_are_findings_that_say_why(table):
    folder, rows = table
    (folder / "\u00fc.png").write_bytes((folder / "0.png").read_bytes())
    rows["p0"]["image"] = "u\u0308.png"
    rows["p1"]["image"] = r"images\1.png"
    rows["p2"]["image"] = "https://cdn.example/2.png"
    report = check(folder, rows, "sentiment")
    messages = {f.row: f"{f.file}: {f.message}" for f in report.findings}
    assert "the other Unicode form" in messages["row 1 (p0)"]
    assert "write / in place of" in messages["row 2 (p1)"]
    assert messages["row 3 (p2)"].startswith("https://cdn.example/2.png: is a URL")
    assert len(report.findings) == 3


def test_ids_that_are_numbers_name_their_rows(table):
    folder, rows = table
    for number, row in enumerate(rows.values()):
        row["id"] = 1_000.0 + number
    rows["p3"]["image"] = "gone.png"
    rows["p5"]["id"] = ["no text"]
    columns = list(rows["p0"])
    write_table(folder / "posts.jsonl", columns, list(rows.values()))
    report = check_table(folder / "posts.jsonl", "sentiment", LENIENT)
    assert found(report) == {
        ("error", "missing file", "row 4 (1003)", "gone.png"),
        ("error", "unusable row", "row 6", ""),
    }


def test_files_outside_of_the_folder_are_findings(table, tmp_path_factory):
    folder, rows = table
    elsewhere = tmp_path_factory.mktemp("elsewhere") / "0.png"
    elsewhere.write_bytes((folder / "0.png").read_bytes())
    rows["p0"]["image"] = str(elsewhere)
    report = check(folder, rows, "sentiment")
    assert found(report) == {("error", "unusable row", "row 1 (p0)", "0.png")}
    assert "allow such files with --outside" in report.render()
    lenient = replace(LENIENT, outside=True)
    assert found(check(folder, rows, "sentiment", lenient)) == set()


def as_it_is(rows):
    pass


def no_words(rows):
    for row in rows.values():
        row["caption"] = ""


def two_groups(rows):
    for number, row in enumerate(rows.values()):
        row["group"] = f"author {number // 30}"


def one_class(rows):
    for row in rows.values():
        row["label"] = "glad"


def few_songs(rows):
    for row in rows.values():
        row["song"] = f"song {len(row['audio']) % 2}"


@pytest.mark.parametrize("task", TASKS)
@pytest.mark.parametrize(
    "spoil", [as_it_is, no_words, two_groups, one_class, few_songs]
)
def test_the_verdict_is_that_of_training(table, spoil, task):
    folder, rows = table
    spoil(rows)
    fatal = check(folder, rows, task, data=None).fatal
    manifest = ["dataset=manifest", f"dataset.path={folder / 'posts.csv'}"]
    config = preset_config(task, "small").override(manifest)
    try:
        prepare(config, silent)
    except ValueError:
        assert fatal
    else:
        assert not fatal


def test_words_are_needed_only_where_they_are_trained(table):
    folder, rows = table
    no_words(rows)
    (problem,) = check(folder, rows, "sentiment").problems["sentiment"]
    assert "posts of the training split hold no word" in problem
    report = check(folder, rows, "sentiment", trains_words=False)
    assert report.problems == {"sentiment": []}


def test_a_system_that_perceives_nothing_of_a_split_is_refused(table):
    folder, rows = table
    for row in rows.values():
        row["audio"] = ""
    check(folder, rows, "sentiment")
    manifest = ["dataset=manifest", f"dataset.path={folder / 'posts.csv'}"]
    config = preset_config("sentiment", "small").override(manifest)
    with pytest.raises(ValueError, match="no post of the train split has audio, and"):
        prepare(config.override(["modalities=audio"]), silent)
    prepare(config.override(["modalities=text,audio"]), silent)


@pytest.mark.parametrize(
    ("task", "lacking", "modalities", "texts", "why"),
    [
        ("sentiment", "audio", ("audio",), ("caption",), "split has audio"),
        ("sentiment", "", ("text",), ("lyrics",), "split has lyrics or caption"),
        ("retrieval", "", ("text", "image"), ("lyrics", "caption"), "has no lyrics"),
    ],
)
def test_the_verdict_is_that_of_the_settings(
    table, task, lacking, modalities, texts, why
):
    folder, rows = table
    for row in rows.values():
        row |= {lacking: ""} if lacking else {}
    data = replace(LENIENT, split=TASK_SPLITS[task], texts=texts)
    report = check(folder, rows, task, data, modalities=modalities, trains_words=False)
    (problem,) = report.problems[task]
    assert why in problem
    settings = [
        *("dataset=manifest", f"dataset.path={folder / 'posts.csv'}"),
        *(f"modalities={','.join(modalities)}", f"data.texts={','.join(texts)}"),
    ]
    with pytest.raises(ValueError, match=why):
        prepare(preset_config(task, "small").override(settings), silent)


def test_texts_that_are_not_read_leave_nothing_of_some_posts(table):
    folder, rows = table
    for row in list(rows.values())[:3]:
        row |= {"image": "", "audio": "", "song": f"own of {row['id']}"}
    report = check(folder, rows, "sentiment", replace(LENIENT, texts=("lyrics",)))
    dropped = {where for _, kind, where, _ in found(report) if kind == "no content"}
    assert dropped == {"row 1 (p0)", "row 2 (p1)", "row 3 (p2)"}
    strict = replace(LENIENT, texts=("lyrics",), max_rejected=0.05)
    assert "3 of 42 rows (7.1%)" in check(folder, rows, "sentiment", strict).render()


def test_as_many_bad_rows_as_are_allowed_are_no_problem(table):
    folder, rows = table
    for row in list(rows.values())[:2]:
        row["label"] = ""
    rows = dict(list(rows.items())[:40])  # 2 of 40 are .05; 1 - 38 / 40 is more
    for allowed, fails in ((0.05, False), (0.049, True)):
        data = replace(LENIENT, max_rejected=allowed)
        assert check(folder, rows, "sentiment", data).fatal is fails


def test_other_versions_of_a_song_are_named(table):
    folder, rows = table
    rows["p1"]["audio"] = "s1.ogg"
    rows["p0"]["lyrics"], rows["p2"]["lyrics"] = "la la", "la"
    report = check(folder, rows, "retrieval")
    assert {item for item in found(report) if item[1].startswith("other")} == {
        ("warning", "other audio of a song", "row 2 (p1)", ""),
        ("warning", "other lyrics of a song", "row 3 (p2)", ""),
    }
    assert "that of row 1 (p0), which stands for the song 'song 0'" in report.render()


def test_a_table_without_a_usable_file_is_not_said_to_lack_labels(table):
    folder, rows = table
    for row in rows.values():
        row["image"] = f"away/{row['id']}.png"
    for problems in check(folder, rows).problems.values():
        assert problems == ["no post can be used; the findings say why"]


def test_labels_that_are_no_two_classes_are_a_problem_of_sentiment(table):
    folder, rows = table
    for number, row in enumerate(rows.values()):
        row["label"] = ("EMI", "Sony", "Columbia")[number % 3]
    larger = replace(LENIENT, fractions=(0.6, 0.2, 0.2))  # two songs a part
    report = check(folder, rows, data=larger)
    assert "`label` has 3 values" in report.problems["sentiment"][0]
    assert report.problems["retrieval"] == []
    assert report.summary.posts == 42
    assert not check(folder, rows, "retrieval", larger).fatal
    assert check(folder, rows, "sentiment", larger).fatal
