import json
from collections import Counter

import numpy as np
import pytest
import soundfile
from PIL import Image

from keras_jtav.data.data_folder import DataFolder
from keras_jtav.data.moods import MOODS_FILE, read_moods
from keras_jtav.data.shuttersong import load_shuttersong
from keras_jtav.data.shuttersong_columns import EXAMPLE
from keras_jtav.data.splits import split_posts
from keras_jtav.data.tables import write_table
from keras_jtav.experiments import preset_config
from keras_jtav.running import run

APP = (
    *("uuid", "caption", "song_title", "song_artist", "audio_url"),
    *("timeline_image_url", "favorite_count", "mood"),
)
MOODS = ("happy", "#Heartbroken")


def rows_of(songs, images=5):
    """Return rows with the app's field names; a song's posts have its mood."""
    return [
        {
            "uuid": f"u{song}-{image}",
            "caption": f"so {MOODS[song % 2]} {image}" if image % 2 else "",
            "song_title": f"Song {song}" if image else f" SONG  {song}!",
            "song_artist": "The Band",
            "audio_url": f"https://cdn.example/audio/s{song}.wav?sig=1",
            "timeline_image_url": f"https://cdn.example/i/p%20{song}-{image}.png",
            "favorite_count": 3,
            "mood": MOODS[song % 2],
        }
        for song in range(songs)
        for image in range(images)
    ]


def put(folder, rows, columns=APP, table="posts.csv"):
    """Write a table, its media at two depths, and lyrics by the recordings' names."""
    generator = np.random.default_rng(0)
    for name in ("images/a", "audio", "lyrics"):
        (folder / name).mkdir(parents=True, exist_ok=True)
    for row in rows:
        song, image = row["uuid"][1:].split("-")
        pixels = generator.integers(0, 255, (8, 8, 3), "uint8")
        Image.fromarray(pixels).save(folder / f"images/a/p {song}-{image}.png")
        recording = folder / f"audio/s{song}.wav"
        if not recording.exists():
            tone = np.sin(np.arange(11025) * (int(song) + 5) / 100)
            soundfile.write(recording, 0.5 * tone, 22050)
            (folder / f"lyrics/S{song}.txt").write_text(f"la la {song}\n")
    write_table(folder / table, columns, rows)
    return folder


@pytest.fixture
def folder(tmp_path):
    return put(tmp_path / "shutter", rows_of(6))


@pytest.mark.parametrize("table", ["posts.csv", "posts.jsonl", "posts.parquet"])
def test_posts_from_the_names_of_the_app(tmp_path, table):
    folder = put(tmp_path, rows_of(3, images=2), table=table)
    (folder / "__MACOSX").mkdir()
    (folder / "__MACOSX" / "other.csv").touch()
    posts = load_shuttersong("sentiment", folder=folder).posts
    assert [post.id for post in posts][:3] == ["u0-0", "u0-1", "u1-0"]
    assert [post.label for post in posts] == [1, 1, 0, 0, 1, 1]
    assert posts[3].texts == {"lyrics": "la la 1", "caption": "so #Heartbroken 1"}
    assert posts[3].audio == folder / "audio" / "s1.wav"
    assert posts[3].image == folder / "images" / "a" / "p 1-1.png"
    assert Counter(post.song for post in posts) == {
        f"song {song} / the band": 2 for song in range(3)
    }


def test_columns_are_named_in_a_file(folder):
    rows = [
        {
            "n": 7,
            "pic": "images/a/p 0-1.png",
            "words": "S1.txt",
            "name": "Yes",
            "by": "",
        },
        {"n": 8, "pic": "p 0-2.png", "words": "oh no\noh", "name": "No", "by": "Us"},
    ]
    write_table(folder / "mine" / "songs.jsonl", list(rows[0]), rows)
    columns = 'id="n"\nimage="pic"\nlyrics="words"\ntitle="name"\nartist="by"\n'
    text = f'table = "mine/songs.jsonl"\n[columns]\n{columns}'
    (folder / "shuttersong.toml").write_text(text)
    first, second = load_shuttersong("retrieval", "section", folder=folder).posts
    assert (first.id, first.song, first.texts) == ("7", "yes", {"lyrics": "la la 1"})
    assert (second.song, second.texts) == ("no / us", {"lyrics": "oh no\noh"})
    assert second.image == folder / "images" / "a" / "p 0-2.png"
    other = folder / "elsewhere.txt"
    other.write_text(text.replace('image="pic"', 'image="by"'))
    table = load_shuttersong("retrieval", "section", folder=folder, columns=other)
    assert len(table.rejections) == 1


def test_lyrics_by_artist_and_title(tmp_path):
    folder = put(tmp_path, rows_of(2, images=1))
    (folder / "lyrics" / "S0.txt").rename(folder / "lyrics" / "the band - Song 0.txt")
    posts = load_shuttersong("sentiment", folder=folder).posts
    assert [post.texts["lyrics"] for post in posts] == ["la la 0", "la la 1"]


