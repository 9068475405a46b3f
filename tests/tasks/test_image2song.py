from dataclasses import replace

import keras
import numpy as np
import pytest

from keras_jtav.config import Config
from keras_jtav.evaluation.pair_scores import pair_scores
from keras_jtav.evaluation.ranks import rank_metrics
from keras_jtav.experiments import find_experiment, preset_config
from keras_jtav.judging import RetrievalJudge
from keras_jtav.layers import tags_of_words
from keras_jtav.model import build_model, check_config
from keras_jtav.preparation import prepare
from keras_jtav.running import model_name

CANDIDATES = 3
TAG_ROWS = (5, 8, 13, 17)
SETTINGS = (
    "task=retrieval",
    "matching=image2song",
    "modalities=text,image",
    f"train.negatives={CANDIDATES - 1}",
)


@pytest.fixture(scope="module")
def tagged(spec):
    return replace(spec, tag_rows=TAG_ROWS)


@pytest.fixture(scope="module")
def models(tagged, small_settings):
    # Words as far apart as trained ones; the table's own start is close to zero.
    table = np.random.default_rng(0).normal(size=(20, 8)).astype("float32")
    config = Config().override([*small_settings, *SETTINGS])
    return build_model(config, tagged, table)


def encode(model, features):
    wanted = {tensor.name: features[tensor.name] for tensor in model.inputs}
    return {name: np.array(array) for name, array in model(wanted).items()}


def training_features(make_features, queries):
    query = make_features(queries, seed=1)
    songs = make_features(queries * CANDIDATES, seed=2)["words"]
    return {
        **{n: query[n] for n in ("image", "image_mask", "supporting_words")},
        "words": songs.reshape(queries, CANDIDATES, *songs.shape[1:]),
    }


@pytest.mark.parametrize("block_pairs", [1, 7, 1000])
def test_the_nearest_point_has_the_highest_score(models, make_features, block_pairs):
    queries = encode(models["encode_query"], make_features(4, seed=3))
    songs = encode(models["encode_song"], make_features(5, seed=4))
    scores = pair_scores(models, queries, songs, block_pairs)
    to_point = models["score"].get_layer("song_point")
    for query in range(4):
        errors = []
        for song in range(5):
            pair = {n: a[song : song + 1] for n, a in songs.items()}
            pair["image_vector"] = queries["image_vector"][query : query + 1]
            point = np.asarray(to_point(pair))[0]
            distances = [
                (a - b) ** 2
                for a, b in zip(queries["image_vector"][query], point, strict=True)
            ]
            errors.append(sum(distances) / len(distances))
        assert np.ptp(errors) > 1e-6
        # The scale starts at the number of tags and the bias at 0.
        np.testing.assert_allclose(scores[query], -4 * np.array(errors), atol=1e-5)


def test_training_scores_are_those_of_encoded_items(models, make_features):
    features = training_features(make_features, 2)
    logits = np.asarray(models["train"](features))
    queries = encode(models["encode_query"], features)
    words = features["words"].reshape(-1, *features["words"].shape[2:])
    songs = encode(models["encode_song"], {"words": words})
    scores = pair_scores(models, queries, songs)
    for query in range(2):
        own = scores[query, query * CANDIDATES :][:CANDIDATES]
        np.testing.assert_allclose(own, logits[query], atol=1e-5)


def test_captions_are_read_in_training_alone(models, make_features):
    names = {n: {t.name for t in model.inputs} for n, model in models.items()}
    assert names["encode_query"] == {"image", "image_mask"}
    assert names["encode_song"] == {"words"}
    features = training_features(make_features, 2)

    def losses():
        models["train"](features, training=True)
        return [float(loss) for loss in models["train"].losses[:2]]

    before = losses()
    assert len(before) == 2
    own = np.concatenate([features["words"][:, 0], features["supporting_words"]], 1)
    assert np.asarray(tags_of_words(own, TAG_ROWS)).any()
    features["words"] = np.full_like(features["words"], 2)
    features["supporting_words"] = np.full_like(features["supporting_words"], 2)
    assert losses() == [0, 0], "no post has a tag"
    features["supporting_words"][0, 0, 0] = TAG_ROWS[0]
    picture, song = losses()
    assert picture > 0
    assert song == 0


