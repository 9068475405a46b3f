from pathlib import Path

import pytest

from keras_jtav.data.folder_posts import posts_from_folder
from keras_jtav.data.manifest import read_manifest, write_manifest


@pytest.fixture
def fill(tmp_path):
    """Write files by their path below a folder; return the folder."""

    def write(**files):
        return write_files(tmp_path / "files", files)

    return write


def write_files(folder, files):
    folder.mkdir(exist_ok=True)
    for name, content in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content.encode() if isinstance(content, str) else content)
    return folder


def left_out(table):
    return {Path(r.file).name or r.row: r.reason for r in table.rejections}


def test_files_of_one_name_are_one_post(fill):
    folder = fill(
        **{
            "images/p1.JPG": "",
            "audio/old/p1.mp3": "",
            "texts/p1.txt": "\ufeffla la\n",
            "captions/p1.txt": " so glad ",
            "p2.png": "",
            "p2.caption.txt": "hello",
        }
    )
    table = posts_from_folder(folder)
    first, second = table.posts
    assert first.id == "p1"
    assert first.image == folder / "images" / "p1.JPG"
    assert first.audio == folder / "audio" / "old" / "p1.mp3"
    assert first.texts == {"lyrics": "la la", "caption": "so glad"}
    assert (second.id, second.texts) == ("p2", {"caption": "hello"})
    assert second.missing == ("lyrics", "audio")
    assert table.rejections == []


def test_the_table_reads_back(fill):
    folder = fill(**{"glad/1.png": "", "glad/1.txt": "la, la", "sad/1.png": ""})
    table = posts_from_folder(folder, "classes")
    write_manifest(table.posts, folder / "posts.csv", table.class_names)
    found = read_manifest(folder / "posts.csv")
    assert found.posts == table.posts
    assert found.class_names == table.class_names == ("glad", "sad")
    assert posts_from_folder(folder, "classes") == table, "the table is no post"


@pytest.mark.parametrize(
    ("folders", "classes"),
    [(("sad", "glad"), ("glad", "sad")), (("pos", "neg"), ("neg", "pos"))],
)
def test_folders_are_classes(fill, folders, classes):
    files = {f"{folder}/1.png": "" for folder in folders}
    table = posts_from_folder(fill(**files), "classes")
    assert table.class_names == classes
    labels = {post.id: post.label for post in table.posts}
    assert labels == {f"{classes[0]}/1": 0, f"{classes[1]}/1": 1}


def test_folders_are_songs(fill):
    folder = fill(
        **{
            "blue/track.ogg": "",
            "blue/lyrics.txt": "I walk",
            "blue/sea.png": "",
            "blue/sea.txt": "at the sea",
            "blue/pictures/sky.png": "",
            "red/red.wav": "",
            "red/red.txt": "fire",
            "red/cover.jpg": "",
        }
    )
    table = posts_from_folder(folder, "songs")
    posts = {post.id: post for post in table.posts}
    assert list(posts) == ["blue/sky", "blue/sea", "red/cover"]
    assert {post.song for post in table.posts} == {"blue", "red"}
    assert posts["blue/sea"].texts == {"lyrics": "I walk", "caption": "at the sea"}
    assert posts["blue/sky"].texts == {"lyrics": "I walk"}
    assert posts["blue/sky"].audio == folder / "blue" / "track.ogg"
    assert posts["red/cover"].texts == {"lyrics": "fire"}
    assert table.rejections == []


def test_a_caption_by_its_name_is_no_song_s_lyrics(fill):
    folder = fill(
        **{
            "blue/blue.mp3": "",
            "blue/blue.jpg": "",
            "blue/blue.txt": "real lyrics",
            "blue/blue.caption.txt": "the caption",
            "green/green.mp3": "",
            "green/green.jpg": "",
            "green/captions/green.txt": "green leaves",
            "captions/1.mp3": "",
            "captions/1.txt": "of a song called captions",
            "captions/2.png": "",
        }
    )
    table = posts_from_folder(folder, "songs")
    assert {post.id: post.texts for post in table.posts} == {
        "blue/blue": {"lyrics": "real lyrics", "caption": "the caption"},
        "green/green": {"caption": "green leaves"},
        "captions/2": {"lyrics": "of a song called captions"},
    }
    assert table.rejections == []


def test_a_second_text_for_one_part_of_a_song_is_named(fill):
    folder = fill(
        **{
            "red/a.mp3": "",
            "red/a.txt": "L2",
            "red/lyrics.txt": "L1",
            "red/sea.jpg": "",
            "red/sea.caption.txt": "cap A",
            "red/sea.txt": "cap B",
            "red/sky.caption.txt": "of no picture",
            "red/captions/lyrics.txt": "of no picture",
        }
    )
    table = posts_from_folder(folder, "songs")
    assert [post.texts for post in table.posts] == [
        {"lyrics": "L1", "caption": "cap A"}
    ]
    reasons = left_out(table)
    first = folder / "red"
    assert reasons == {
        "a.txt": f"red has its lyrics from {first / 'lyrics.txt'} already: rename one",
        "sea.txt": f"red/sea has its caption from {first / 'sea.caption.txt'} already: "
        "rename one",
        "sky.caption.txt": "is a caption and called like no picture: rename it",
        "lyrics.txt": "is a caption and called like no picture: rename it",
    }


