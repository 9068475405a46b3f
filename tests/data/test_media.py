from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import soundfile
from PIL import Image

from keras_jtav.data import media, media_reader
from keras_jtav.data.cache import content_digest
from keras_jtav.data.decode import decode_audio, decode_image
from keras_jtav.data.media import MediaStore
from keras_jtav.data.post import Post
from keras_jtav.features.preprocessor import Preprocessor
from keras_jtav.features.vocabulary import Vocabulary
from keras_jtav.options import DataOptions, FeatureOptions
from keras_jtav.preparation import silent

RATE_HZ = 22_050
FEATURES = FeatureOptions(
    words=4, spectrogram="mel", clip_seconds=0.5, hop_samples=512, bins=8, image_size=16
)
VOCABULARY = Vocabulary(["la"], np.eye(3, 2, dtype="float32") * [[0], [1], [1]])
PREPROCESSOR = Preprocessor(FEATURES, VOCABULARY)


@pytest.fixture
def folder(tmp_path):
    """Two recordings (one and three segments) and two pictures."""
    draw = np.random.default_rng(0)
    for name, seconds in (("short.wav", 0.4), ("long.flac", 1.3)):
        samples = draw.normal(0, 0.1, round(seconds * RATE_HZ))
        soundfile.write(tmp_path / name, samples, RATE_HZ)
    for name, size in (("wide.png", (20, 12)), ("tall.png", (10, 30))):
        pixels = draw.integers(0, 256, (*size[::-1], 3), np.uint8)
        Image.fromarray(pixels).save(tmp_path / name)
    return tmp_path


@pytest.fixture
def posts(folder):
    return [
        Post("p0", audio=folder / "short.wav", image=folder / "wide.png"),
        Post("p1", audio=folder / "long.flac", image=folder / "tall.png"),
        Post("p2", {"caption": "la"}),
    ]


def make_store(folder, modalities=("text", "audio", "image"), **data):
    cache = folder / "cache"
    return MediaStore(PREPROCESSOR, FEATURES, DataOptions(**data), cache, modalities)


def test_features_are_those_of_the_preprocessor(folder, posts):
    store = make_store(folder)
    assert store.prepare(posts, silent) == []
    for post, segments in zip(posts, (1, 3), strict=False):
        found = store.spectrogram(post.audio)
        assert found.shape == (segments, 22, 8)
        expected = PREPROCESSOR.audio(decode_audio(post.audio))["spectrogram"]
        np.testing.assert_allclose(found, expected, atol=1e-5)
        picture = store.image(post.image)
        assert picture.dtype == np.uint8
        expected = PREPROCESSOR.image(decode_image(post.image))["image"]
        np.testing.assert_array_equal(picture, expected)


def test_progress_sees_each_new_file_once(folder, posts):
    seen = []

    def progress(items, total, title):
        seen.append((title, total))
        return items

    make_store(folder).prepare([*posts, replace(posts[0], id="p3")], progress)
    assert seen == [("spectrograms", 2), ("pictures", 2)]


def test_a_bad_file_is_a_rejection_and_spares_the_others(folder, posts):
    bad = {
        "cut.png": (folder / "wide.png").read_bytes()[:60],
        "page.jpg": b"<html>404</html>",
        "text.mp3": b"no sound",
    }
    for name, content in bad.items():
        (folder / name).write_bytes(content)
    more = [
        Post("cut", image=folder / "cut.png", audio=folder / "short.wav"),
        Post("page", image=folder / "page.jpg"),
        Post("text", audio=folder / "text.mp3"),
        Post("gone", image=folder / "gone.png"),
        Post("gone too", image=folder / "gone.png"),
    ]
    store = make_store(folder)
    rejections = store.prepare([more[0], posts[0], *more[1:], posts[1]], silent)
    assert [(r.row, Path(r.file).name) for r in rejections] == [
        ("post cut", "cut.png"),
        ("post page", "page.jpg"),
        ("post text", "text.mp3"),
        ("post gone", "gone.png"),
        ("post gone too", "gone.png"),
    ]
    for rejection in rejections[:3]:
        assert str(rejection).count(rejection.file) == 1
    assert "check the path" in rejections[3].reason
    for post in posts[:2]:
        assert store.has(post.audio)
        assert store.has(post.image)
    for name in (*bad, "gone.png"):
        assert not store.has(folder / name)


def test_the_second_prepare_reads_the_cache(folder, posts, monkeypatch):
    first = make_store(folder)
    first.prepare(posts, silent)

    def fail(*arguments):
        raise AssertionError("a file was decoded again")

    monkeypatch.setattr(media_reader, "decode_audio", fail)
    monkeypatch.setattr(media_reader, "decode_image", fail)
    second = make_store(folder)
    assert second.prepare(posts, silent) == []
    for post in posts[:2]:
        np.testing.assert_array_equal(
            second.spectrogram(post.audio), first.spectrogram(post.audio)
        )
        np.testing.assert_array_equal(second.image(post.image), first.image(post.image))


def test_a_file_with_new_content_is_decoded_again(folder, posts):
    make_store(folder).prepare(posts, silent)
    Image.new("RGB", (20, 12), "red").save(folder / "wide.png")
    store = make_store(folder)
    store.prepare(posts, silent)
    assert (store.image(folder / "wide.png") == [255, 0, 0]).all()


def test_one_content_under_two_names_has_one_entry(folder, posts):
    (folder / "copy.png").write_bytes((folder / "wide.png").read_bytes())
    store = make_store(folder)
    store.prepare([posts[0], Post("copy", image=folder / "copy.png")], silent)
    np.testing.assert_array_equal(
        store.image(folder / "copy.png"), store.image(folder / "wide.png")
    )
    assert len(list((folder / "cache").glob("image-*/*/*.npy"))) == 1


def test_larger_pictures_are_rejected(folder, posts):
    store = make_store(folder, max_image_pixels=250)  # wide 240, tall 300
    (rejection,) = store.prepare(posts, silent)
    assert (rejection.row, Path(rejection.file).name) == ("post p1", "tall.png")
    assert "raise `data.max_image_pixels`" in rejection.reason
    assert store.has(posts[0].image)
    assert make_store(folder).prepare(posts, silent) == []


def test_longer_recordings_are_cut(folder, posts):
    store = make_store(folder, max_audio_seconds=0.9)
    assert store.prepare(posts, silent) == []
    assert len(store.spectrogram(posts[1].audio)) == 2
    whole = make_store(folder)
    whole.prepare(posts, silent)
    assert len(whole.spectrogram(posts[1].audio)) == 3


def test_media_that_the_model_does_not_see_are_not_read(folder, posts):
    (folder / "wide.png").write_bytes(b"broken")
    store = make_store(folder, modalities=("text", "audio"))
    assert store.prepare(posts, silent) == []
    assert store.has(posts[0].audio)
    assert not store.has(posts[0].image)


def test_larger_files_are_rejected_unread(folder, posts, monkeypatch):
    largest = (folder / "long.flac").stat().st_size
    assert make_store(folder, max_file_bytes=largest).prepare(posts, silent) == []
    monkeypatch.setattr(media, "content_digest", content_digest_but(posts[1].audio))
    store = make_store(folder, max_file_bytes=largest - 1)
    (rejection,) = store.prepare(posts, silent)
    assert (rejection.row, Path(rejection.file).name) == ("post p1", "long.flac")
    assert f"{largest} bytes): make it smaller than {largest - 1}" in rejection.reason
    assert "raise `data.max_file_bytes`" in rejection.reason


def content_digest_but(forbidden):
    def digest(path):
        assert path != forbidden, "read"
        return content_digest(path)

    return digest