def test_what_a_missing_picture_holds_does_not_matter(models, make_features):
    one, other = make_features(2, seed=5), make_features(2, seed=6)
    for features in (one, other):
        features["image_mask"][0] = False
    one, other = (encode(models["encode_query"], f) for f in (one, other))
    np.testing.assert_allclose(*(f["image_vector"][0] for f in (one, other)))
    assert np.abs(one["image_vector"][1] - other["image_vector"][1]).max() > 1e-6


def test_it_finds_the_songs_of_new_pictures(tagged, small_settings, make_features):
    """Each of four colours goes with one tag; the other words are drawn."""
    draw = np.random.default_rng(0)
    config = Config().override([*small_settings, *SETTINGS, "train.negatives=1"])
    table = draw.normal(size=(20, 8)).astype("float32")
    models = build_model(config, tagged, table)

    def make(posts):
        kinds = np.arange(posts) % 4
        colours = np.array([[230, 20, 20], [20, 230, 20], [20, 20, 230], [230] * 3])
        noise = draw.integers(-20, 20, (posts, 32, 32, 3))
        words = draw.choice([2, 3, 4, 6], (posts, 6, 2)).astype("int32")
        words[np.arange(posts), draw.integers(0, 6, posts), 0] = np.take(
            TAG_ROWS, kinds
        )
        image = (colours[kinds][:, None, None] + noise).clip(0, 255).astype("uint8")
        return kinds, {"image": image, "image_mask": np.ones(posts, bool)}, words

    kinds, pictures, words = make(256)
    false = words[(np.arange(256) + draw.integers(1, 4, 256)) % 256]
    features = {
        **pictures,
        "words": np.stack([words, false], axis=1),
        "supporting_words": np.zeros((256, 3, 2), "int32"),
    }
    model = models["train"]
    loss = keras.losses.BinaryCrossentropy(from_logits=True)
    model.compile(keras.optimizers.Adam(0.01), loss, jit_compile=False)
    labels = np.tile([1.0, 0.0], (256, 1))
    model.fit(features, labels, batch_size=32, epochs=6, verbose=0)
    kinds, pictures, words = make(40)
    queries = encode(models["encode_query"], pictures)
    scores = pair_scores(
        models, queries, encode(models["encode_song"], {"words": words})
    )
    best = kinds[np.argmax(scores, axis=1)]
    assert np.mean(best == kinds) > 0.8  # chance: .25


def test_the_row_runs_on_posts_and_can_be_saved(tiny_settings, tmp_path):
    row = find_experiment("figure5", "retrieval", "small").rows["image2song"]
    config = preset_config("retrieval", "small").override([*tiny_settings, *row])
    prepared = prepare(config, lambda items, total, title: items)
    assert 0 < len(prepared.spec.tag_rows) <= 200
    models = build_model(config, prepared.spec, prepared.vocabulary.matrix)
    judge = RetrievalJudge(models, prepared)
    scores = judge.scores("test")
    assert {"mrr", "R@10"} <= set(rank_metrics(scores, judge.matches("test")))
    assert model_name(config) == "image2song"
    for name in ("encode_query", "encode_song", "score"):
        models[name].save(tmp_path / "model.keras")
        loaded = keras.saving.load_model(tmp_path / "model.keras")
        for old, new in zip(models[name].weights, loaded.weights, strict=True):
            np.testing.assert_array_equal(old, new)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        (["modalities=text,audio,image"], "must be text,image; received text,audio"),
        (["text=lyrics_han"], "Word states are those of"),
        (
            ["matching.unit=3"],
            "Unknown key `matching.unit`. Valid keys of 'image2song'",
        ),
    ],
)
def test_errors(tagged, small_settings, settings, message):
    config = Config().override([*small_settings, *SETTINGS, *settings])
    with pytest.raises(ValueError, match=message):
        build_model(config, tagged)


def test_it_needs_tags(spec, small_settings):
    config = Config().override([*small_settings, *SETTINGS])
    check_config(config)
    with pytest.raises(ValueError, match=r"Add `features\.tags=200`"):
        build_model(config, spec)
    with pytest.raises(ValueError, match="`matching` must be one of jtav, image2song"):
        config.override(["matching=clip"])
