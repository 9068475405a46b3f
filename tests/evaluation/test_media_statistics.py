import numpy as np
import pytest

from keras_jtav.evaluation.media_statistics import (
    AUDIO_DIM,
    IMAGE_DIM,
    audio_statistics,
    picture_statistics,
)


def noise(samples, seed=0):
    return np.random.default_rng(seed).normal(0, 0.1, samples).astype("float32")


def orientations(picture):
    """Return the gradient part as (rows, columns, orientations)."""
    return picture_statistics(picture)[64:].reshape(4, 4, 9)


@pytest.mark.parametrize("samples", [0, 1, 700, 22_050, 50_000])
def test_audio_statistics_have_one_length(samples):
    row = audio_statistics(noise(samples))
    assert row.shape == (AUDIO_DIM,)
    assert np.isfinite(row).all()


def test_first_mfcc_means_and_deviations_say_loudness_and_its_change():
    steady, half = noise(22_050), noise(22_050)
    half[11_025:] *= 0.1
    quiet, steady, half = map(audio_statistics, (steady * 0.1, steady, half))
    # a tenth of the amplitude is 20 dB less in each of 64 bands; the first coefficient
    # of an orthonormal transform is their sum / sqrt(64): 20 * 64 / 8 = 160
    assert steady[0] - quiet[0] == pytest.approx(160, abs=1)
    assert steady[1:20] == pytest.approx(quiet[1:20], abs=0.5)
    assert half[20] == pytest.approx(80, abs=5)  # half the frames 160 lower
    assert steady[20] < 10


def test_course_of_a_sound_that_drops_in_the_middle():
    falling = noise(4 * 22_050)
    falling[2 * 22_050 :] *= 0.5  # 6 dB: 6.02 * 64 / 8 = 48 in the first coefficient
    course = audio_statistics(falling)[40:-2].reshape(8, 13)[:, 0]
    assert course == pytest.approx([24] * 4 + [-24] * 4, abs=3)


def test_last_audio_statistics_are_the_logarithms_of_seconds():
    padded = np.pad(noise(44_100), 22_050)
    # 4 seconds in all, 2 of them between the loud frames
    assert audio_statistics(padded)[-2:] == pytest.approx(np.log([4, 2]), abs=0.02)


def test_silence_around_a_sound_does_not_change_its_course():
    sound = noise(22_050) * np.linspace(1, 0.2, 22_050, dtype="float32")
    course, padded = (
        audio_statistics(wave)[40:-2] for wave in (sound, np.pad(sound, 5120))
    )
    assert course == pytest.approx(padded, abs=6)  # of an edge frame or two


def test_colours_of_a_two_coloured_picture():
    picture = np.zeros((32, 32, 3), np.uint8)
    picture[:16] = [255, 128, 0]  # levels 3, 2, 0: bin 3 * 16 + 2 * 4 = 56
    row = picture_statistics(picture)
    assert row.shape == (IMAGE_DIM,)
    # half the picture each, less the blurred rows between: square roots of .5
    assert row[[0, 56]] == pytest.approx([0.707, 0.707], abs=0.02)
    assert np.sum(row[:64] ** 2) == pytest.approx(1)


def test_gradients_of_stripes_have_one_orientation():
    stripes = np.tile((np.arange(64) // 4 % 2 * 255).astype(np.uint8), (64, 1))
    upright = orientations(np.stack([stripes] * 3, axis=-1))
    lying = orientations(np.stack([stripes.T] * 3, axis=-1))
    # across: angle 0, bin 0; a block of four equal cells is twice as long as one
    assert upright[..., 0] == pytest.approx(np.full((4, 4), 0.5), abs=0.05)
    assert upright[..., 1:].max() < 0.01
    # downwards: angle pi / 2 is bin 4.5, half in each neighbour
    assert lying[..., 4] == pytest.approx(lying[..., 5])
    assert lying[..., [0, 1, 2, 3, 6, 7, 8]].max() < 0.01


def test_gradients_of_a_negative_are_those_of_the_picture():
    levels = np.array([0, 255], np.uint8)
    picture = levels[np.random.default_rng(0).integers(2, size=(64, 64, 1))]
    picture = np.repeat(picture, 3, axis=2)
    assert orientations(picture) == pytest.approx(orientations(255 - picture))


@pytest.mark.parametrize("shape", [(1, 1, 3), (1, 500, 3), (300, 2, 3)])
def test_pictures_of_odd_sizes_give_finite_rows(shape):
    row = picture_statistics(np.full(shape, 90, np.uint8))
    assert row.shape == (IMAGE_DIM,)
    assert np.isfinite(row).all()