def test_files_of_lyrics_count_whatever_the_case_of_their_ending(tmp_path):
    folder = put(tmp_path, rows_of(2, images=1))
    for song in range(2):
        lyrics = folder / "lyrics" / f"S{song}.txt"
        lyrics.rename(lyrics.with_name(f"The Band - Song {song}.TXT"))
    columns = [name for name in APP if name != "audio_url"]
    rows = [{name: row[name] for name in columns} for row in rows_of(2, images=1)]
    write_table(folder / "posts.csv", columns, rows)
    posts = load_shuttersong("retrieval", "section", folder=folder).posts
    assert [post.texts["lyrics"] for post in posts] == ["la la 0", "la la 1"]


def test_rows_that_cannot_be_used_say_why(tmp_path, caplog):
    rows = rows_of(4, images=2)
    folder = put(tmp_path, rows)
    rows[0]["audio_url"] = "https://cdn.example/audio/gone.mp3"
    rows[2]["mood"] = "blorp"
    rows[4]["mood"] = ""
    rows[5]["uuid"] = rows[3]["uuid"]
    write_table(folder / "posts.csv", APP, rows)
    (folder / "images" / "p 1-1.png").touch()
    table = load_shuttersong("sentiment", folder=folder)
    reasons = {rejection.row: rejection.reason for rejection in table.rejections}
    assert "is called 'gone.mp3'" in reasons["row 1 (u0-0)"]
    assert "nothing is downloaded" in reasons["row 1 (u0-0)"]
    assert f"the mood 'blorp' is not in {MOODS_FILE}" in reasons["row 3 (u1-0)"]
    assert "2 files are called 'p 1-1.png'" in reasons["row 4 (u1-1)"]
    assert "duplicate id, taken by row 4" in reasons["row 6 (u1-1)"]
    assert len(reasons) == 4
    assert [post.id for post in table.posts] == ["u0-1", "u3-0", "u3-1"]
    assert "1 rows without a mood" in caplog.text
    assert f"moods that {MOODS_FILE} lacks: blorp 1" in caplog.text
    songs = load_shuttersong("retrieval", "section", folder=folder)
    assert len(songs.rejections) == 3, "moods do not matter there"


def test_a_table_of_moods_of_ones_own(folder):
    moods = folder / "mine.moods"
    moods.write_text("# mine\nmood,label\nHappy,negative\nheartbroken,Positive\n")
    posts = load_shuttersong("sentiment", folder=folder, moods=moods).posts
    assert [post.label for post in posts[::5]] == [0, 1, 0, 1, 0, 1]


def test_the_shipped_moods_are_two_sorted_classes():
    moods = read_moods()
    assert len(moods) > 270
    assert min(Counter(moods.values()).values()) > 100
    assert MOODS_FILE.read_text().startswith("#")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (
            "tag,label\nhappy,positive\n",
            "needs the columns mood,label; found tag, label",
        ),
        ("mood,label\nhappy,1\n", "the mood 'happy' has the label '1'"),
        (
            "mood,label\nOh,positive\noh,negative\n",
            "'oh' is both positive and negative",
        ),
    ],
)
def test_moods_refuse(tmp_path, text, message):
    path = tmp_path / "moods.csv"
    path.write_text(text)
    with pytest.raises(ValueError, match=message):
        read_moods(path)
    with pytest.raises(FileNotFoundError, match="no table of moods"):
        read_moods(tmp_path / "no.csv")


def test_dagger_holds_out_songs_for_test(folder):
    table = load_shuttersong("retrieval", "dagger", 3, folder, test_songs=2)
    parts = split_posts(table.posts, "dagger", seed=3)
    songs = {name: {post.song for post in part} for name, part in parts.items()}
    assert {name: len(names) for name, names in songs.items()} == {
        "train": 3,
        "validation": 1,
        "test": 2,
    }
    assert not songs["test"] & songs["train"]
    other = load_shuttersong("retrieval", "dagger", 4, folder, test_songs=2)
    held_out = [{p.song for p in t.posts if p.split == "test"} for t in (table, other)]
    assert held_out[0] != held_out[1]
    with pytest.raises(ValueError, match="received 100 of 6 songs"):
        load_shuttersong("retrieval", "dagger", 0, folder)


@pytest.mark.parametrize("seed", range(4))
def test_dagger_holds_out_that_many_songs_that_can_be_used(folder, seed):
    rows = rows_of(6)
    for row in rows[:15]:  # the first three songs
        row["audio_url"] = ""
    for song in range(3):
        (folder / "lyrics" / f"S{song}.txt").unlink()
    write_table(folder / "posts.csv", APP, rows)
    table = load_shuttersong("retrieval", "dagger", seed, folder, test_songs=1)
    assert len(table.posts) == 30, "those that cannot be used are dropped elsewhere"
    held_out = {post.song for post in table.posts if post.split == "test"}
    assert len(held_out) == 1
    assert held_out < {f"song {song} / the band" for song in (3, 4, 5)}
    with pytest.raises(ValueError, match=r"2 of 3 songs that can be used\. Lower it"):
        load_shuttersong("retrieval", "dagger", seed, folder, test_songs=2)


