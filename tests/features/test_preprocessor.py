import json
import subprocess
import sys

import keras
import numpy as np
import pytest
import tensorflow as tf

from keras_jtav.config import FeatureOptions
from keras_jtav.features.preprocessor import Preprocessor
from keras_jtav.features.vocabulary import Vocabulary

OPTIONS = FeatureOptions(
    words=6,
    supporting_words=2,
    spectrogram="mel",
    clip_seconds=0.25,
    hop_samples=512,
    bins=24,
    image_size=16,
    fasttext="/home/someone/cc.en.vec",
)
CLIP = 5512  # 0.25 s at 22,050 Hz, rounded to even
FRAMES = 1 + CLIP // 512
SIGNATURE = {
    "lyrics": tf.TensorSpec((), tf.string),
    "caption": tf.TensorSpec((), tf.string),
    "audio": tf.TensorSpec((None,), tf.float32),
    "image": tf.TensorSpec((None, None, 3), tf.uint8),
}


def make_preprocessor(**changes):
    words = ["sun", "moon", "la", "happy"]
    matrix = np.zeros((2 + len(words) + 50, 4), "float32")
    options = FeatureOptions(**{**vars(OPTIONS), **changes})
    return Preprocessor(options, Vocabulary(words, matrix, 3, 5, 50))


@pytest.fixture(scope="module")
def preprocessor():
    return make_preprocessor()


