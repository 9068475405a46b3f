import numpy as np
import pytest
import tensorflow as tf

from keras_jtav.features.image import resize_image


def test_an_area_is_averaged():
    # 4 x 4 to 2 x 2, antialiased bilinear: a triangle of radius 2 around the centre
    # 1.0 of the first output pixel weighs columns 0.5, 1.5, 2.5 (and -0.5, cut off)
    # by .75, .75, .25, that is 3/7, 3/7, 1/7. Columns 0, 0, 70, 140 give 10 and, by
    # symmetry (weights 1/7, 3/7, 3/7 of columns 1 to 3), 90.
    columns = np.array([0, 0, 70, 140], "uint8")
    image = np.broadcast_to(columns[None, :, None], (4, 4, 3))
    resized = resize_image(image, 2).numpy()
    assert resized[0, :, 0].tolist() == [10, 90]
    assert (resized == resized[:1, :, :1]).all()


def test_sides_are_stretched():
    image = np.zeros((8, 32, 3), "uint8")
    image[:, 16:] = 200
    resized = resize_image(image, 8).numpy()
    assert resized.shape == (8, 8, 3)
    assert resized[0, 0].tolist() == [0, 0, 0]
    assert resized[-1, -1].tolist() == [200, 200, 200]


def test_the_same_size_changes_nothing():
    image = np.random.default_rng(0).integers(0, 256, (16, 16, 3), "uint8")
    np.testing.assert_array_equal(resize_image(image, 16), image)


@pytest.mark.parametrize("shape", [(1, 1, 3), (3, 700, 3), (500, 2, 3)])
def test_any_size_gives_a_square_of_bytes(shape):
    resized = resize_image(np.full(shape, 255, "uint8"), 8)
    assert resized.dtype == tf.uint8
    assert resized.shape == (8, 8, 3)
    assert (resized.numpy() == 255).all()


def test_an_empty_picture_is_zeros():
    resized = resize_image(np.zeros((0, 0, 3), "uint8"), 4)
    assert resized.shape == (4, 4, 3)
    assert not resized.numpy().any()


def test_the_graph_gives_the_same_and_a_known_shape():
    image = np.random.default_rng(1).integers(0, 256, (37, 21, 3), "uint8")
    dataset = tf.data.Dataset.from_generator(
        lambda: [image], output_signature=tf.TensorSpec((None, None, 3), tf.uint8)
    ).map(lambda picture: resize_image(picture, 8))
    assert dataset.element_spec.shape == (8, 8, 3)
    np.testing.assert_array_equal(next(iter(dataset)), resize_image(image, 8))


@pytest.mark.parametrize(
    ("shape", "dtype"),
    [((4, 4, 3), "float32"), ((4, 4, 4), "uint8"), ((4, 4), "uint8")],
)
def test_other_arrays_are_refused(shape, dtype):
    with pytest.raises(ValueError, match=rf"received {dtype} \(4, 4"):
        resize_image(np.zeros(shape, dtype), 4)
