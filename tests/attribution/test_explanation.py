import dataclasses
import json
from pathlib import Path

import keras
import numpy as np
import pytest

from keras_jtav.attribution import Explainer, explain
from keras_jtav.data.pairs import unify_songs
from keras_jtav.data.post import Post
from keras_jtav.experiments import preset_config
from keras_jtav.features.text import tokenize_texts
from keras_jtav.preparation import load_table
from keras_jtav.running import run
from keras_jtav.serving.predictor import Predictor

PARTS = ("image", "audio", "lyrics", "caption")


@pytest.fixture(scope="module")
def explained(finished_run, predictor):
    """An exported model, its explainer, and posts that have all parts."""
    config, _ = finished_run
    posts = load_table(config).posts
    posts = unify_songs(posts) if config.task == "retrieval" else posts
    whole = [post for post in posts if not post.missing]
    return predictor, Explainer(predictor), whole


@pytest.fixture(scope="module")
def explanation(explained):
    """What is said of the first post."""
    _, explainer, posts = explained
    return explainer.explain(posts[0])


def logit_of(predictor, post):
    return float(
        predictor.call_on_posts("serving_default", [post], PARTS)[0]["logit"][0]
    )


def logit_of_zero_vectors(network, features):
    gates = {
        name: np.zeros(features[name].shape[:2], "float32")
        for name in ("words", "supporting_words")
    }
    with network.gated(features, gates):
        return float(network.logits(features)[0])


def test_what_is_explained_is_the_exported_answer(explained, explanation):
    predictor, _, (post, *_) = explained
    assert abs(explanation.logit - logit_of(predictor, post)) < 1e-4


@pytest.mark.parametrize("side", [-1, 1])
def test_the_class_is_that_of_the_models_own_threshold(
    explained, explanation, side, monkeypatch
):
    predictor, explainer, _ = explained
    if predictor.task == "retrieval":
        assert explanation.answer == ""
        return
    threshold = explanation.probability + side * 1e-3
    settings = {**predictor.settings, "threshold": threshold}
    monkeypatch.setattr(explainer, "_settings", settings)
    names = predictor.settings["class_names"]
    assert explainer._answer(explanation.logit) == names[int(side < 0)]


def test_parts_sum_to_the_answer(explained, explanation):
    predictor, _, _ = explained
    total = explanation.absent_logit + sum(explanation.parts.values())
    assert abs(total - explanation.logit) < 1e-5
    nothing = predictor.call("serving_default", **{part: [b""] for part in PARTS})
    assert abs(explanation.absent_logit - float(nothing["logit"][0])) < 1e-5


def test_a_part_that_is_missing_adds_nothing(explained):
    _, explainer, (post, *_) = explained
    lacking = explainer.explain(dataclasses.replace(post, audio=None, image=None))
    assert abs(lacking.parts["audio"]) < 1e-6
    assert abs(lacking.parts["image"]) < 1e-6
    assert lacking.sound is None
    assert lacking.picture == []


def test_words_are_those_of_the_texts_and_sum_to_what_they_add(explained, explanation):
    _, _, (post, *_) = explained
    words = explanation.words
    own = [word.text for word in words if word.role == "words"]
    supporting = [word.text for word in words if word.role == "supporting_words"]
    assert own == post.texts["lyrics"].lower().split()[: len(own)]
    assert supporting == post.texts["caption"].lower().split()[: len(supporting)]
    attention = [word.attention for word in words if word.role == "words"]
    assert abs(sum(attention) - 1) < 1e-5
    assert all(word.attention is None for word in words if word.role != "words")
    assert any(word.effect for word in words)


