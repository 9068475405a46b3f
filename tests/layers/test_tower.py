import keras
import numpy as np
import pytest

from keras_jtav.layers import Tower

UNITS = 4


@pytest.fixture
def vectors(rng):
    return [
        rng.normal(3, 2, (6, 5)).astype("float32"),
        rng.normal(-1, 7, (6, 3)).astype("float32"),
    ]


def unit(array):
    return array / np.linalg.norm(array, axis=1, keepdims=True)


def test_it_is_the_sum_of_the_mapped_standardised_vectors(vectors):
    layer = Tower(UNITS)
    masks = [np.ones(6, bool), np.ones(6, bool)]
    layer(vectors, masks)
    statistics = [(v.mean(axis=0), v.var(axis=0)) for v in vectors]
    for standard, moments in zip(layer.standards, statistics, strict=True):
        standard.set_weights(list(moments))
    total = sum(
        (vector - mean) / np.sqrt(variance + 1e-3) @ np.asarray(kernel)
        for vector, (mean, variance), kernel in zip(
            vectors, statistics, layer.kernels, strict=True
        )
    )
    np.testing.assert_allclose(layer(vectors, masks), unit(total), atol=1e-5)


def test_in_training_vectors_are_standardised_by_the_present_ones(vectors):
    layer = Tower(UNITS)
    mask = np.array([True, True, False, True, True, True])
    spoiled = vectors[0].copy()
    spoiled[2] = 1e6
    clean = layer([vectors[0][mask]], [mask[mask]], training=True)
    whole = np.asarray(layer([spoiled], [mask], training=True))
    np.testing.assert_allclose(whole[mask], clean, atol=1e-5)
    assert not whole[2].any()


def test_a_missing_vector_adds_nothing(vectors):
    layer = Tower(UNITS)
    both = np.ones(6, bool)
    layer(vectors, [both, both])
    alone = layer(vectors, [both, np.zeros(6, bool)])
    other = [vectors[0], vectors[1] + 100]
    np.testing.assert_array_equal(alone, layer(other, [both, np.zeros(6, bool)]))


def test_hiding_is_for_training_and_leaves_something(vectors):
    masks = [np.ones(6, bool), np.ones(6, bool)]
    layer, whole = Tower(UNITS, rate=0.5, seed=1), Tower(UNITS)
    shown = np.asarray(layer(vectors, masks))
    np.testing.assert_array_equal(shown, layer(vectors, masks))
    whole(vectors, masks)
    for own, other in zip(whole.kernels, layer.kernels, strict=True):
        own.assign(other)
    hidden = np.asarray(layer(vectors, masks, training=True))
    np.testing.assert_allclose(np.linalg.norm(hidden, axis=1), 1, atol=1e-5)
    same = np.isclose(hidden, whole(vectors, masks, training=True), atol=1e-4)
    assert 0 < same.all(axis=1).sum() < 6, "half of the rows show one vector only"


def test_only_one_side_learns_its_length(vectors):
    masks = [np.ones(6, bool), np.ones(6, bool)]
    lengths = [
        np.linalg.norm(Tower(UNITS, learn_scale=learn)(vectors, masks), axis=1)
        for learn in (False, True)
    ]
    np.testing.assert_allclose(lengths[0], 1, atol=1e-5)
    np.testing.assert_allclose(lengths[1], 10, atol=1e-4)


def test_it_survives_saving(vectors, tmp_path):
    inputs = [keras.Input((5,)), keras.Input((3,))]
    masks = [keras.Input((), dtype="bool"), keras.Input((), dtype="bool")]
    tower = Tower(UNITS, 0.5, seed=3, learn_scale=True)
    model = keras.Model([*inputs, *masks], tower(inputs, masks))
    model.save(tmp_path / "model.keras")
    loaded = keras.saving.load_model(tmp_path / "model.keras")
    batch = [*vectors, np.ones(6, bool), np.arange(6) > 2]
    np.testing.assert_allclose(loaded(batch), model(batch), atol=1e-6)
