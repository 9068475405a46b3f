from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import soundfile
from PIL import Image

from keras_jtav.data.media_file import DecodeError
from keras_jtav.data.post import Post
from keras_jtav.evaluation import simple_features
from keras_jtav.evaluation.media_statistics import AUDIO_DIM, IMAGE_DIM
from keras_jtav.evaluation.simple_features import SimpleFeatures
from keras_jtav.options import DataOptions


@pytest.fixture
def posts(tmp_path):
    """Return four posts; one recording and one picture for the first two."""
    samples = np.random.default_rng(0).normal(0, 0.1, 22_050)
    soundfile.write(tmp_path / "a.wav", samples, 22_050)
    Image.new("RGB", (8, 8), "red").save(tmp_path / "a.png")
    media = {"audio": tmp_path / "a.wav", "image": tmp_path / "a.png"}
    return [
        Post("1", {"caption": "sunny day by the sea", "lyrics": "la la la"}, **media),
        Post("2", {"caption": "rainy day in the city"}, **media),
        Post("3", {"caption": "snow"}, image=media["image"]),
        Post("4", {"lyrics": "oh no"}),
    ]


def test_missing_parts_are_zeros_and_a_one_at_the_end(posts):
    features = SimpleFeatures(posts)
    tables = {part: features.part(part, posts) for part in simple_features.PARTS}
    assert {part: table[:, -1].tolist() for part, table in tables.items()} == {
        "caption": [0, 0, 0, 1],
        "lyrics": [0, 1, 1, 0],
        "audio": [0, 0, 1, 1],
        "image": [0, 0, 0, 1],
    }
    for table in tables.values():
        present = table[:, -1] == 0
        assert not table[~present, :-1].any()
        assert table[present, :-1].any(axis=1).all()
    assert tables["audio"].shape == (4, AUDIO_DIM + 1)
    assert tables["image"].shape == (4, IMAGE_DIM + 1)


def test_each_file_is_decoded_once(posts, monkeypatch):
    decoded = []
    decode = simple_features.decode_image
    monkeypatch.setattr(
        simple_features,
        "decode_image",
        lambda path, *limits: decoded.append(path) or decode(path, *limits),
    )
    features = SimpleFeatures(posts[:1])
    first, again = features.part("image", posts), features.part("image", posts[::-1])
    assert len(decoded) == 1
    assert np.array_equal(first, again[::-1])


def kept(folder, **limits):
    """Return what is measured within the limits of a run, and kept in a folder."""
    store = SimpleNamespace(
        folder=folder, data=DataOptions(**limits), digest=lambda path: path.stem * 8
    )
    return simple_features.kept_measures(store)


def test_files_are_measured_within_the_limits_of_the_run(posts, tmp_path):
    Image.new("L", (7100, 7100), 90).save(tmp_path / "large.png")
    post = Post("large", image=tmp_path / "large.png")
    measures = kept(tmp_path / "raised", max_image_pixels=7100 * 7100)
    (vector,) = SimpleFeatures([post], measures).part("image", [post])
    assert vector.any()
    features = SimpleFeatures(posts, kept(tmp_path / "lowered", max_file_bytes=10))
    for name in ("audio", "image"):
        with pytest.raises(DecodeError, match=r"raise `data\.max_file_bytes`"):
            features.part(name, posts)


def test_what_was_measured_is_kept_for_runs_with_other_limits(posts, tmp_path):
    for name in ("audio", "image"):
        path = getattr(posts[0], name)
        before = kept(tmp_path / "kept")[name][0](path)
        path.unlink()
        limits = {"max_image_pixels": 60_000_000, "max_audio_seconds": 900.0}
        after = kept(tmp_path / "kept", **limits)[name][0](path)
        np.testing.assert_array_equal(after, before)


def test_media_have_their_size_even_where_no_post_has_any(posts):
    features = SimpleFeatures(posts[3:])
    assert features.part("audio", posts[3:]).shape == (1, AUDIO_DIM + 1)
    assert features.part("audio", posts).shape == (4, AUDIO_DIM + 1)


def test_text_vectors_are_fitted_on_training_posts_alone(posts):
    features = SimpleFeatures(posts[:2])
    train = features.part("caption", posts[:2])
    assert train.shape == (2, 2 + 1)  # not more than training texts
    before = features.part("caption", posts[2:3])
    other = SimpleFeatures(posts[:2])
    assert np.array_equal(other.part("caption", [posts[2], posts[0]])[:1], before)


@pytest.mark.parametrize("texts", [[""], ["", "!!! ..."], ["one"], ["a", "b"]])
def test_small_corpora_give_finite_vectors(texts):
    train = [Post(str(i), {"caption": t, "lyrics": "x"}) for i, t in enumerate(texts)]
    vectors = SimpleFeatures(train).part(
        "caption", [*train, Post("n", {"caption": "b"})]
    )
    assert len(vectors) == len(texts) + 1
    assert np.isfinite(vectors).all()


def test_text_vectors_keep_what_an_exact_decomposition_keeps(monkeypatch):
    """Where singular values are close, power iterations stop short of the best ones."""
    random = np.random.default_rng(0)
    shares = 1 / np.arange(1, 301)
    words = [f"w{number}" for number in range(300)]
    lengths = random.integers(3, 12, size=200)
    texts = [random.choice(words, n, p=shares / shares.sum()) for n in lengths]
    posts = [Post(f"{n}", {"caption": " ".join(t)}) for n, t in enumerate(texts)]

    def kept():
        return np.square(SimpleFeatures(posts).part("caption", posts)).sum()

    found = kept()
    monkeypatch.setattr(
        simple_features,
        "randomized_svd",
        lambda counts, dim, **_: (
            None,
            None,
            np.linalg.svd(counts.toarray(), full_matrices=False)[2][:dim],
        ),
    )
    assert 0.998 < found / kept() <= 1  # two iterations: .994


def test_other_scripts_have_words_too():
    train = [Post("1", {"caption": "черная кошка"}), Post("2", {"caption": "дом"})]
    new = [Post("3", {"caption": "кошки"}), Post("4", {"caption": "xyz"})]
    vectors = SimpleFeatures(train).part("caption", new)
    assert np.abs(vectors[0]).max() > 0.01
    assert not vectors[1].any()


def test_unknown_parts_and_broken_files_are_errors(tmp_path):
    post = Post("1", image=tmp_path / "absent.png")
    features = SimpleFeatures([post])
    with pytest.raises(ValueError, match="one of lyrics, caption, audio, image"):
        features.part("video", [post])
    (tmp_path / "absent.png").write_bytes(b"no picture")
    with pytest.raises(ValueError, match=Path("absent.png").name):
        features.part("image", [post])