def test_effects_are_what_zero_vectors_take_away(explained, explanation):
    _, explainer, (post, *_) = explained
    network = explainer.network
    features, _ = network.features([post])
    without = logit_of_zero_vectors(network, features)
    total = sum(word.effect for word in explanation.words)
    assert abs(total - (explanation.logit - without)) < 0.02 * (1 + abs(total))
    silence = {**features, "spectrogram": 0 * features["spectrogram"]}
    without = float(network.logits(silence)[0])
    total = np.sum(explanation.sound.effect)
    assert abs(total - (explanation.logit - without)) < 0.02 * (1 + abs(total))


def test_sound_and_picture_have_places(explained, explanation):
    sound, spec = explanation.sound, explained[1].network.spec
    columns, bins = np.shape(sound.effect)
    assert columns == len(sound.seconds) >= spec.frames
    assert bins == len(sound.hz) == spec.bins
    assert sound.hz == sorted(sound.hz)
    assert np.ndim(explanation.picture) == 2
    assert np.min(explanation.picture) >= 0


def test_it_travels_as_json(explanation):
    read = json.loads(explanation.to_json())
    assert read["logit"] == explanation.logit
    assert 0 < read["probability"] < 1
    assert read["words"][0]["text"] == explanation.words[0].text


def test_files_that_cannot_be_used_are_named(explained, tmp_path):
    _, explainer, (post, *_) = explained
    (tmp_path / "broken.png").write_bytes(b"\x89PNG")
    (tmp_path / "broken.wav").write_bytes(b"RIFF")
    broken = dataclasses.replace(
        post, image=tmp_path / "broken.png", audio=tmp_path / "broken.wav"
    )
    explanation = explainer.explain(broken)
    assert [fault.split(":")[0] for fault in explanation.faults] == [
        str(tmp_path / "broken.png"),
        str(tmp_path / "broken.wav"),
    ]
    assert explanation.sound is None
    assert explanation.picture == []


def test_another_song_stands_beside_the_query(explained):
    predictor, explainer, posts = explained
    if predictor.task == "sentiment":
        pytest.skip("a song is a matter of retrieval")
    query = posts[0]
    other = next(post for post in posts if post.song != query.song)
    explanation = explainer.explain(query, other)
    texts = {"caption": query.texts["caption"], "lyrics": other.texts["lyrics"]}
    pair = Post("pair", texts, other.audio, query.image)
    assert explanation.song == other.song
    assert abs(explanation.logit - logit_of(predictor, pair)) < 1e-4


def test_beside_a_song_without_lyrics_the_caption_is_looked_at(explained):
    predictor, explainer, posts = explained
    if predictor.task == "sentiment":
        pytest.skip("a song is a matter of retrieval")
    silent = dataclasses.replace(posts[1], texts={})
    post = dataclasses.replace(posts[0], texts={"caption": posts[0].texts["caption"]})
    explanation = explainer.explain(post, silent)
    words = explanation.words
    assert {word.role for word in words} == {"supporting_words"}
    assert sum(word.attention for word in words) == pytest.approx(1, abs=1e-5)
    pair = dataclasses.replace(post, audio=silent.audio)
    network = explainer.network
    features, _ = network.features([pair])
    without = logit_of_zero_vectors(network, features)
    total = sum(word.effect for word in words)
    assert abs(total - (explanation.logit - without)) < 0.02 * (1 + abs(total))
    (attention,) = explainer.attention([pair])
    assert [word for word, _ in attention] == [word.text for word in words]
    assert sum(weight for _, weight in attention) == pytest.approx(1, abs=1e-5)


def test_a_model_of_an_earlier_version_is_refused(explained, monkeypatch):
    predictor, _, _ = explained
    signatures = dict(predictor.saved_model.signatures)
    signatures.pop("features")
    monkeypatch.setattr(predictor.saved_model, "signatures", signatures)
    with pytest.raises(ValueError, match="keras-jtav export RUN"):
        Explainer(predictor)


