import keras
import numpy as np
import pytest

from keras_jtav.layers import OverSegments


@pytest.fixture
def encoder():
    return keras.Sequential(
        [
            keras.Input((4, 3)),
            keras.layers.Flatten(),
            keras.layers.Dense(5, activation="tanh"),
            keras.layers.BatchNormalization(),
        ]
    )


def test_the_mean_of_the_real_segments(encoder, rng):
    clips = rng.normal(size=(2, 3, 4, 3)).astype("float32")
    mask = np.array([[True, False, True], [False, False, False]])
    output = OverSegments(encoder)(clips, mask)
    expected = (encoder(clips[:1, 0]) + encoder(clips[:1, 2])) / 2
    np.testing.assert_allclose(output[:1], expected, atol=1e-6)
    np.testing.assert_array_equal(output[1], np.zeros(5))


def test_padding_segments_change_nothing(encoder, rng):
    layer = OverSegments(encoder)
    short = rng.normal(size=(2, 2, 4, 3)).astype("float32")
    long = np.concatenate([short, np.ones_like(short)], axis=1)
    mask = np.repeat([[True, True, False, False]], 2, axis=0)
    np.testing.assert_allclose(layer(long, mask), layer(short, mask[:, :2]), atol=1e-6)


def test_one_model_takes_any_number_of_segments(encoder, rng):
    clips = keras.Input((None, 4, 3))
    mask = keras.Input((None,), dtype="bool")
    model = keras.Model([clips, mask], OverSegments(encoder)(clips, mask))
    for segments in (1, 3):
        x = rng.normal(size=(2, segments, 4, 3)).astype("float32")
        output = model.predict([x, np.ones((2, segments), bool)], verbose=0)
        assert output.shape == (2, 5)


def test_training_reaches_the_encoder(encoder, rng):
    layer = OverSegments(encoder)
    clips, mask = rng.normal(size=(2, 3, 4, 3)), np.ones((2, 3), bool)
    before = encoder.get_weights()
    layer(clips, mask, training=False)
    np.testing.assert_array_equal(encoder.get_weights()[4], before[4])
    layer(clips, mask, training=True)
    assert np.any(encoder.get_weights()[4] != before[4])  # the moving mean
    assert len(layer.trainable_variables) == len(encoder.trainable_variables) == 4


def test_contract(check_contract, encoder, rng):
    clips = rng.normal(size=(3, 2, 4, 3)).astype("float32")
    mask = np.array([[True, True], [True, False], [False, False]])
    check_contract(OverSegments(encoder), inputs=clips, segment_mask=mask)