@pytest.fixture(scope="module")
def posts():
    """A whole post, one of a longer caption and two segments, and an empty one."""
    random = np.random.default_rng(0)
    rows = [
        ("La la la, MOON", "so happy", CLIP // 2, (20, 31, 3)),
        ("sun", "happy moonlight over the sea", 2 * CLIP, (5, 4, 3)),
        ("", "", 0, (0, 0, 3)),
    ]
    return [
        {
            "lyrics": tf.constant(lyrics),
            "caption": tf.constant(caption),
            "audio": tf.constant(random.normal(size=samples) * 0.1, tf.float32),
            "image": tf.constant(random.integers(0, 256, shape), tf.uint8),
        }
        for lyrics, caption, samples, shape in rows
    ]


def assert_same(features, expected):
    assert features.keys() == expected.keys()
    for name, array in expected.items():
        np.testing.assert_allclose(features[name], array, atol=1e-6, err_msg=name)


def as_dataset(posts):
    return tf.data.Dataset.from_generator(lambda: posts, output_signature=SIGNATURE)


def test_features_have_the_shapes_of_the_spec(preprocessor, posts):
    features = preprocessor(posts[1])
    shapes = {
        name: (array.dtype.name, *array.shape) for name, array in features.items()
    }
    assert shapes == {
        "words": ("int32", 6, 24),
        "supporting_words": ("int32", 2, 24),
        "spectrogram": ("float32", 2, FRAMES, 24),
        "segment_mask": ("bool", 2),
        "image": ("uint8", 16, 16, 3),
        "image_mask": ("bool",),
    }
    assert preprocessor.spec.frames == FRAMES


@pytest.mark.parametrize("spectrogram", ["mel", "cqt"])
def test_mapped_equals_direct(spectrogram, posts):
    preprocessor = make_preprocessor(spectrogram=spectrogram)
    mapped = as_dataset(posts).map(preprocessor)
    assert mapped.element_spec["spectrogram"].shape == (None, FRAMES, 24)
    assert mapped.element_spec["image"].shape == (16, 16, 3)
    assert mapped.element_spec["words"].shape == (6, 24)
    for post, features in zip(posts, mapped, strict=True):
        assert_same(features, preprocessor(post))


def test_padded_batches_hold_the_same_rows(preprocessor, posts):
    batch = next(iter(as_dataset(posts).map(preprocessor).padded_batch(3)))
    assert batch["spectrogram"].shape == (3, 2, FRAMES, 24)
    assert batch["segment_mask"].numpy().tolist() == [
        [True, False],
        [True, True],
        [False, False],
    ]
    assert batch["image_mask"].numpy().tolist() == [True, True, False]
    for row, post in enumerate(posts):
        expected = preprocessor(post)
        segments = expected["segment_mask"].shape[0]
        features = {name: array[row] for name, array in batch.items()}
        for name in ("spectrogram", "segment_mask"):
            assert not features[name][segments:].numpy().any()
            features[name] = features[name][:segments]
        assert_same(features, expected)


def test_batches_of_text_hold_the_same_rows(preprocessor, posts):
    lyrics = tf.stack([post["lyrics"] for post in posts])
    caption = tf.stack([post["caption"] for post in posts])
    batch = preprocessor.text(lyrics, caption)
    for row, post in enumerate(posts):
        expected = preprocessor(post)
        for name, ids in batch.items():
            np.testing.assert_array_equal(ids[row], expected[name])


def save(preprocessor, folder):
    module = tf.Module()
    module.preprocessor = preprocessor
    names = {
        name: tf.TensorSpec(s.shape, s.dtype, name) for name, s in SIGNATURE.items()
    }
    module.features = tf.function(lambda **post: preprocessor(post))
    signature = module.features.get_concrete_function(**names)
    tf.saved_model.save(module, str(folder), signatures={"features": signature})


@pytest.mark.parametrize("spectrogram", ["mel", "cqt"])
def test_a_saved_model_gives_the_same(spectrogram, posts, tmp_path):
    preprocessor = make_preprocessor(spectrogram=spectrogram)
    save(preprocessor, tmp_path)
    serve = tf.saved_model.load(str(tmp_path)).signatures["features"]
    for post in posts:
        assert_same(serve(**post), preprocessor(post))


@pytest.mark.slow
def test_a_saved_model_gives_the_same_in_a_process_without_keras(
    preprocessor, posts, tmp_path
):
    save(preprocessor, tmp_path / "model")
    code = """
import sys
for name in ("keras", "keras_jtav"):
    sys.modules[name] = None
import numpy as np, tensorflow as tf
serve = tf.saved_model.load(sys.argv[1]).signatures["features"]
arrays = np.load(sys.argv[2])
features = {}
for row in range(3):
    names = ("lyrics", "caption", "audio", "image")
    post = {name: tf.constant(arrays[f"{row}/{name}"]) for name in names}
    for name, array in serve(**post).items():
        features[f"{row}/{name}"] = array.numpy()
np.savez(sys.argv[3], **features)
"""
    # Strings as bytes, which `np.load` reads without pickle.
    arrays = {
        f"{row}/{name}": np.array(value, "S" if value.dtype == tf.string else None)
        for row, post in enumerate(posts)
        for name, value in post.items()
    }
    np.savez(tmp_path / "posts.npz", **arrays)
    paths = [str(tmp_path / name) for name in ("model", "posts.npz", "features.npz")]
    subprocess.run([sys.executable, "-c", code, *paths], check=True, cwd=tmp_path)
    with np.load(paths[2]) as served:
        for row, post in enumerate(posts):
            expected = preprocessor(post)
            assert_same({name: served[f"{row}/{name}"] for name in expected}, expected)


@pytest.mark.parametrize("spectrogram", ["mel", "cqt"])
def test_spectrograms_are_made_on_the_host(spectrogram):
    preprocessor = make_preprocessor(spectrogram=spectrogram)
    with tf.device("GPU"):
        traced = tf.function(preprocessor.audio)
        graph = traced.get_concrete_function(SIGNATURE["audio"]).graph.as_graph_def()
    inner = [node for function in graph.library.function for node in function.node_def]
    heavy = [
        node.device
        for node in (*graph.node, *inner)
        if node.op in ("Conv2D", "MatMul", "RFFT", "BatchMatMulV2", "BatchMatMulV3")
    ]
    assert heavy
    assert all("CPU" in device for device in heavy)


def test_the_longer_text_is_the_protagonist(preprocessor):
    lyrics, caption = tf.constant(["sun", "la la"]), tf.constant(["moon happy", "sun"])
    features = preprocessor.text(lyrics, caption)
    # Own rows: sun 2, moon 3, la 4, happy 5.
    assert features["words"].numpy()[:, :3, 0].tolist() == [[3, 5, 0], [4, 4, 0]]
    assert features["supporting_words"].numpy()[..., 0].tolist() == [[2, 0], [2, 0]]


def test_lyrics_and_caption_have_fixed_roles(preprocessor):
    words = preprocessor.lyrics(tf.constant(["sun"]))["words"]
    supporting = preprocessor.caption(tf.constant(["moon happy la"]))
    assert words.numpy()[0, :, 0].tolist() == [2, 0, 0, 0, 0, 0]
    assert supporting["supporting_words"].numpy()[0, :, 0].tolist() == [3, 5]


@pytest.mark.parametrize("spectrogram", ["mel", "cqt"])
def test_spectrograms_reach_from_zero_to_one_whatever_the_loudness(spectrogram):
    preprocessor = make_preprocessor(spectrogram=spectrogram)
    seconds = np.arange(CLIP) / 22_050
    tone = np.sin(2 * np.pi * 65.4 * seconds).astype("float32")
    loud, quiet = (
        preprocessor.audio(tf.constant(gain * tone))["spectrogram"].numpy()
        for gain in (0.5, 0.05)
    )
    assert loud.max() == quiet.max() == 1
    assert loud.min() >= 0
    np.testing.assert_allclose(loud, quiet, atol=1e-4)


@pytest.mark.parametrize("spectrogram", ["mel", "cqt"])
def test_a_silent_segment_is_zeros_and_present(spectrogram):
    preprocessor = make_preprocessor(spectrogram=spectrogram)
    random = np.random.default_rng(0)
    waveform = np.concatenate([np.zeros(CLIP), random.normal(size=CLIP)])
    features = preprocessor.audio(tf.constant(waveform, tf.float32))
    assert features["segment_mask"].numpy().tolist() == [True, True]
    assert not features["spectrogram"].numpy()[0].any()
    assert features["spectrogram"].numpy()[1].max() == 1


def test_a_segment_does_not_depend_on_the_others(preprocessor):
    random = np.random.default_rng(0)
    quiet, loud = random.normal(size=(2, CLIP)).astype("float32") * [[0.01], [1]]
    together = preprocessor.audio(
        tf.constant(np.concatenate([quiet, loud]), tf.float32)
    )
    alone = preprocessor.audio(tf.constant(quiet, tf.float32))
    np.testing.assert_allclose(
        together["spectrogram"][0], alone["spectrogram"][0], atol=1e-6
    )


def test_samples_that_are_no_numbers_count_as_silence(preprocessor):
    waveform = np.random.default_rng(0).normal(size=CLIP).astype("float32")
    repaired = waveform.copy()
    waveform[[5, 6, 7]] = [np.nan, np.inf, -np.inf]
    repaired[[5, 6, 7]] = 0
    np.testing.assert_array_equal(
        preprocessor.audio(tf.constant(waveform))["spectrogram"],
        preprocessor.audio(tf.constant(repaired))["spectrogram"],
    )


def test_missing_media_are_zeros_and_masked(preprocessor, posts):
    features = {name: array.numpy() for name, array in preprocessor(posts[2]).items()}
    assert features["spectrogram"].shape == (1, FRAMES, 24)
    assert features["segment_mask"].tolist() == [False]
    assert not any(array.any() for array in features.values())


def test_settings_are_json_and_name_no_folder(preprocessor):
    settings = json.loads(preprocessor.json_settings())
    assert settings["sample_rate_hz"] == 22_050
    assert settings["options"]["spectrogram"] == "mel"
    assert settings["options"]["fasttext"] == "cc.en.vec"
    assert settings["spec"]["frames"] == FRAMES
    versions = {"keras": keras.__version__, "tensorflow": tf.__version__}
    assert settings["versions"] == versions


def test_an_unknown_spectrogram_is_refused():
    with pytest.raises(ValueError, match="`spectrogram` must be one of cqt, mel"):
        make_preprocessor(spectrogram="mfcc")
