import keras
import numpy as np
import pytest

from keras_jtav.layers import InBatchContrastive

QUERIES = np.array([[1, 0], [0, 2]], "float32")
SONGS = np.array([[[1, 0], [0, 1]], [[0, 1], [1, 1]]], "float32")
GROUPS = np.array([[10, 20], [20, 30]], "int32")


def loss(**kwargs):
    layer = InBatchContrastive(kwargs.pop("weight", 1.0))
    layer(QUERIES, SONGS, kwargs.pop("groups", GROUPS), training=True)
    return float(layer.losses[0])


def test_hand_worked_loss():
    # Scores of query 1 at the four songs: 1 0 0 1, the first is true.
    # Query 2: 0 2 2 2, the third is true and the second is of its group: left out.
    first = -np.log(np.e / (2 * np.e + 2))
    second = -np.log(np.e**2 / (1 + 2 * np.e**2))
    np.testing.assert_allclose(loss(), (first + second) / 2, rtol=1e-6)
    np.testing.assert_allclose(loss(weight=3.0), 1.5 * (first + second), rtol=1e-6)


def test_one_group_for_all_leaves_nothing_to_learn():
    assert loss(groups=np.zeros((2, 2), "int32")) == pytest.approx(0, abs=1e-6)


def test_queries_pass_unchanged_and_inference_adds_no_loss():
    layer = InBatchContrastive()
    np.testing.assert_array_equal(layer(QUERIES, SONGS, GROUPS), QUERIES)
    assert layer.losses == []


def test_towers_learn_to_match(rng):
    rotation = np.linalg.qr(rng.normal(size=(8, 8)))[0].astype("float32")
    items = rng.normal(size=(512, 8)).astype("float32")
    query, songs = keras.Input((8,)), keras.Input((1, 8))
    groups = keras.Input((1,), dtype="int32")
    unit = keras.layers.UnitNormalization()
    tower = keras.layers.Dense(8)
    song_vectors = unit(tower(songs))
    matched = InBatchContrastive()(10 * unit(query), song_vectors, groups)
    model = keras.Model([query, songs, groups], [matched, song_vectors])
    model.compile(keras.optimizers.Adam(0.02))
    inputs = [items, (items @ rotation)[:, None], np.arange(512)[:, None]]
    model.fit(inputs, batch_size=64, epochs=10, verbose=0)
    matched, song_vectors = model.predict(inputs, verbose=0)
    best = np.argmax(matched @ song_vectors[:, 0].T, axis=1)
    assert np.mean(best == np.arange(512)) > 0.95


def test_contract(check_contract):
    check_contract(InBatchContrastive(), queries=QUERIES, songs=SONGS, groups=GROUPS)
