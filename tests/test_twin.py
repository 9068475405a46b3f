import json

import keras
import numpy as np

from keras_jtav.experiments import preset_config
from keras_jtav.judging import JUDGES
from keras_jtav.model import build_model
from keras_jtav.preparation import prepare, silent
from keras_jtav.serving.export import export_model
from keras_jtav.serving.predictor import Predictor
from keras_jtav.training import seed_everything
from keras_jtav.training_state import Validation
from keras_jtav.transfer import train_phases
from keras_jtav.twin import Twin


def make_model(value):
    layer = keras.layers.Dense(1, kernel_initializer=keras.initializers.Constant(value))
    return keras.Sequential([keras.Input((2,)), layer])


def kernel_of(model):
    return float(model.get_weights()[0][0, 0])


def test_weights_go_both_ways():
    twin = Twin(make_model(1.0), make_model(2.0))
    twin.take_from_trained()
    assert kernel_of(twin.used) == 2.0
    twin.used.set_weights(make_model(3.0).get_weights())
    twin.give_to_trained()
    assert kernel_of(twin.trained) == 3.0


def test_what_is_judged_has_the_weights_that_were_trained():
    twin = Twin(make_model(1.0), make_model(2.0))
    judge = Validation(lambda: {"loss": kernel_of(twin.used)}, "loss", False)
    assert twin.validation(judge).measure() == {"loss": 2.0}


def test_what_is_trained_starts_where_the_other_was_started():
    twin = Twin(make_model(1.0), make_model(2.0))
    twin.start(lambda: twin.used.set_weights(make_model(5.0).get_weights()))()
    assert kernel_of(twin.trained) == 5.0


def test_a_model_may_be_its_own_twin():
    model = make_model(1.0)
    twin = Twin(model, model)
    twin.start(None)()
    twin.take_from_trained()
    assert kernel_of(model) == 1.0


def trained(task, precision, settings, folder):
    """Train a tiny model without random draws; return config, data, models, losses."""
    seed_everything(0)
    config = preset_config(task, "small").override(
        [
            *settings,
            "text.dropout=0.0",
            "audio.dropout=0.0",
            "image.dropout=0.0",
            "image.augment=false",
            "train.modality_dropout=0.0",
            "train.epochs=1",
            "train.batch_size=16",
            f"train.precision={precision}",
        ]
    )
    prepared = prepare(config, silent)
    models = build_model(config, prepared.spec, prepared.vocabulary.matrix)
    history = train_phases(
        config, models, prepared, None, folder / precision, lambda *phase: []
    )
    return config, prepared, models, [epoch["loss"] for epoch in history]


def test_lower_precision_learns_what_float32_learns(
    task_at_length, tiny_settings, tmp_path
):
    task = task_at_length
    _, _, _, expected = trained(task, "float32", tiny_settings, tmp_path)
    for precision, tolerance in (("mixed_bfloat16", 0.03), ("mixed_float16", 0.05)):
        config, prepared, models, losses = trained(
            task, precision, tiny_settings, tmp_path
        )
        np.testing.assert_allclose(losses, expected, rtol=tolerance)
        policies = {layer.dtype_policy.name for layer in models["train"].layers}
        assert policies == {"float32"}  # what is judged and exported
        judge = JUDGES[task](models, prepared)
        if task == "sentiment":
            scores = judge.probabilities("test")
        else:
            scores = judge.scores("test")
        assert np.isfinite(scores).all()

    # The export of the last of them answers as the Python path does.
    settings = {"task": task, "config": json.loads(config.to_json())}
    exported = export_model(
        task, models, prepared.preprocessor, config.data, settings, tmp_path / "exports"
    )
    predictor, posts = Predictor(exported), prepared.posts["test"]
    parts = ("image", "audio", "lyrics", "caption")
    answers, _ = predictor.call_on_posts("serving_default", posts, parts)
    assert answers["logit"].dtype == np.float32
    if task == "sentiment":
        np.testing.assert_allclose(answers["probability"], scores, atol=1e-5)
    else:
        songs = [post.song for post in posts]
        first = {song: songs.index(song) for song in songs}
        column = {song: n for n, song in enumerate(first)}
        own = [row for row in range(len(posts)) if first[songs[row]] == row]
        expected = [scores[row, column[songs[row]]] for row in own]
        np.testing.assert_allclose(answers["logit"][own], expected, atol=1e-4)
