import zlib
from dataclasses import replace
from types import SimpleNamespace

import keras
import numpy as np
import pytest

from keras_jtav.encoders.image_encoder import (
    backbone_features,
    backbone_of,
    frozen_encoder,
)
from keras_jtav.encoders.small_cnn import small_cnn
from keras_jtav.evaluation.simple_features import SimpleFeatures
from keras_jtav.experiments import preset_config
from keras_jtav.judging import JUDGES
from keras_jtav.model import build_model
from keras_jtav.preparation import prepare, silent
from keras_jtav.reporting import simple_features
from keras_jtav.transfer import (
    BackboneStore,
    copy_weights,
    pretrained_pictures,
    train_phases,
    with_backbone_features,
)


@pytest.fixture
def freeze(request, tiny_settings, tmp_path):
    """Return a function from a task to a config whose backbone comes from a file.

    With it come the data and the models.
    """
    keras.utils.set_random_seed(zlib.crc32(request.node.name.encode()))
    path = tmp_path / "pretrained.weights.h5"
    small_cnn(32).save_weights(path)

    def of_task(task):
        config = preset_config(task, "small").override(
            [*tiny_settings, f"image.weights={path}", "train.fine_tune_epochs=0"]
        )
        prepared = prepare(config, silent)
        models = build_model(config, prepared.spec, prepared.vocabulary.matrix)
        return config, prepared, models

    return of_task


@pytest.fixture(params=["sentiment", "retrieval"])
def frozen(request, freeze):
    return freeze(request.param)


def answers(config, models, prepared):
    judge = JUDGES[config.task](models, prepared)
    if config.task == "sentiment":
        return judge.probabilities("test")
    return judge.scores("test")


def test_the_whole_model_answers_as_the_one_above_its_backbone(frozen):
    config, prepared, models = frozen
    encoder = frozen_encoder(models["train"])
    pictures = pretrained_pictures(models, prepared, silent)
    above = with_backbone_features(prepared, pictures)
    models_above = build_model(config, above.spec, prepared.vocabulary.matrix)
    expected = answers(config, models_above, above)
    before = answers(config, models, prepared)
    assert np.abs(before - expected).max() > 1e-3
    copy_weights(models_above["train"], models["train"], backbone_of(encoder))
    whole = answers(config, models, prepared)
    np.testing.assert_allclose(whole, expected, atol=1e-4)


def test_features_are_computed_once(frozen):
    _, prepared, models = frozen
    computed = []

    def count(items, total, title):
        computed.append(total)
        return items

    pretrained_pictures(models, prepared, count)
    pretrained_pictures(models, prepared, count)
    assert computed[0] > 0
    assert computed[1] == 0


def test_fewer_channels_of_the_same_weights_are_features_of_their_own(frozen):
    _, prepared, models = frozen
    whole = backbone_features(frozen_encoder(models["train"]))
    part = keras.Model(whole.input, whole.output[:, :3], name=whole.name)
    (path, *_) = [p.image for p in prepared.posts["test"] if p.image is not None]
    for extractor in (whole, part):
        store = BackboneStore(prepared.store, extractor)
        store.prepare([path], silent)
        assert store.image(path).shape == (store.dim,)
    assert store.dim == 3


def test_baselines_see_the_pictures_that_the_network_starts_from(frozen):
    _, prepared, models = frozen
    pictures = pretrained_pictures(models, prepared, silent)
    posts = [post for post in prepared.posts["test"] if post.image is not None]
    seen = simple_features(prepared, pictures).part("image", posts)
    encoder = backbone_features(frozen_encoder(models["train"]))
    raw = np.stack([prepared.store.image(post.image) for post in posts])
    np.testing.assert_allclose(seen[:, :-1], encoder(raw), atol=1e-5)
    counted = simple_features(prepared).part("image", posts)
    assert counted.shape[1] != seen.shape[1]


@pytest.mark.parametrize("name", ["image", "audio"])
def test_what_baselines_measure_is_kept_for_other_rows(freeze, name, monkeypatch):
    _, prepared, _ = freeze("retrieval")
    posts = prepared.posts["test"]
    expected = SimpleFeatures(posts).part(name, posts)
    first = simple_features(prepared).part(name, posts)
    decoder = f"keras_jtav.evaluation.simple_features.decode_{name}"
    monkeypatch.setattr(decoder, lambda *_, **__: pytest.fail("decoded again"))
    again = simple_features(prepared).part(name, posts)
    assert np.array_equal(first, expected)
    assert np.array_equal(again, expected)


def test_the_first_phase_leaves_the_backbone_and_the_second_moves_it(
    freeze, task_at_length, tmp_path
):
    config, prepared, models = freeze(task_at_length)
    backbone = backbone_of(frozen_encoder(models["train"]))

    def train(settings, folder):
        """Return the history's phases, and which of them moved the backbone.

        Asked before the best weights are loaded, which may be those of the start.
        """
        moved = {}

        def watch(phase, epochs):
            before = [np.array(weight) for weight in backbone.weights]

            def look(logs):
                moved[phase] = any(
                    np.any(np.array(weight) != old)
                    for weight, old in zip(backbone.weights, before, strict=True)
                )

            return [keras.callbacks.LambdaCallback(on_train_end=look)]

        history = train_phases(
            config.override(settings),
            models,
            prepared,
            pretrained_pictures(models, prepared, silent),
            tmp_path / folder,
            watch,
        )
        starts = ["start of " if entry["loss"] is None else "" for entry in history]
        return [
            start + entry["phase"] for start, entry in zip(starts, history, strict=True)
        ], moved

    phases, moved = train(["train.epochs=1"], "frozen")
    assert phases == ["train"]
    assert moved == {"train": False}
    settings = ["train.epochs=1", "train.fine_tune_epochs=1"]
    phases, moved = train([*settings, "train.canonical_start=true"], "fine_tuned")
    judged = ["start of train"] if config.task == "retrieval" else []
    assert phases == [*judged, "train", "start of fine_tune", "fine_tune"]
    assert moved == {"train": False, "fine_tune": True}


def test_a_frozen_backbone_reads_no_stream(frozen):
    _, prepared, models = frozen
    streamed = replace(prepared, store=SimpleNamespace(streamed=True))
    with pytest.raises(ValueError, match=r"`train\.shuffle_buffer` leaves pictures"):
        pretrained_pictures(models, streamed, silent)
