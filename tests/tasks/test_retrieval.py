from dataclasses import replace

import keras
import numpy as np
import pytest

from keras_jtav.config import Config
from keras_jtav.evaluation import pair_scores as scoring
from keras_jtav.evaluation.pair_scores import pair_scores
from keras_jtav.fusion.cmf_ap_of_all_pairs import unify_all_pairs
from keras_jtav.layers.sound_course import SOUND_COURSE
from keras_jtav.model import build_model

CANDIDATES = 3


@pytest.fixture(scope="module", params=[0, 4], ids=["paper", "towers"])
def models(request, spec, small_settings):
    settings = [
        "task=retrieval",
        *small_settings,
        f"tower_units={request.param}",
        f"train.negatives={CANDIDATES - 1}",
    ]
    return build_model(Config().override(settings), spec)


def training_features(models, make_features, queries):
    query = make_features(queries, seed=1)
    song = make_features(queries * CANDIDATES, segments=1, seed=2)
    names = {tensor.name for tensor in models["train"].inputs}
    features = {n: query[n] for n in ("image", "image_mask", "supporting_words")}
    for name in ("words", "spectrogram", "segment_mask"):
        features[name] = song[name].reshape(queries, CANDIDATES, *song[name].shape[1:])
    if "song_keys" in names:
        song = np.arange(queries * CANDIDATES, dtype="int32")
        shape = (queries, CANDIDATES, 2)
        features["song_keys"] = np.repeat(song, 2).reshape(shape)
    return features


def encode(model, features):
    wanted = {tensor.name: features[tensor.name] for tensor in model.inputs}
    return {n: np.array(t) for n, t in model(wanted).items()}


def test_training_scores_are_those_of_encoded_items(models, make_features):
    features = training_features(models, make_features, 2)
    features["words"][0, 1] = 0  # the caption stands in
    logits = np.asarray(models["train"](features))
    assert logits.shape == (2, CANDIDATES)
    songs = {
        name: features[name].reshape(-1, *features[name].shape[2:])
        for name in ("words", "spectrogram", "segment_mask")
    }
    scores = pair_scores(
        models,
        encode(models["encode_query"], features),
        encode(models["encode_song"], songs),
    )
    for query in range(2):
        own = scores[query, query * CANDIDATES :][:CANDIDATES]
        np.testing.assert_allclose(own, logits[query], atol=1e-5)


def test_blocks_do_not_change_scores(models, make_features, monkeypatch):
    monkeypatch.setattr(scoring, "PAIRS_AT_ONCE", 8)  # of 30 pairs
    queries = encode(models["encode_query"], make_features(5, seed=3))
    queries["supporting_words"][[1, 4]] = queries["supporting_words"][0]
    queries["supporting_words"][2] = 0
    songs = encode(models["encode_song"], make_features(6, seed=4))
    one_by_one = np.empty((5, 6))
    for query, song in np.ndindex(5, 6):
        one_by_one[query, song] = pair_scores(
            models,
            {n: a[[query]] for n, a in queries.items()},
            {n: a[[song]] for n, a in songs.items()},
        ).item()
    for block_pairs in (1, 4, 7, 1000):
        scores = pair_scores(models, queries, songs, block_pairs)
        np.testing.assert_allclose(
            scores, one_by_one, atol=1e-5, err_msg=f"blocks of {block_pairs}"
        )


@pytest.mark.parametrize("block_pairs", [4, 9, 1000])
def test_lyrics_are_encoded_once_for_each_caption(models, make_features, block_pairs):
    captions, num_queries, num_songs = 2, 7, 6
    queries = encode(models["encode_query"], make_features(num_queries, seed=3))
    queries["supporting_words"][:] = queries["supporting_words"][0]
    queries["supporting_words"][[2, 5]] = 0
    songs = encode(models["encode_song"], make_features(num_songs, seed=4))
    encoded = []

    class CountingEncoder:
        inputs = models["encode_text"].inputs

        def predict_on_batch(self, batch):
            encoded.extend(batch["words"])
            return models["encode_text"].predict_on_batch(batch)

    counting = {**models, "encode_text": CountingEncoder()}
    scores = pair_scores(counting, queries, songs, block_pairs)
    assert len(encoded) == captions * num_songs
    np.testing.assert_allclose(scores, pair_scores(models, queries, songs), atol=1e-5)


def test_padding_that_all_lyrics_share_is_not_encoded(
    models, make_features, monkeypatch
):
    features = make_features(6, seed=4)
    assert features["words"].shape[1] > 4
    features["words"][:, 3:] = 0
    features["words"][0] = 0
    songs = encode(models["encode_song"], features)
    queries = encode(models["encode_query"], make_features(5, seed=3))
    lengths = set()

    class MeasuringEncoder:
        inputs = models["encode_text"].inputs

        def predict_on_batch(self, batch):
            lengths.add(batch["words"].shape[1])
            return models["encode_text"].predict_on_batch(batch)

    short = pair_scores({**models, "encode_text": MeasuringEncoder()}, queries, songs)
    assert lengths == {4}
    monkeypatch.setattr(scoring, "_takes_any_length", lambda encoder: False)
    np.testing.assert_allclose(short, pair_scores(models, queries, songs), atol=1e-6)