def test_a_text_of_two_names_fills_what_is_left_and_an_empty_one_nothing(fill):
    folder = fill(
        **{
            "blue/blue.mp3": "",
            "blue/blue.jpg": "",
            "blue/blue.txt": "the caption",
            "blue/lyrics.txt": "real lyrics",
            "red/red.mp3": "",
            "red/lyrics.txt": " ",
            "red/red.txt": "real lyrics",
            "red/1.jpg": "",
        }
    )
    table = posts_from_folder(folder, "songs")
    assert {post.id: post.texts for post in table.posts} == {
        "blue/blue": {"lyrics": "real lyrics", "caption": "the caption"},
        "red/1": {"lyrics": "real lyrics"},
    }
    assert {name: why[:8] for name, why in left_out(table).items()} == {
        "lyrics.txt": "is empty"
    }


COMPOSED, APART = "\u00fc", "u\u0308"  # one letter, in Unicode's NFC and NFD


def test_both_forms_of_a_letter_are_one_name(fill):
    folder = fill(**{f"{APART}.png": "", f"{COMPOSED}.txt": "la"})
    (post,) = posts_from_folder(folder).posts
    assert (post.id, post.texts) == (COMPOSED, {"lyrics": "la"})
    assert post.image.name == f"{APART}.png", "as it is on the disk"
    write_manifest([post], folder / "posts.csv")
    assert read_manifest(folder / "posts.csv").posts == [post]


def test_both_forms_of_a_letter_are_one_song(fill):
    folder = fill(
        **{
            f"{APART}/{APART}.mp3": "",
            f"{APART}/1{APART}.png": "",
            f"{COMPOSED}/{COMPOSED}.txt": "lyrics",
            f"{COMPOSED}/1{COMPOSED}.caption.txt": "caption",
        }
    )
    (post,) = posts_from_folder(folder, "songs").posts
    assert (post.id, post.song) == (f"{COMPOSED}/1{COMPOSED}", COMPOSED)
    assert post.texts == {"lyrics": "lyrics", "caption": "caption"}
    assert post.audio.is_file()
    assert post.image.is_file()


def test_what_belongs_to_no_post_is_named(fill):
    folder = fill(
        **{
            "p1.png": "",
            "more/p1.jpg": "",
            "p2.txt": b"\xff\xfe",
            "p3.txt": "  ",
            "notes.pdf": "",
            ".hidden/p4.png": "",
            ".DS_Store": "",
        }
    )
    table = posts_from_folder(folder)
    (post,) = table.posts
    assert post.image == folder / "more" / "p1.jpg", "the first path in order"
    reasons = left_out(table)
    assert set(reasons) == {"p1.png", "p2.txt", "p3.txt", "notes.pdf"}
    assert "already: rename one" in reasons["p1.png"]
    assert "is not UTF-8" in reasons["p2.txt"]
    assert "is empty" in reasons["p3.txt"]
    assert "no picture, recording or .txt" in reasons["notes.pdf"]


def test_what_belongs_to_no_song_is_named(fill):
    folder = fill(
        **{
            "loose.png": "",
            "blue/a.mp3": "",
            "blue/b.mp3": "",
            "blue/1.png": "",
            "blue/more/1.jpg": "",
            "blue/2.txt": "of no picture",
            "red/red.mp3": "",
        }
    )
    table = posts_from_folder(folder, "songs")
    assert [post.id for post in table.posts] == ["blue/1"]
    reasons = left_out(table)
    assert "move it into one" in reasons["loose.png"]
    assert "recording" in reasons["b.mp3"]
    assert "has the same name" in reasons["1.jpg"]
    assert "is called like no picture" in reasons["2.txt"]
    assert "has no picture" in reasons["song red"]


def test_a_link_out_of_the_folder_is_not_read(fill, tmp_path):
    folder = fill(**{"p1.png": ""})
    (tmp_path / "secret.txt").write_text("key")
    (folder / "p1.txt").symlink_to(tmp_path / "secret.txt")
    table = posts_from_folder(folder)
    assert table.posts[0].texts == {}
    assert "link out of the folder" in left_out(table)["p1.txt"]


def test_wrong_arguments_are_refused(fill, tmp_path):
    with pytest.raises(FileNotFoundError, match="no folder"):
        posts_from_folder(tmp_path / "gone")
    with pytest.raises(ValueError, match="received 'labels'"):
        posts_from_folder(fill(**{"p1.png": ""}), "labels")


def test_a_folder_without_posts_is_refused(fill):
    with pytest.raises(ValueError, match=r"holds no post. Expected files .*\.txt\."):
        posts_from_folder(fill(**{"a.pdf": ""}))
    with pytest.raises(ValueError, match="inside folders of classes"):
        posts_from_folder(fill(**{"p1.png": ""}), "classes")


@pytest.mark.parametrize("names", [("a",), ("a", "b", "c")])
def test_two_classes_are_two_folders(fill, names):
    folder = fill(**{f"{name}/1.png": "" for name in names})
    with pytest.raises(ValueError, match=rf"it holds {len(names)}: a"):
        posts_from_folder(folder, "classes")
