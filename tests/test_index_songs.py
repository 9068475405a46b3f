import dataclasses
import sys

import pytest

from keras_jtav import index_songs as module
from keras_jtav.data.manifest import write_manifest
from keras_jtav.index_songs import Indexed, index_songs
from keras_jtav.preparation import load_table, silent
from keras_jtav.serving import inverted_lists
from keras_jtav.serving.song_index import SongIndex

pytestmark = pytest.mark.parametrize("finished_run", ["retrieval"], indirect=True)


@pytest.fixture(scope="module")
def songs(finished_run):
    """One post for each of ten songs with a recording and lyrics."""
    by_song = {
        post.song: post
        for post in load_table(finished_run[0]).posts
        if post.audio is not None and post.texts.get("lyrics")
    }
    return list(by_song.values())[:10]


def run(predictor, posts, tmp_path):
    write_manifest(posts, tmp_path / "songs.csv")
    folder = tmp_path / "index"
    done = index_songs(predictor, tmp_path / "songs.csv", folder, silent, True)
    return done, SongIndex.load(folder)


def test_songs_are_encoded_and_kept(predictor, songs, tmp_path, monkeypatch):
    monkeypatch.setattr(module, "SONGS_AT_ONCE", 4)
    done, index = run(predictor, songs, tmp_path)
    assert done == Indexed(added=10, known=0, left_out=0, total=10)
    assert index.ids() == [post.song for post in songs]
    assert index.model == predictor.fingerprint
    expected, _ = predictor.call_on_posts("encode_song", songs, ("audio", "lyrics"))
    found = index.encodings()
    assert set(found) == set(expected) - {"audio_ok"}
    for name, array in found.items():
        assert array == pytest.approx(expected[name], abs=1e-5)


def test_known_songs_are_left_as_they_are(predictor, songs, tmp_path, monkeypatch):
    run(predictor, songs[:6], tmp_path)
    encoded = []
    real = module.encode_songs
    monkeypatch.setattr(
        module, "encode_songs", lambda p, posts: encoded.extend(posts) or real(p, posts)
    )
    done, index = run(predictor, songs, tmp_path)
    assert done == Indexed(added=4, known=6, left_out=0, total=10)
    assert [post.song for post in encoded] == [post.song for post in songs[6:]]
    assert index.ids() == [post.song for post in songs]
    done, _ = run(predictor, songs, tmp_path)
    assert done == Indexed(added=0, known=10, left_out=0, total=10)


def test_what_cannot_be_read_is_told_and_left_out(predictor, songs, tmp_path, caplog):
    (tmp_path / "noise.wav").write_bytes(b"RIFF")
    noise = dataclasses.replace(songs[1], audio=tmp_path / "noise.wav")
    picture = dataclasses.replace(songs[2], audio=None, texts={"caption": "la"})
    gone = dataclasses.replace(songs[3], audio=tmp_path / "gone.wav")
    done, index = run(predictor, [songs[0], noise, picture, gone, songs[4]], tmp_path)
    assert done == Indexed(added=2, known=0, left_out=3, total=2)
    assert index.ids() == [songs[0].song, songs[4].song]
    text = caplog.text
    assert f"post {gone.id} {gone.audio}: cannot be opened" in text
    assert "noise.wav" in text
    assert f"song {picture.song}: has neither audio nor lyrics, left out" in text


def test_a_table_whose_songs_cannot_be_read_makes_no_index(predictor, songs, tmp_path):
    (tmp_path / "noise.wav").write_bytes(b"RIFF")
    noise = dataclasses.replace(songs[1], audio=tmp_path / "noise.wav")
    write_manifest([noise], tmp_path / "songs.csv")
    folder = tmp_path / "index"
    done = index_songs(predictor, tmp_path / "songs.csv", folder, silent, True)
    assert done == Indexed(added=0, known=0, left_out=1, total=0)
    assert not folder.exists()


def test_after_a_kill_the_same_call_goes_on(predictor, songs, tmp_path, monkeypatch):
    monkeypatch.setattr(module, "SONGS_AT_ONCE", 2)
    monkeypatch.setattr(module, "SAVE_EVERY", 4)

    def killed(items, total, title):
        for number, item in enumerate(items):
            if number == 3:
                raise KeyboardInterrupt
            yield item

    write_manifest(songs, tmp_path / "songs.csv")
    folder = tmp_path / "index"
    with pytest.raises(KeyboardInterrupt):
        index_songs(predictor, tmp_path / "songs.csv", folder, killed, True)
    assert len(SongIndex.load(folder)) == 4
    done, index = run(predictor, songs, tmp_path)
    assert done == Indexed(added=6, known=4, left_out=0, total=10)
    assert index.ids() == [post.song for post in songs]


def test_what_would_fail_at_the_end_fails_at_the_start(
    predictor, songs, tmp_path, monkeypatch
):
    def encode(*arguments):
        raise AssertionError("too late")

    monkeypatch.setattr(module, "encode_songs", encode)
    write_manifest(songs, tmp_path / "songs.csv")
    arguments = (predictor, tmp_path / "songs.csv")
    with pytest.raises(ValueError, match="is in use"):
        index_songs(*arguments, tmp_path, silent, True)
    with monkeypatch.context() as patch:
        patch.setattr(inverted_lists, "EXACT_SONGS", 9)
        patch.setitem(sys.modules, "faiss", None)
        with pytest.raises(ImportError, match="keras-jtav"):
            index_songs(*arguments, tmp_path / "index", silent, True)
    SongIndex("another").save(tmp_path / "other")
    with pytest.raises(ValueError, match="by the model 'another'"):
        index_songs(*arguments, tmp_path / "other", silent, True)
