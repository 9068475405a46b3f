import keras
import numpy as np
import pytest

from keras_jtav.encoders.small_cnn import build_small_cnn, small_cnn


@pytest.mark.parametrize("size", [32, 50, 64, 224])
def test_any_picture_size(make_spec, size):
    model = build_small_cnn(make_spec(image_size=size), dim=7)
    images = np.zeros((2, size, size, 3), "uint8")
    output = model(images)
    assert output.shape == (2, 7)
    assert model.output_shape == (None, 7)
    assert output.dtype == "float32"


def test_survives_its_file(make_spec, pictures, tmp_path):
    model = build_small_cnn(make_spec())
    model.save(tmp_path / "small_cnn.keras")
    loaded = keras.saving.load_model(tmp_path / "small_cnn.keras")
    np.testing.assert_array_equal(loaded(pictures), model(pictures))


def test_learns_shapes_that_have_the_same_mean_colour(make_spec):
    rng = np.random.default_rng(1)
    images = np.full((96, 32, 32, 3), 255, "uint8")
    labels = np.arange(96) % 2
    for image, label in zip(images, labels, strict=True):
        row, column = rng.integers(0, 16, 2)
        patch = image[row : row + 16, column : column + 16]
        # Both halves black: stripes across or along.
        patch[:: 1 if label else 2, :: 2 if label else 1] = 0
    keras.utils.set_random_seed(1)
    encoder = build_small_cnn(make_spec(), dim=8, augment=False)
    model = keras.Sequential([encoder, keras.layers.Dense(1)])
    model.compile(
        keras.optimizers.Adam(3e-3),
        keras.losses.BinaryCrossentropy(from_logits=True),
    )
    model.fit(images[:64], labels[:64], epochs=8, batch_size=16, verbose=0)
    predicted = np.array(model(images[64:]))[:, 0] > 0
    assert np.mean(predicted == labels[64:]) > 0.9


def test_backbone_has_no_surprise():
    backbone = small_cnn(64)
    assert backbone.output_shape == (None, 256 + 208)
    # 3*9*32 + 32*9*48 + 48*9*64 + 64*9*128 kernels and 4 * (32 + 48 + 64 + 128)
    # numbers of batch normalisation.
    assert backbone.count_params() == 864 + 13824 + 27648 + 73728 + 1088