def test_parts_that_give_another_answer_are_refused(explained):
    _, explainer, posts = explained
    bias = explainer.network._find("logit").bias
    bias.assign_add(np.ones(bias.shape))
    try:
        with pytest.raises(ValueError, match=r"parts .* exported by another version"):
            explainer.explain(posts[0])
    finally:
        bias.assign_sub(np.ones(bias.shape))


def test_parts_of_a_version_that_read_no_caption_alone_are_refused(
    explained, monkeypatch
):
    predictor, explainer, posts = explained
    if predictor.task == "sentiment":
        pytest.skip("a song is a matter of retrieval")
    model = explainer.network.models["encode_text"]

    class LyricsAlone:
        inputs = model.inputs
        _flatten_layers = model._flatten_layers

        def __call__(self, texts, training):
            present = keras.ops.any(texts["words"] != 0, axis=(1, 2))
            return {**model(texts, training=training), "text_present": present}

    monkeypatch.setitem(explainer.network.models, "encode_text", LyricsAlone())
    with pytest.raises(ValueError, match=r"parts .* exported by another version"):
        explainer.explain(posts[0])


def test_weights_of_other_shapes_are_refused(explained, monkeypatch):
    predictor, _, _ = explained
    first, *others = predictor.variables
    monkeypatch.setattr(type(predictor), "variables", [first[None], *others])
    with pytest.raises(ValueError, match=r"other weights .* another version"):
        Explainer(predictor)


@pytest.mark.slow
def test_without_lyrics_the_caption_is_looked_at(tiny_settings, tmp_path):
    settings = [*tiny_settings, "data.texts=caption", "train.epochs=1"]
    config = preset_config("retrieval", "small").override(settings)
    predictor = Predictor(run(config, tmp_path / "runs", tmp_path / "models").exported)
    posts = unify_songs(load_table(config).posts)
    post = next(p for p in posts if not p.missing)
    explained = Explainer(predictor).explain(post)
    assert abs(explained.logit - logit_of(predictor, post)) < 1e-4
    assert set(explained.parts) == {"image", "caption", "audio"}
    assert {word.role for word in explained.words} == {"supporting_words"}
    caption = tokenize_texts([post.texts["caption"]])[0]
    assert [word.text for word in explained.words] == caption[: len(explained.words)]
    attention = [word.attention for word in explained.words]
    assert sum(attention) == pytest.approx(1, abs=1e-5)
    assert any(abs(word.effect) > 0 for word in explained.words)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("text", "words"), [("att_bigru", 9), ("lyrics_han", 13), ("vector", 2)]
)
def test_words_of_every_encoder_are_looked_at(tiny_settings, tmp_path, text, words):
    """Lines of words, and captions that stand in for lyrics and are cut off."""
    settings = [*tiny_settings, "train.epochs=1", f"text={text}", "tower_units=0"]
    settings += [f"features.words={words}", "features.supporting_words=4"]
    settings += ["fusion.normalize=false"]  # or a mean's length would not matter
    config = preset_config("retrieval", "small").override(settings)
    predictor = Predictor(run(config, tmp_path / "runs", tmp_path / "models").exported)
    explainer = Explainer(predictor)
    post = next(p for p in unify_songs(load_table(config).posts) if not p.missing)
    caption = {"caption": " ".join([post.texts["caption"]] * 4)}
    for texts in (post.texts, caption):
        shown = dataclasses.replace(post, texts=texts)
        explanation = explainer.explain(shown)
        features, _ = explainer.network.features([shown])
        without = logit_of_zero_vectors(explainer.network, features)
        total = sum(word.effect for word in explanation.words)
        assert abs(explanation.logit - without) > 1e-4
        assert abs(total - (explanation.logit - without)) < 0.02 * (1 + abs(total))
        has_attention = any(word.attention for word in explanation.words)
        assert has_attention == (text == "att_bigru")


def test_there_must_be_a_model():
    with pytest.raises(FileNotFoundError, match="holds no SavedModel"):
        explain(Path("nowhere"), Post("p", {"caption": "x"}))
