import keras
import numpy as np
import pytest

from keras_jtav.encoders.image_encoder import (
    backbone_features,
    backbone_of,
    frozen_encoder,
    open_backbone,
)
from keras_jtav.encoders.small_cnn import build_small_cnn, small_cnn

NORMALIZATION = {
    f"block{block}_bn/{part}"
    for block in (1, 2, 3, 4)
    for part in ("gamma", "beta", "moving_mean", "moving_variance")
}


@pytest.fixture
def weights_file(tmp_path, randomize):
    """Pretrained weights of the small network, which has batch normalisation."""
    path = tmp_path / "pretrained.weights.h5"
    randomize(small_cnn(32)).save_weights(path)
    return str(path)


def train(model, pictures):
    model.compile("sgd", "mse")
    model.fit(pictures, np.ones((len(pictures), 8), "float32"), epochs=1, verbose=0)


def changed(before, model):
    """Return which variables differ from ``before``, by path."""
    after = {variable.path: np.array(variable) for variable in model.variables}
    return {path for path in before if np.any(before[path] != after[path])}


def snapshot(model):
    return {variable.path: np.array(variable) for variable in model.variables}


def test_answers_are_the_same_every_time_and_in_every_batch(make_spec, pictures):
    model = build_small_cnn(make_spec(), dim=8)
    first = np.array(model(pictures))
    np.testing.assert_array_equal(model(pictures), first)
    np.testing.assert_allclose(model(pictures[1:2])[0], first[1], atol=1e-5)
    order = [2, 0, 3, 1]
    np.testing.assert_allclose(model(pictures[order]), first[order], atol=1e-5)


def test_augmentation_is_there_in_training_only(make_spec, pictures):
    model = build_small_cnn(make_spec(), dim=8, dropout=0.0)
    before = np.array(model(pictures))
    views = keras.Model(model.input, model.get_layer("random_view").output)
    assert np.any(np.array(views(pictures, training=True)) != pictures)
    np.testing.assert_array_equal(views(pictures), pictures)
    plain = build_small_cnn(make_spec(), augment=False)
    assert "random_view" not in [layer.name for layer in plain.layers]
    np.testing.assert_array_equal(model(pictures), before)


def test_from_scratch_everything_trains(make_spec, pictures):
    model = build_small_cnn(make_spec(), dim=8)
    before = snapshot(model)
    train(model, pictures)
    weights = {weight.path for weight in model.weights}
    assert weights <= changed(before, model)


def test_two_phases_of_fine_tuning(make_spec, pictures, weights_file):
    model = build_small_cnn(make_spec(), weights=weights_file, dim=8)
    assert frozen_encoder(model) is model
    backbone = backbone_of(model)
    assert not backbone.trainable_weights

    before = snapshot(model)
    train(model, pictures)
    moved = changed(before, model)
    assert not moved & {weight.path for weight in backbone.weights}
    assert any(path.startswith("v/") for path in moved)

    open_backbone(backbone_of(model))
    before = snapshot(model)
    train(model, pictures)
    moved = changed(before, model)
    assert frozen_encoder(model) is None
    assert moved >= {weight.path for weight in backbone.weights} - NORMALIZATION
    assert not moved & NORMALIZATION


def test_fine_tuned_model_survives_its_file(
    make_spec, pictures, weights_file, tmp_path
):
    model = build_small_cnn(make_spec(), weights=weights_file, dim=8)
    open_backbone(backbone_of(model))
    model.save(tmp_path / "encoder.keras")
    loaded = keras.saving.load_model(tmp_path / "encoder.keras")
    np.testing.assert_array_equal(loaded(pictures), model(pictures))
    open_backbone(backbone_of(loaded))
    before = snapshot(loaded)
    train(loaded, pictures)
    assert not changed(before, loaded) & NORMALIZATION


def test_features_are_those_before_the_last_layer(make_spec, pictures, weights_file):
    model = build_small_cnn(make_spec(), weights=weights_file, dim=8)
    features = backbone_features(model)(pictures)
    assert features.shape == (4, 464)
    x = model.get_layer("feature_normalization")(features)
    np.testing.assert_allclose(model.get_layer("v")(x), model(pictures), atol=1e-6)


@pytest.mark.parametrize(
    ("sizes", "kwargs", "message"),
    [
        ({"image_size": 31}, {}, "`image_size` must be at least 32 pixels"),
        ({}, {"weights": "imagenet"}, "'small_cnn' has no ImageNet weights"),
    ],
)
def test_errors(make_spec, sizes, kwargs, message):
    with pytest.raises(ValueError, match=message):
        build_small_cnn(make_spec(**sizes), **kwargs)
