import csv
from collections import Counter, defaultdict
from importlib import resources
from pathlib import Path

import pytest
from PIL import Image

from keras_jtav.data.decode import decode_audio, decode_image
from keras_jtav.data.tuxpaint import (
    KIND_LINES,
    RETRIEVAL_LANGUAGES,
    STAMPS_FOLDER,
    load_tuxpaint,
)
from keras_jtav.data.tuxpaint_stamps import read_lines, read_stamps

on_real_stamps = pytest.mark.skipif(
    not Path(STAMPS_FOLDER).exists(),
    reason=f"tuxpaint-stamps-default is not installed: no {STAMPS_FOLDER}",
)

CLIPS = ("es", "fr", "ru", "ro", "bg", "be")
FROG = "animals/amphibians/frog"
TWIN = "animals/amphibians/frog-1"  # of the frog's group
ROSELLA = "animals/birds/adelaide-rosella"
BEE = "animals/insects/bee"
LETTER = "symbols/alphabets/asl/asl_a"


def put(folder, stem, clips=CLIPS, suffix=".png", lines=None):
    """Write a stamp in the package's layout; the recordings are empty files."""
    path = folder / stem
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new("RGB", (4, 4)).save(path.with_name(f"{path.name}.png"))
    if suffix != ".png":
        path.with_name(f"{path.name}.png").rename(path.with_name(path.name + suffix))
    name = path.name
    if lines is None:
        languages = (*KIND_LINES, *RETRIEVAL_LANGUAGES)
        lines = [f"{code}.utf8={name} {code} ." for code in dict.fromkeys(languages)]
    text = "\n".join([f"A {name}.", *lines]) + "\n"
    path.with_name(f"{name}.txt").write_text(text, encoding="utf-8")
    for code in clips:
        path.with_name(f"{name}_desc_{code}.ogg").touch()


@pytest.fixture
def stamps(tmp_path):
    for stem in (FROG, TWIN, ROSELLA, BEE):
        put(tmp_path, stem)
    return tmp_path


def listed():
    path = resources.files("keras_jtav.data") / "tuxpaint_groups.csv"
    return list(csv.DictReader(path.read_text(encoding="utf-8").splitlines()))


def test_the_list_is_package_data():
    rows = listed()
    assert len(rows) == 950
    assert len({row["group"] for row in rows}) == 728
    assert Counter(row["kind"] for row in rows) == {"0": 191, "1": 380, "": 379}


def test_lines_of_a_text(tmp_path):
    path = tmp_path / "bee.txt"
    path.write_text(
        "\ufeffA bee. \nca@valencia.utf8=Una abella = bona\nde.utf8=\n"
        "fr.utf8= Abeille\nnot a line\nfr.utf8=twice\n",
        encoding="utf-8",
    )
    assert read_lines(path) == {
        "en": "A bee.",
        "ca@valencia": "Una abella = bona",
        "fr": "Abeille",
    }


def test_an_empty_text_has_no_lines(tmp_path):
    path = tmp_path / "bee.txt"
    path.write_bytes(b"")
    assert read_lines(path) == {}


def test_kind(stamps):
    put(stamps, "animals/insects/fly", clips=("es", "ru"))  # no French recording
    table = load_tuxpaint(folder=stamps)
    assert [post.id for post in table.posts] == [FROG, TWIN, ROSELLA, BEE]
    assert table.class_names == ("living", "man-made")
    post = table.posts[0]
    assert post.texts["caption"] == "A frog."
    assert post.texts["lyrics"].startswith("frog de . frog es . frog it .")
    assert len(post.texts["lyrics"].split()) == 3 * len(KIND_LINES)
    assert post.audio == stamps / f"{FROG}_desc_es.ogg"
    assert (post.label, post.split, post.song) == (0, None, None)
    assert post.group == table.posts[1].group != table.posts[2].group
    assert not any("animals" in text for text in post.texts.values())


def test_kind_cuts_lines_after_ten_words(tmp_path):
    put(tmp_path, BEE, lines=["de.utf8=" + "wort " * 15, "hr.utf8=pčela"])
    post = load_tuxpaint(folder=tmp_path).posts[0]
    assert post.texts["lyrics"] == "wort " * 10 + "pčela"


def test_png_is_taken_before_svg_and_svg_where_alone(tmp_path):
    put(tmp_path, BEE, suffix=".svg")
    put(tmp_path, BEE)
    put(tmp_path, FROG, suffix=".svg")
    images = {
        post.id: post.image.suffix for post in load_tuxpaint(folder=tmp_path).posts
    }
    assert images == {FROG: ".svg", BEE: ".png"}


def test_dagger_on_few_stamps(stamps):
    put(stamps, LETTER, clips=())
    for seed in range(8):
        table = load_tuxpaint(
            "retrieval",
            folder=stamps,
            split_seed=seed,
            test_songs=1,
            validation_songs=1,
        )
        split_of = defaultdict(set)
        for post in table.posts:
            split_of[post.group].add(post.split)
        assert Counter(name for names in split_of.values() for name in names) == {
            "train": 1,
            "validation": 1,
            "test": 1,
        }
        twins = [post for post in table.posts if post.id in (FROG, TWIN)]
        assert len(twins) == (2 if twins[0].split == "train" else 1)
        post = table.posts[-1]
        assert post.texts == {"lyrics": "A bee.", "caption": "bee ru ."}
        assert post.song == BEE
        assert post.audio == stamps / f"{BEE}_desc_es.ogg"
        assert post.label is None


