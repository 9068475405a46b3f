import keras
import numpy as np
import pytest

from keras_jtav.layers import PictureStatistics


def slow_statistics(picture):
    """The definition, pixel by pixel."""
    height, width, _ = picture.shape
    colours = np.zeros(64)
    for red, green, blue in (picture.reshape(-1, 3) // 64).astype(int):
        colours[red * 16 + green * 4 + blue] += 1 / (height * width)
    gray = np.sqrt(picture @ [0.299, 0.587, 0.114] / 255)
    down, right = np.gradient(gray)
    cells = np.zeros((4, 4, 9))
    for row in range(height):
        for column in range(width):
            gradient = down[row, column], right[row, column]
            place = np.arctan2(*gradient) % np.pi / np.pi * 9
            lower, share = int(place), place % 1
            cell = cells[row * 4 // height, column * 4 // width]
            cell[lower % 9] += np.hypot(*gradient) * (1 - share)
            cell[(lower + 1) % 9] += np.hypot(*gradient) * share
    cells *= 64**2 / (height * width)
    energy = np.pad(np.sum(cells**2, axis=2), 1, mode="edge")
    block = np.array(
        [
            [np.sqrt(energy[i : i + 2, j : j + 2].sum()) for j in range(5)]
            for i in range(5)
        ]
    )
    for i in range(4):
        for j in range(4):
            cells[i, j] /= block[i : i + 2, j : j + 2].mean() + 0.1
    return np.concatenate([np.sqrt(colours), cells.ravel()])


@pytest.mark.parametrize("shape", [(64, 64), (33, 50)])
def test_equals_its_definition(shape):
    pictures = np.random.default_rng(0).integers(0, 256, (2, *shape, 3))
    statistics = np.asarray(PictureStatistics()(pictures.astype("float32")))
    assert statistics.shape == (2, 208)
    for picture, row in zip(pictures, statistics, strict=True):
        np.testing.assert_allclose(row, slow_statistics(picture), atol=1e-4)


def test_a_blank_picture_has_no_gradient():
    statistics = np.asarray(PictureStatistics()(np.full((1, 32, 32, 3), 255.0)))[0]
    assert statistics[63] == 1
    assert not statistics[:63].any()
    assert not statistics[64:].any()


def test_survives_its_file(tmp_path):
    pixels = keras.Input((32, 32, 3))
    model = keras.Model(pixels, PictureStatistics()(pixels))
    model.save(tmp_path / "model.keras")
    pictures = np.random.default_rng(1).uniform(0, 255, (3, 32, 32, 3))
    loaded = keras.saving.load_model(tmp_path / "model.keras")
    np.testing.assert_array_equal(loaded(pictures), model(pictures))
