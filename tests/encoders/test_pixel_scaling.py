import keras
import numpy as np
import pytest
import tensorflow as tf

from keras_jtav.encoders.pixel_scaling import MODES, PixelScaling


@pytest.mark.parametrize("mode", MODES)
def test_agrees_with_keras_applications(mode, pictures):
    expected = keras.applications.imagenet_utils.preprocess_input(
        pictures.astype("float32"), mode=mode
    )
    output = PixelScaling(mode)(pictures)
    assert output.dtype == "float32"
    np.testing.assert_allclose(output, expected, atol=1e-4)


def test_by_hand():
    red = np.array([[[[255, 0, 0]]]], "uint8")
    # Blue, green, red: 0 - 103.939, 0 - 116.779, 255 - 123.68.
    np.testing.assert_allclose(
        np.array(PixelScaling("caffe")(red)).ravel(),
        [-103.939, -116.779, 131.32],
        rtol=1e-6,
    )
    # (1 - 0.485) / 0.229 = 2.2489.
    assert float(PixelScaling("torch")(red)[0, 0, 0, 0]) == pytest.approx(2.2489, 1e-4)


@pytest.mark.parametrize("mode", MODES)
def test_contract(mode, pictures, tmp_path):
    layer = PixelScaling(mode)
    assert layer.compute_output_shape((None, 8, 8, 3)) == (None, 8, 8, 3)
    assert PixelScaling.from_config(layer.get_config()).get_config() == (
        layer.get_config()
    )
    image = keras.Input((32, 32, 3), dtype="uint8")
    keras.Model(image, layer(image)).save(tmp_path / "scaled.keras")
    loaded = keras.saving.load_model(tmp_path / "scaled.keras")
    mapped = next(iter(tf.data.Dataset.from_tensors(pictures).map(layer)))
    for output in (loaded(pictures), mapped):
        np.testing.assert_array_equal(output, layer(pictures))


def test_unknown_mode():
    with pytest.raises(ValueError, match=r"one of caffe, tf, torch; received 'bgr'"):
        PixelScaling("bgr")