@pytest.fixture
def tables(monkeypatch):
    """What ``unify_all_pairs`` returned so far."""
    returned = []

    def unify(*arguments, **named):
        returned.append(unify_all_pairs(*arguments, **named))
        return returned[-1]

    monkeypatch.setattr(scoring, "unify_all_pairs", unify)
    return returned


@pytest.mark.parametrize("captions", ["one", "all", "none"])
@pytest.mark.parametrize(
    ("settings", "shares"),
    [
        ([], True),
        (["fusion.residual=true", "fusion.heads=2"], True),
        (["fusion.normalize=false", "tower_units=3"], True),
        (["fusion.normalize=rms"], True),
        (["modalities=image,audio"], True),
        (["modalities=text,image"], True),
        (["data.texts=caption", "fusion.residual=true"], True),
        (["fusion=early"], False),
        (["fusion.positional_bias=true"], False),
    ],
    ids=lambda value: ",".join(value) if isinstance(value, list) else str(value),
)
def test_scoring_pairs_together_does_not_change_their_scores(
    spec, small_settings, make_features, tables, monkeypatch, settings, shares, captions
):
    settings = ["task=retrieval", *small_settings, *settings]
    models = build_model(Config().override(settings), spec)
    features = make_features(5, seed=3)
    if captions != "all":
        features["supporting_words"][:] = features["supporting_words"][0]
    if captions == "none":
        features["supporting_words"][:] = 0
    features["image_mask"][1] = False
    queries = encode(models["encode_query"], features)
    songs = make_features(6, seed=4)
    songs["segment_mask"][2] = False
    songs["words"][3] = 0
    songs = encode(models["encode_song"], songs)
    together = pair_scores(models, queries, songs)
    has_own_texts = captions == "all" and "encode_text" in models
    assert [t is not None for t in tables] == [True] * (shares and not has_own_texts)
    monkeypatch.setattr(scoring, "can_share", lambda fusion: False)
    np.testing.assert_allclose(together, pair_scores(models, queries, songs), atol=1e-5)


@pytest.mark.parametrize("text", ["att_bigru", "lyrics_han"])
def test_without_lyrics_the_caption_is_the_protagonist(
    spec, small_settings, make_features, text
):
    """The row I+C+S: ``t`` is the caption's and does not wait for the pair."""
    settings = ["task=retrieval", *small_settings, f"text={text}", "data.texts=caption"]
    models = build_model(Config().override(settings), spec)
    assert "encode_text" not in models
    assert all(t.name != "words" for m in models.values() for t in m.inputs)
    features = make_features(3, seed=3)
    queries = encode(models["encode_query"], features)
    songs = encode(models["encode_song"], make_features(4, seed=4))
    scores = pair_scores(models, queries, songs)
    features["supporting_words"][0] = features["supporting_words"][1]
    features["supporting_words"][2] = 0
    others = encode(models["encode_query"], features)
    assert others["text_present"].tolist() == [True, True, False]
    np.testing.assert_allclose(others["text_vector"][0], queries["text_vector"][1])
    changed = pair_scores(models, others, songs)
    np.testing.assert_allclose(changed[1], scores[1], atol=1e-5)
    assert (np.abs(changed - scores)[[0, 2]] > 1e-6).all()
    with pytest.raises(
        ValueError, match=r"\['text', 'image'\] \(text without lyrics\)"
    ):
        build_model(Config().override([*settings, "modalities=text,image"]), spec)


@pytest.mark.parametrize("text", ["att_bigru", "lyrics_han", "vector"])
def test_beside_a_song_without_lyrics_the_caption_is_the_protagonist(
    spec, small_settings, make_features, text
):
    settings = ["task=retrieval", *small_settings, f"text={text}"]
    models = build_model(Config().override(settings), spec)
    features = make_features(3, seed=3)
    queries = encode(models["encode_query"], features)
    songs = make_features(4, seed=4)
    songs["words"][2] = 0
    songs = encode(models["encode_song"], songs)
    scores = pair_scores(models, queries, songs)
    others = {**queries, "supporting_words": queries["supporting_words"][[1, 1, 1]]}
    changed = np.abs(pair_scores(models, others, songs) - scores) > 1e-6
    assert changed[[0, 2], 2].all()
    assert not changed[1].any()

    caption = queries["supporting_words"]
    own = np.zeros_like(songs["words"][:3])
    nothing = {"words": own, "supporting_words": caption}
    read = {n: np.asarray(t) for n, t in models["encode_text"](nothing).items()}
    size = min(own.shape[1], caption.shape[1])
    own = own.copy()
    own[:, :size] = caption[:, :size]
    lyrics = {"words": own, "supporting_words": np.zeros_like(caption)}
    as_lyrics = models["encode_text"](lyrics)["text_vector"]
    np.testing.assert_allclose(read["text_vector"], as_lyrics, atol=1e-6)
    assert read["text_present"].all()


