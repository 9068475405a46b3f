import keras
import numpy as np
import pytest
import tensorflow as tf

from keras_jtav.encoders.random_view import RandomView


def test_without_training_the_pictures_pass_unchanged(pictures):
    image = keras.Input((32, 32, 3), dtype="uint8")
    model = keras.Model(image, RandomView()(image))
    for output in (
        model(pictures),
        model(pictures, training=False),
        model.predict(pictures, verbose=0),
    ):
        np.testing.assert_array_equal(output, pictures)
        assert output.dtype == "float32"


def test_contract(pictures, tmp_path):
    layer = RandomView(shift=0.2, zoom=0.3, brightness=0.4, seed=1)
    assert layer.compute_output_shape((None, 32, 32, 3)) == (None, 32, 32, 3)
    twin = RandomView.from_config(layer.get_config())
    assert twin.get_config() == layer.get_config()
    np.testing.assert_array_equal(
        twin(pictures, training=True), layer(pictures, training=True)
    )
    image = keras.Input((32, 32, 3), dtype="uint8")
    keras.Model(image, layer(image)).save(tmp_path / "view.keras")
    loaded = keras.saving.load_model(tmp_path / "view.keras")
    np.testing.assert_array_equal(loaded(pictures), pictures)
    dataset = tf.data.Dataset.from_tensors(pictures).map(loaded)
    np.testing.assert_array_equal(next(iter(dataset)), pictures)


def test_every_picture_and_every_call_draws_anew(pictures):
    layer = RandomView(seed=1)
    same = np.repeat(pictures[:1], 4, axis=0)
    first, second = (np.array(layer(same, training=True)) for _ in range(2))
    assert len({view.tobytes() for view in (*first, *second)}) == 8
    assert first.min() >= 0
    assert first.max() <= 255


def test_alone_the_mirror_gives_the_picture_or_its_mirror_image(pictures):
    layer = RandomView(shift=0, zoom=0, brightness=0, seed=1)
    views = np.array(layer(np.repeat(pictures[:1], 32, axis=0), training=True))
    plain = np.abs(views - pictures[0]).max(axis=(1, 2, 3)) < 1e-3
    mirrored = np.abs(views - pictures[0][:, ::-1]).max(axis=(1, 2, 3)) < 1e-3
    assert np.all(plain ^ mirrored)
    assert 8 < plain.sum() < 24


def test_what_comes_in_from_outside_is_white():
    black = np.zeros((8, 20, 20, 3), "uint8")
    views = np.array(
        RandomView(shift=0.3, zoom=0, brightness=0, seed=1)(black, training=True)
    )
    assert views.max() == 255
    white = np.full((8, 20, 20, 3), 255, "uint8")
    views = RandomView(brightness=0, seed=1)(white, training=True)
    np.testing.assert_array_equal(views, white)


def test_sampling_by_hand():
    layer = RandomView(shift=0, zoom=0)
    # Pixels 0, 1, 2 read at 2 * (i - 1) + 1 = -1, 1, 3: outside, middle, outside.
    rows = layer._sampling(1, 3, np.full((1, 1), 2.0, "float32"))
    np.testing.assert_array_equal(rows[0], [[0, 0, 0], [0, 1, 0], [0, 0, 0]])
    # At 0.5 * (i - 1) + 1 = 0.5, 1, 1.5: half of each neighbour.
    rows = layer._sampling(1, 3, np.full((1, 1), 0.5, "float32"))
    np.testing.assert_array_equal(rows[0], [[0.5, 0.5, 0], [0, 1, 0], [0, 0.5, 0.5]])


def test_brightness_is_one_amount_per_picture():
    gray = np.full((8, 4, 4, 3), 100, "uint8")
    views = np.array(
        RandomView(shift=0, zoom=0, brightness=0.1, seed=1)(gray, training=True)
    )
    change = views[:, 0, 0, 0] - 100
    np.testing.assert_allclose(views - 100, change[:, None, None, None] + 0 * views)
    assert np.all(np.abs(change) <= 25.5)
    assert len(set(change.tolist())) == 8


@pytest.mark.parametrize("name", ["shift", "zoom", "brightness"])
def test_shares_out_of_range_are_refused(name):
    with pytest.raises(ValueError, match=f"`{name}` must be at least 0 and below 1"):
        RandomView(**{name: 1.0})
