import keras
import numpy as np
import pytest

from keras_jtav.config import Config
from keras_jtav.model import build_model


@pytest.fixture(scope="module")
def models(spec, small_settings):
    return build_model(Config().override(small_settings), spec)


def test_shapes_and_shared_weights(models, make_features):
    features = make_features(3)
    assert models["train"](features).shape == (3,)
    assert models["encode"](features).shape == (3, 7)
    own = {id(variable) for variable in models["encode"].variables}
    assert own < {id(variable) for variable in models["train"].variables}


def test_a_row_alone_equals_its_row_in_a_batch(models, make_features):
    features = make_features(4)
    batch = models["train"](features)
    for row in range(4):
        alone = models["train"]({n: a[row : row + 1] for n, a in features.items()})
        np.testing.assert_allclose(alone[0], batch[row], atol=1e-5)


@pytest.mark.parametrize("missing", ["text", "audio", "image"])
def test_what_a_missing_part_holds_does_not_matter(models, make_features, missing):
    one, other = make_features(2, seed=1), make_features(2, seed=2)
    names = {
        "text": ("words", "supporting_words"),
        "audio": ("spectrogram", "segment_mask"),
        "image": ("image", "image_mask"),
    }[missing]
    mixed = {**one, **{name: other[name] for name in names}}
    assert np.abs(models["train"](one) - models["train"](mixed)).max() > 1e-6
    if missing == "text":
        blank = {name: np.zeros_like(one[name]) for name in names}
        first, second = {**one, **blank}, {**mixed, **blank}
    else:
        mask = {names[1]: np.zeros_like(one[names[1]])}
        first, second = {**one, **mask}, {**mixed, **mask}
    np.testing.assert_allclose(
        models["train"](first), models["train"](second), atol=1e-6
    )


@pytest.mark.parametrize(
    "modalities",
    ["text", "audio", "image", "text,audio", "text,image", "audio,image"],
)
def test_every_subset_of_modalities_learns(
    spec, small_settings, make_features, modalities
):
    settings = [*small_settings, f"modalities={modalities}"]
    # Words as far apart as trained ones; the table's own start is close to zero.
    table = np.random.default_rng(0).normal(size=(20, 8)).astype("float32")
    model = build_model(Config().override(settings), spec, table)["train"]
    features = make_features(8, segments=1)
    features = {tensor.name: features[tensor.name] for tensor in model.inputs}
    labels = np.array([0, 1] * 4, "float32")
    loss = keras.losses.BinaryCrossentropy(from_logits=True)
    model.compile(keras.optimizers.Adam(0.01), loss, jit_compile=False)
    model.optimizer.build(model.trainable_variables)  # else the step is traced twice
    losses = model.fit(features, labels, epochs=25, verbose=0).history["loss"]
    assert min(losses[-3:]) < losses[0]


def test_a_saved_model_loads_and_answers_alike(models, make_features, tmp_path):
    features = make_features(2)
    models["train"].save(tmp_path / "model.keras")
    loaded = keras.saving.load_model(tmp_path / "model.keras")
    np.testing.assert_allclose(loaded(features), models["train"](features), atol=1e-6)


def test_a_seed_decides_the_weights(spec, small_settings):
    def weights(seed):
        config = Config().override([*small_settings, f"train.seed={seed}"])
        return build_model(config, spec)["train"].get_weights()

    pairs = zip(weights(3), weights(3), strict=True)
    assert all((one == other).all() for one, other in pairs)
    pairs = zip(weights(3), weights(4), strict=True)
    assert any((one != other).any() for one, other in pairs)
