import json

import numpy as np
import pytest

from keras_jtav.cli import main
from keras_jtav.config import Config
from keras_jtav.data.npy_arrays import load_npy
from keras_jtav.data.splits import split_posts
from keras_jtav.encoders import ENCODERS
from keras_jtav.experiments import preset_config
from keras_jtav.model import build_model
from keras_jtav.preparation import prepare, silent
from keras_jtav.running import run

# The released code's sizes, but for the words of lyrics.
SIZES = {"words": 20, "frames": 215, "bins": 96, "channels": 1024, "dim": 300}
SMALL = {"words": 6, "frames": 4, "bins": 3, "channels": 5, "dim": 2}
SONGS, TEST_SONGS, IMAGES = 12, 5, 3
SPLITS = ("train", "test")
PARTS = ("lyric", "caption", "audio", "image_densenet121")


class Source:
    """Songs and queries to make arrays of, and the arrays in their layout."""

    def __init__(self, sizes=SMALL, seed=0):
        draw = np.random.default_rng(seed)
        s = sizes
        table = draw.normal(size=(40, s["dim"]))
        table[0] = 0.0  # padding
        self.lyric = np.zeros((SONGS, s["words"], s["dim"]))
        self.lyric[:, :4] = table[draw.integers(1, 40, (SONGS, 4))]
        self.audio = draw.uniform(-80, 0, (SONGS, s["frames"], s["bins"], 1))
        queries = SONGS * IMAGES
        self.caption = table[draw.integers(1, 40, (queries, 5))]
        self.caption[::2] = 0.0  # every second query has no caption
        shape = (queries, 1, 1, s["channels"])
        self.image_densenet121 = draw.uniform(0, 2, shape)

    def rows(self, part, queries, songs):
        rows = songs if part in ("lyric", "audio") else queries
        return getattr(self, part)[rows].astype("float32")

    def put(self, folder, flat=False):
        """Write dataset_a: query q is of song q // IMAGES, the last songs for test."""
        arrays = folder / "dataset_a" / "train_data"
        arrays.mkdir(parents=True)
        (folder / "dataset_a" / "splits").mkdir()
        num_train = SONGS - TEST_SONGS
        queries = np.arange(num_train * IMAGES)
        songs = queries // IMAGES
        false = (songs + 1) % num_train
        pairs = np.concatenate([queries, queries]), np.concatenate([songs, false])
        labels = np.repeat([1, 0], len(queries))
        order = np.random.default_rng(1).permutation(len(labels))
        self._save(folder, "train", pairs[0][order], pairs[1][order], labels[order])
        queries = np.arange(num_train * IMAGES, SONGS * IMAGES)
        songs = np.arange(num_train, SONGS)
        labels = (queries[:, None] // IMAGES == songs).astype("int32")
        if flat:
            shape = labels.shape
            queries, songs = np.repeat(queries, shape[1]), np.tile(songs, shape[0])
        self._save(folder, "test", queries, songs, labels.ravel())
        return folder

    def _save(self, folder, split, queries, songs, labels):
        for part in PARTS:
            path = folder / "dataset_a" / "train_data" / f"{split}_{part}.npy"
            np.save(path, self.rows(part, queries, songs))
        np.save(folder / "dataset_a" / "splits" / f"{split}.npy", labels)


def words_of(features, text):
    """Return the vectors that a text of pseudo words stands for."""
    rows = {word: row for row, word in enumerate(features.words)}
    return features.word_vectors[[rows[word] for word in text.split()]]


@pytest.mark.parametrize("flat", [False, True])
def test_posts_are_the_true_pairs(tmp_path, flat):
    source = Source()
    table = load_npy("retrieval", "dagger", source.put(tmp_path, flat))
    posts = {name: [p for p in table.posts if p.split == name] for name in SPLITS}
    assert len(posts["train"]) == (SONGS - TEST_SONGS) * IMAGES
    assert len(posts["test"]) == TEST_SONGS * IMAGES
    songs = {name: {post.song for post in part} for name, part in posts.items()}
    assert len(songs["train"]) == SONGS - TEST_SONGS
    assert len(songs["test"]) == TEST_SONGS
    assert not songs["train"] & songs["test"]
    images = source.image_densenet121[:, 0, 0].astype("float32")
    store = table.features.store
    seen = set()
    for post in table.posts:
        (query,) = np.flatnonzero((images == store.image(post.image)).all(axis=1))
        song = query // IMAGES
        lyrics = words_of(table.features, post.texts["lyrics"])
        np.testing.assert_allclose(lyrics, source.lyric[song, :4], rtol=1e-6)
        # -80 and 0 are near the extremes of the training songs.
        audio = source.audio[song, ..., 0]
        low, high = source.audio[: SONGS - TEST_SONGS].min(), source.audio[:7].max()
        expected = np.clip((audio - low) / (high - low), 0, 1)
        np.testing.assert_allclose(
            store.spectrogram(post.audio), expected[None], atol=1e-5
        )
        assert bool(post.texts["caption"]) == query % 2
        if post.texts["caption"]:
            caption = words_of(table.features, post.texts["caption"])
            np.testing.assert_allclose(caption, source.caption[query], rtol=1e-6)
        seen.add(query)
    assert seen == set(range(SONGS * IMAGES))


def test_equal_pairs_are_one_post_and_zeros_are_missing(tmp_path):
    source = Source()
    source.image_densenet121[1] = source.image_densenet121[0]
    source.caption[1] = source.caption[0]
    source.audio[1] = 0.0
    table = load_npy("retrieval", "dagger", source.put(tmp_path))
    train = [post for post in table.posts if post.split == "train"]
    assert len(train) == (SONGS - TEST_SONGS) * IMAGES - 1
    assert sum(post.audio is None for post in train) == IMAGES


def test_validation_comes_from_training(tmp_path):
    table = load_npy("retrieval", "dagger", Source().put(tmp_path))
    parts = split_posts(table.posts, "dagger")
    songs = {name: {post.song for post in part} for name, part in parts.items()}
    assert songs["validation"]
    assert not songs["validation"] & songs["train"]
    (tmp_path / "dataset_a").rename(tmp_path / "dataset_b")
    table = load_npy("retrieval", "section", tmp_path)
    parts = split_posts(table.posts, "section")
    assert {p.song for p in parts["validation"]} == {p.song for p in parts["train"]}
    assert len(parts["validation"]) == SONGS - TEST_SONGS


def test_features_reach_the_models_as_they_are(tmp_path):
    source = Source()
    folder = source.put(tmp_path)
    config = preset_config("retrieval", "small").override(
        ["dataset=npy", f"dataset.folder={folder}", "data.fractions=0.6,0.2,0.2"]
    )
    prepared = prepare(config, silent)
    names = ["words", "supporting_words", "spectrogram", "segment_mask", "image"]
    (batch,) = prepared.features["test"].encoding(names, 99)
    posts = prepared.posts["test"]
    store = prepared.ready.store
    assert batch["spectrogram"].shape == (len(posts), 1, 4, 3)
    assert np.asarray(batch["segment_mask"]).all()
    for row, post in enumerate(posts):
        np.testing.assert_array_equal(batch["image"][row], store.image(post.image))
        ids = np.asarray(batch["words"][row, :, 0])
        dim = prepared.spec.embedding_dim  # latent semantics follow
        vectors = prepared.vocabulary.matrix[ids[ids > 0], :dim]
        expected = words_of(prepared.ready, post.texts["lyrics"])
        ratio = vectors / expected
        np.testing.assert_allclose(ratio, ratio[0, 0], rtol=1e-5)


TINY = (
    *("text.units=4", "text.attention_units=4", "audio.filters=[2,2]"),
    *("audio.units=4", "audio.dim=6", "image.dim=8", "fusion.attention_units=4"),
    *("fusion.units=6", "train.epochs=1", "data.fractions=0.6,0.2,0.2"),
)


@pytest.mark.slow
def test_a_retrieval_run_from_end_to_end(tmp_path, capsys):
    folder = Source(SIZES).put(tmp_path / "arrays")
    config = preset_config("retrieval", "small").override(
        ["dataset=npy", f"dataset.folder={folder}", *TINY]
    )
    result = run(config, tmp_path / "runs", tmp_path / "exported")
    assert result.exported is None
    assert not (tmp_path / "exported").exists()
    output = capsys.readouterr().out
    assert "300 dimensions, vectors of the data set" in output
    assert "SavedModel none: the data set has features" in output
    strict = result.metrics["strict"]
    assert set(strict) == {"chance", "CCA", "JTAV + residual + statistics + towers"}
    assert strict["chance"]["R@1"] == pytest.approx(1 / TEST_SONGS)
    assert {path.name for path in result.folder.glob("*.png")} == {
        *("training.png", "ranks.png"),
    }
    again = run(config, tmp_path / "runs", tmp_path / "exported", resume=True)
    assert again == result


MODALITY_DIMS = {"text": 7, "audio": 5, "image": 9}


def put_sentiment(folder, sizes=(60, 20, 30)):
    """Write vectors whose first coordinates tell the label."""
    draw = np.random.default_rng(0)
    (folder / "label").mkdir(parents=True)
    for split, num_posts in zip(("train", "val", "test"), sizes, strict=True):
        labels = np.arange(num_posts) % 2
        np.save(folder / f"label/y_{split}_shutter_mood.npy", labels[:, None] * 1.0)
        for modality, dim in MODALITY_DIMS.items():
            vectors = draw.normal(size=(num_posts, dim))
            vectors[:, 0] = (2 * labels - 1) * draw.uniform(1, 3, num_posts)
            vectors[3] = 0.0 if modality == "audio" else vectors[3]
            (folder / "data" / modality).mkdir(parents=True, exist_ok=True)
            path = f"data/{modality}/X_{split}_{modality}_shutter_mood.npy"
            np.save(folder / path, vectors.astype("float32"))
    return folder


def test_vectors_of_sentiment_are_passed_on(tmp_path):
    folder = put_sentiment(tmp_path)
    table = load_npy("sentiment", folder=folder)
    assert [post.label for post in table.posts[:4]] == [0, 1, 0, 1]
    assert [post.id for post in table.posts if post.audio is None] == [
        *("train-3", "validation-3", "test-3"),
    ]
    settings = [f"{modality}=vector" for modality in MODALITY_DIMS]
    config = preset_config("sentiment", "small").override(
        ["dataset=npy", f"dataset.folder={folder}", *settings]
    )
    prepared = prepare(config, silent)
    assert {name: len(part) for name, part in prepared.posts.items()} == {
        "train": 60,
        "validation": 20,
        "test": 30,
    }
    models = build_model(config, prepared.spec, prepared.vocabulary.matrix)
    names = [tensor.name for tensor in models["train"].inputs]
    (batch,) = prepared.features["test"].encoding(names, 99)
    rows = [int(post.id.removeprefix("test-")) for post in prepared.posts["test"]]
    for modality, given in (
        ("text", {n: batch[n] for n in ("words", "supporting_words")}),
        ("audio", batch["spectrogram"][:, 0]),
        ("image", batch["image"]),
    ):
        path = f"data/{modality}/X_test_{modality}_shutter_mood.npy"
        expected = np.load(folder / path)[rows]
        encoder = ENCODERS[modality]["vector"](prepared.spec)
        if modality == "text":
            encoder.set_weights([prepared.vocabulary.matrix])
        found = np.asarray(encoder(given))
        scale = found[0, 0] / expected[0, 0]
        np.testing.assert_allclose(found, scale * expected, rtol=1e-4, atol=1e-6)
        assert modality == "text" or scale == 1.0


def test_a_sentiment_run_from_the_command_line(tmp_path):
    folder = put_sentiment(tmp_path / "arrays")
    runs = tmp_path / "runs"
    words = ["train", "--dataset", "npy", "--data-dir", str(folder)]
    words += ["--runs-dir", str(runs), "--exports-dir", str(tmp_path / "exported")]
    words += ["--set", "train.epochs=4", "--set", "fusion.units=6"]
    assert main(words) == 0
    (run_folder,) = runs.iterdir()
    assert Config.load(run_folder / "config.json").text.name == "vector"
    saved = json.loads((run_folder / "metrics.json").read_text())
    assert saved["model"] == ""
    strict = saved["metrics"]["strict"]
    assert strict["logistic audio"]["auc"] > 0.9
    assert strict["majority class"]["auc"] == 0.5
    assert (run_folder / "sentiment.png").exists()


def refuses(message, task="retrieval", split="dagger", error=ValueError, **arguments):
    with pytest.raises(error, match=message):
        load_npy(task, split, **arguments)


def test_missing_and_misshaped_arrays_are_named(tmp_path):
    folder = Source().put(tmp_path)
    arrays = folder / "dataset_a" / "train_data"

    def replaced(name, array, message):
        path = folder / "dataset_a" / name
        kept = path.read_bytes()
        np.save(path, array)
        refuses(message, folder=folder)
        path.write_bytes(kept)

    replaced(
        "train_data/train_audio.npy",
        np.zeros((5, 4, 3)),
        r"train_audio.npy has the shape \(5, 4, 3\); expected "
        r"\(train pairs=42, frames, bins, 1\)",
    )
    replaced(
        "train_data/test_lyric.npy",
        np.zeros((5, 6, 3)),
        r"test_lyric.npy has the shape \(5, 6, 3\); expected "
        r"\(test songs, words=6, dim=2\)",
    )
    replaced("train_data/train_caption.npy", np.array(["a"]), "of type <U1; expected")
    replaced("train_data/train_caption.npy", np.array([{}]), "cannot be read as an")
    replaced("splits/train.npy", np.ones(5), "has 5 labels; expected .* 42 pairs")
    replaced("splits/test.npy", np.ones(9), "expected .* 15 queries .* 5 songs: 75")
    replaced("splits/test.npy", np.zeros(75), "has no 1 in row 0 of the matrix")
    replaced("splits/test.npy", np.full(75, 2), "has the label 2; expected 0 and 1")
    lyrics = np.load(arrays / "train_lyric.npy")
    lyrics[np.flatnonzero(np.load(folder / "dataset_a/splits/train.npy"))[2]] = np.nan
    replaced("train_data/train_lyric.npy", lyrics, r"train_lyric.npy, row \d+, holds")
    (arrays / "test_audio.npy").unlink()
    refuses(r"no array .*test_audio\.npy", error=FileNotFoundError, folder=folder)
    message = r"splits dagger and section; received data\.split=random"
    refuses(message, split="random", folder=folder)
    refuses("'npy' lies in a folder")


def test_songs_without_a_query_are_told(tmp_path, caplog):
    folder = Source().put(tmp_path)
    path = folder / "dataset_a" / "splits" / "test.npy"
    labels = np.load(path).reshape(-1, TEST_SONGS)
    labels[:, 0] |= labels[:, 1]
    labels[:, 1] = 0
    np.save(path, labels)
    table = load_npy("retrieval", "dagger", folder)
    assert len({p.song for p in table.posts if p.split == "test"}) == TEST_SONGS - 1
    assert "1 of 5 rows of songs" in caplog.text


def test_sentiment_arrays_are_checked(tmp_path):
    folder = put_sentiment(tmp_path)
    np.save(folder / "label/y_val_shutter_mood.npy", np.zeros(3))
    refuses(
        "y_val_.* has 3 labels; expected one for each of 20", "sentiment", folder=folder
    )
    np.save(folder / "data/image/X_train_image_shutter_mood.npy", np.zeros((9, 9)))
    refuses(
        r"X_train_image_.*\(9, 9\); expected \(train posts=60, image dim\)",
        "sentiment",
        folder=folder,
    )


def test_settings_that_do_not_fit_vectors_are_refused(tmp_path):
    folder = put_sentiment(tmp_path)
    config = preset_config("sentiment", "small").override(
        ["dataset=npy", f"dataset.folder={folder}"]
    )
    with pytest.raises(ValueError, match=r"`text=att_bigru` .* Use --set text=vector"):
        prepare(config, silent)
    with pytest.raises(ValueError, match=r"own word vectors\. Leave --fasttext out"):
        prepare(config.override(["features.fasttext=cc.bin"]), silent)