def test_weights_too_steep_to_share_are_scored_one_by_one(
    spec, small_settings, make_features, tables
):
    models = build_model(Config().override(["task=retrieval", *small_settings]), spec)
    fusion = models["score"].get_layer("fusion")
    for pair in ("text_image", "text_audio", "audio_image"):
        pooling = fusion.get_layer(pair).row_pooling
        pooling.kernel.assign(1e4 * pooling.kernel)
    features = make_features(3, seed=3)
    features["supporting_words"][:] = features["supporting_words"][0]
    queries = encode(models["encode_query"], features)
    songs = encode(models["encode_song"], make_features(4, seed=4))
    scores = pair_scores(models, queries, songs)
    assert tables == [None]
    one = pair_scores(
        models,
        {n: a[[1]] for n, a in queries.items()},
        {n: a[[2]] for n, a in songs.items()},
    )
    np.testing.assert_allclose(one[0, 0], scores[1, 2], atol=1e-5)


def test_one_step_of_training_runs(models, make_features):
    model = models["train"]
    loss = keras.losses.BinaryCrossentropy(from_logits=True)
    model.compile(keras.optimizers.Adam(0.01), loss, run_eagerly=True)
    labels = np.eye(CANDIDATES, dtype="float32")[[0, 0, 0, 0]]
    features = training_features(models, make_features, 4)
    before = model.get_weights()
    model.fit(features, labels, verbose=0)
    after = model.get_weights()
    assert any((a != b).any() for a, b in zip(before, after, strict=True))


def test_models_that_are_saved_load_and_answer_alike(models, make_features, tmp_path):
    features = make_features(2)
    for name in ("encode_query", "encode_song"):
        models[name].save(tmp_path / "model.keras")
        loaded = keras.saving.load_model(tmp_path / "model.keras")
        expected = encode(models[name], features)
        for key, array in encode(loaded, features).items():
            np.testing.assert_allclose(array, expected[key], atol=1e-6)


@pytest.mark.parametrize(
    "settings",
    [
        ["tower_units=0"],
        ["tower_units=4"],
        ["matching=image2song", "modalities=text,image"],
    ],
    ids=["paper", "towers", "image2song"],
)
def test_what_is_trained_loads_and_answers_alike(
    settings, spec, small_settings, make_features, tmp_path
):
    config = Config().override(["task=retrieval", *small_settings, *settings])
    sizes = replace(spec, lsa_dim=4, tag_rows=(2, 3, 4))
    model = build_model(config, sizes)["train"]
    random = np.random.default_rng(0)
    for weight in model.weights:
        weight.assign_add(random.uniform(0, 0.1, weight.shape))
    model.save(tmp_path / "model.keras")
    loaded = keras.saving.load_model(tmp_path / "model.keras")
    assert len(loaded.weights) == len(model.weights)
    shapes = {tensor.name: tensor.shape[1:] for tensor in model.inputs}
    given = make_features(8, segments=1)
    features = {
        name: np.resize(given.get(name, np.arange(8)), (4, *shape))
        for name, shape in shapes.items()
    }
    np.testing.assert_allclose(loaded(features), model(features), atol=1e-5)


@pytest.mark.parametrize("modalities", ["audio,image", "text,image"])
def test_two_modalities_are_enough(spec, small_settings, modalities):
    settings = ["task=retrieval", *small_settings, f"modalities={modalities}"]
    models = build_model(Config().override(settings), spec)
    assert models["train"].output_shape == (None, 2)


@pytest.mark.parametrize("modalities", ["image", "text,audio"])
def test_a_pair_needs_both_sides(spec, small_settings, modalities):
    settings = ["task=retrieval", *small_settings, f"modalities={modalities}"]
    with pytest.raises(
        ValueError, match="with image and at least one of text and audio"
    ):
        build_model(Config().override(settings), spec)


def test_the_song_tower_sees_the_course_of_sound(spec, small_settings):
    settings = ["task=retrieval", *small_settings, "tower_units=4"]
    sound, *_ = song_kernels(Config().override(settings), spec)
    assert sound.shape == (8 + SOUND_COURSE, 4)
    # A data set that brings one vector of a song has no course.
    settings += ["audio=vector"]
    sound, *_ = song_kernels(Config().override(settings), replace(spec, frames=1))
    assert sound.shape == (spec.bins, 4)


def test_the_course_of_sound_is_float32_whatever_else_is(spec, small_settings):
    settings = ["task=retrieval", *small_settings, "tower_units=4"]
    models = build_model(Config().override(settings), spec, precision="mixed_bfloat16")
    song = models["encode_song"]
    assert song.get_layer("over_segments").compute_dtype == "bfloat16"
    assert song.get_layer("course_over_segments").compute_dtype == "float32"


def song_kernels(config, spec):
    return build_model(config, spec)["encode_song"].get_layer("song_tower").kernels