def test_section_holds_out_one_image_of_every_song(folder):
    table = load_shuttersong("retrieval", "section", folder=folder)
    parts = split_posts(table.posts, "section")
    for name, images in (("train", 3), ("validation", 1), ("test", 1)):
        assert set(Counter(post.song for post in parts[name]).values()) == {images}


def test_another_layout_lists_what_is_there(folder):
    def message(task="retrieval", **arguments):
        with pytest.raises(ValueError, match="has another layout") as error:
            load_shuttersong(task, folder=folder, **arguments)
        assert EXAMPLE in str(error.value)
        return str(error.value)

    write_table(folder / "more.jsonl", ["uuid"], [{"uuid": "a"}])
    several = message()
    assert "2 tables where one is expected" in several
    assert "tables: more.jsonl, posts.csv" in several
    assert "30 .png, 6 .txt, 6 .wav" in several
    assert f"in {folder / 'shuttersong.toml'}, such as" in several
    toml = folder / "shuttersong.toml"
    toml.write_text('table = "more.jsonl"')
    assert "has no column for title, which retrieval needs. Found columns: uuid" in (
        message()
    )
    assert "no column for mood, which sentiment needs" in message("sentiment")
    toml.write_text('table = "posts.csv"\n[columns]\nmood = "feeling"')
    assert "has no column 'feeling'. Found columns: uuid, caption" in message()


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("columns = [", "is no TOML"),
        ('tabel = "a.csv"', "may have `table`, a name, and `columns`"),
        ("[columns]\nid = 3", "may have `table`, a name, and `columns`"),
        ('[columns]\nimages = "a"', "'images'. Ours are id, image, audio, lyrics"),
    ],
)
def test_a_file_of_columns_is_checked(folder, text, message):
    (folder / "shuttersong.toml").write_text(text)
    with pytest.raises(ValueError, match=message):
        load_shuttersong(folder=folder)


def test_a_folder_must_be_given_and_there(tmp_path, folder):
    with pytest.raises(
        ValueError, match=r"'shuttersong' lies in a folder .* --data-dir"
    ):
        load_shuttersong()
    with pytest.raises(FileNotFoundError, match=r"no folder .*gone\. Check --data-dir"):
        load_shuttersong(folder=tmp_path / "gone")
    with pytest.raises(FileNotFoundError, match=r"no file of columns no\.toml"):
        load_shuttersong(folder=folder, columns="no.toml")


def test_a_path_is_tried_before_the_base_name(folder):
    (folder / "p 0-0.png").touch()
    files = DataFolder(folder)
    assert files.find("p 0-0.png") == folder / "p 0-0.png"
    with pytest.raises(ValueError, match=r"2 files are called 'p 0-0.png' \(images/a"):
        files.find("https://host/p%200-0.png")


@pytest.mark.slow
def test_a_run_from_end_to_end(tmp_path, tiny_settings):
    folder = put(tmp_path / "shutter", rows_of(12, images=3))
    kept = [s for s in tiny_settings if not s.startswith(("dataset.", "train.epochs"))]
    config = preset_config("retrieval", "small").override(
        [
            *("dataset=shuttersong", f"dataset.folder={folder}", *kept),
            *("dataset.test_songs=3", "train.epochs=1"),
        ]
    )
    result = run(config, tmp_path / "runs", tmp_path / "exported")
    assert (result.exported / "saved_model.pb").exists()
    saved = json.loads((result.folder / "metrics.json").read_text())["metrics"]
    assert saved["strict"]["chance"]["R@1"] == pytest.approx(1 / 3)


def test_files_outside_of_the_folder_are_not_read(folder, tmp_path):
    (tmp_path / "secret.txt").write_text("secret")
    rows = rows_of(6)
    rows[0]["lyrics"] = "../secret.txt"
    (folder / "lyrics/secret-link.txt").symlink_to(tmp_path / "secret.txt")
    rows[1]["lyrics"] = "secret-link.txt"
    write_table(folder / "posts.csv", [*APP, "lyrics"], with_lyrics(rows))
    table = load_shuttersong("retrieval", folder=folder, test_songs=2)
    reasons = [rejection.reason for rejection in table.rejections]
    assert len(reasons) == 2
    assert reasons[0].startswith("'../secret.txt' lies outside of the table's folder")
    assert "no file below" in reasons[1]
    allowed = load_shuttersong("retrieval", folder=folder, test_songs=2, outside=True)
    assert allowed.rejections == []
    assert allowed.posts[0].texts["lyrics"] == "secret"
    (folder / "shuttersong.toml").write_text('table = "../posts.csv"')
    with pytest.raises(ValueError, match=r"The table .* lies outside of the table's"):
        load_shuttersong("retrieval", folder=folder)


def with_lyrics(rows):
    return [{"lyrics": "la", **row} for row in rows]
