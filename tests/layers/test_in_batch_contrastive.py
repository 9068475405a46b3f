import keras
import numpy as np
import pytest

from keras_jtav.layers import InBatchContrastive

QUERIES = np.array([[1, 0], [0, 2]], "float32")
SONGS = np.array([[[1, 0], [0, 1]], [[0, 1], [1, 1]]], "float32")
# (batch, candidates, keys): a group and a song each.
KEYS = np.array([[[10, 1], [20, 2]], [[20, 3], [30, 4]]], "int32")


def loss(**kwargs):
    layer = InBatchContrastive(kwargs.pop("weight", 1.0))
    layer(QUERIES, SONGS, kwargs.pop("keys", KEYS), training=True)
    return float(layer.losses[0])


def test_hand_worked_loss():
    # Scores of query 1 at the four songs: 1 0 0 1, the first is true.
    # Query 2: 0 2 2 2, the third is true and the second is of its group: left out.
    first = -np.log(np.e / (2 * np.e + 2))
    second = -np.log(np.e**2 / (1 + 2 * np.e**2))
    np.testing.assert_allclose(loss(), (first + second) / 2, rtol=1e-6)
    np.testing.assert_allclose(loss(weight=3.0), 1.5 * (first + second), rtol=1e-6)


def test_a_song_that_shares_any_key_is_left_out():
    song_for_group = KEYS[..., ::-1]
    assert loss(keys=song_for_group) == pytest.approx(loss(), rel=1e-6)


@pytest.mark.parametrize("key", [0, 1])
def test_one_key_for_all_leaves_nothing_to_learn(key):
    keys = np.arange(8, dtype="int32").reshape(2, 2, 2)
    keys[..., key] = 99
    assert loss(keys=keys) == pytest.approx(0, abs=1e-6)


def test_queries_pass_unchanged_and_inference_adds_no_loss():
    layer = InBatchContrastive()
    np.testing.assert_array_equal(layer(QUERIES, SONGS, KEYS), QUERIES)
    assert layer.losses == []


def test_towers_learn_to_match(rng):
    rotation = np.linalg.qr(rng.normal(size=(8, 8)))[0].astype("float32")
    items = rng.normal(size=(512, 8)).astype("float32")
    query, songs = keras.Input((8,)), keras.Input((1, 8))
    keys = keras.Input((1, 1), dtype="int32")
    unit = keras.layers.UnitNormalization()
    tower = keras.layers.Dense(8)
    song_vectors = unit(tower(songs))
    matched = InBatchContrastive()(10 * unit(query), song_vectors, keys)
    model = keras.Model([query, songs, keys], [matched, song_vectors])
    model.compile(keras.optimizers.Adam(0.02))
    inputs = [items, (items @ rotation)[:, None], np.arange(512)[:, None, None]]
    model.fit(inputs, batch_size=64, epochs=10, verbose=0)
    matched, song_vectors = model.predict(inputs, verbose=0)
    best = np.argmax(matched @ song_vectors[:, 0].T, axis=1)
    assert np.mean(best == np.arange(512)) > 0.95


def test_contract(check_contract):
    check_contract(InBatchContrastive(), queries=QUERIES, songs=SONGS, keys=KEYS)