def test_section_on_few_stamps(stamps):
    posts = load_tuxpaint("retrieval", "section", folder=stamps).posts
    assert len(posts) == 15  # three groups, five languages
    for index in range(0, 15, 5):
        views = posts[index : index + 5]
        assert Counter(post.split for post in views) == {
            "train": 3,
            "validation": 1,
            "test": 1,
        }
        assert len({post.song for post in views}) == 5
        assert len({(post.image, post.texts["caption"]) for post in views}) == 1
    view = next(post for post in posts if post.song == f"{BEE}:bg")
    assert view.texts == {"lyrics": "bee bg .", "caption": "A bee."}
    assert view.audio == stamps / f"{BEE}_desc_bg.ogg"


def test_retrieval_needs_all_clips_and_lines(stamps):
    put(stamps, "animals/insects/fly", clips=CLIPS[:-1])
    put(stamps, "animals/insects/grasshopper", lines=["es.utf8=Un saltamontes."])
    posts = load_tuxpaint("retrieval", "random", folder=stamps).posts
    assert {post.id for post in posts} <= {FROG, TWIN, ROSELLA, BEE}
    assert len(posts) == 3
    assert {post.split for post in posts} == {None}


def test_stamps_that_are_not_there_are_rejected(stamps):
    (stamps / f"{BEE}.txt").unlink()
    table = load_tuxpaint(folder=stamps)
    assert len(table.rejections) == 950 - 3
    rejection = next(one for one in table.rejections if one.row == BEE)
    assert rejection.file == f"{BEE}.txt"
    assert "apt-get install tuxpaint-stamps-default" in rejection.reason


def test_an_empty_folder_says_how_to_install(tmp_path):
    with pytest.raises(FileNotFoundError, match="apt-get install tuxpaint-stamps-defa"):
        load_tuxpaint(folder=tmp_path)
    with pytest.raises(
        FileNotFoundError, match=r"dpkg-deb -x .*--set dataset\.folder="
    ):
        load_tuxpaint(folder=tmp_path / "absent")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"task": "ranking"}, "`task` must be one of sentiment, retrieval; received"),
        ({"split": "half"}, "`split` must be one of dagger, section, random; received"),
        ({}, "received 100 and 60 of 3 groups"),
        ({"test_songs": 0}, "must be at least 1 and leave groups for training"),
        ({"caption_language": "en"}, "`caption_language` 'en' is the language of a so"),
        (
            {"split": "section", "caption_language": "ru"},
            "'ru' is the language of a song's text, so the caption would be the answer",
        ),
        ({"caption_language": "xx"}, "`caption_language` must be one of be, bg, de,"),
    ],
)
def test_errors(stamps, arguments, message):
    with pytest.raises(ValueError, match=message):
        load_tuxpaint(**{"task": "retrieval", "folder": stamps, **arguments})


@on_real_stamps
def test_real_kind():
    table = load_tuxpaint()
    assert not table.rejections
    assert Counter(post.label for post in table.posts) == {0: 180, 1: 349}
    assert len({post.group for post in table.posts}) == 462
    assert all(post.missing == () for post in table.posts)


@on_real_stamps
def test_real_dagger():
    posts = load_tuxpaint("retrieval").posts
    groups = defaultdict(set)
    for post in posts:
        groups[post.split].add(post.group)
    assert Counter(map(len, groups.values())) == {100: 1, 60: 1, 395: 1}
    sizes = Counter(post.split for post in posts)
    assert (sizes["test"], sizes["validation"]) == (100, 60)
    assert not groups["train"] & (groups["test"] | groups["validation"])
    assert not groups["test"] & groups["validation"]
    assert all(post.missing == () for post in posts)
    assert all(not post.texts["caption"].isascii() for post in posts)
    assert load_tuxpaint("retrieval").posts == posts
    assert load_tuxpaint("retrieval", split_seed=1).posts != posts


@on_real_stamps
def test_real_section():
    posts = load_tuxpaint("retrieval", "section").posts
    sizes = Counter(post.split for post in posts)
    assert sizes == {"train": 3 * 555, "validation": 555, "test": 555}
    assert len({post.song for post in posts}) == 5 * 555
    languages = Counter(post.song[-2:] for post in posts if post.split == "test")
    assert set(languages) == set(RETRIEVAL_LANGUAGES)


@on_real_stamps
def test_real_media_decode():
    stamps, _ = read_stamps(STAMPS_FOLDER)
    assert len(stamps) == 950
    posts = load_tuxpaint("retrieval").posts
    for post in posts[::80]:
        waveform = decode_audio(post.audio)
        assert 0.3 < len(waveform) / 22_050 < 10
        assert abs(waveform).max() > 0.01
        if post.image.suffix == ".png":
            assert decode_image(post.image).shape[2] == 3
