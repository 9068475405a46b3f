import keras
import numpy as np
import pytest
from scipy.fft import dct

from keras_jtav.layers import OverSegments, SoundCourse


def slow_course(segment):
    """The definition, frame by frame."""
    cepstrum = dct(segment, type=2, norm="ortho", axis=1)
    cepstrum = np.pad(cepstrum, [(0, 0), (0, 20)])[:, :20]
    loudness = [frame.mean() for frame in segment]
    loud = [t for t, size in enumerate(loudness) if size >= 0.6 * max(loudness)]
    heard = cepstrum[loud[0] : loud[-1] + 1]
    described = [heard.mean(axis=0), np.sqrt(heard.var(axis=0) + 1e-7)]
    for part in range(8):
        start, end = part * len(heard) // 8, (part + 1) * len(heard) // 8
        frames = heard[start : max(end, start + 1)]
        described.append(frames.mean(axis=0)[:13] - heard.mean(axis=0)[:13])
    return np.concatenate([*described, [np.log(len(heard))]])


@pytest.mark.parametrize("shape", [(65, 96), (20, 96), (5, 12)])
def test_equals_its_definition(shape):
    segments = np.random.default_rng(0).uniform(size=(3, *shape)).astype("float32")
    envelope = np.sin(np.linspace(0.3, 3, shape[0])).astype("float32")
    segments *= envelope[:, None]
    described = np.asarray(SoundCourse()(segments))
    assert described.shape == (3, 145)
    for segment, row in zip(segments, described, strict=True):
        np.testing.assert_allclose(row, slow_course(segment), atol=1e-4)


def test_silence_around_a_sound_changes_nothing():
    sound = np.random.default_rng(1).uniform(0.4, 0.5, (1, 16, 96)).astype("float32")
    late, early = (np.zeros((1, 64, 96), "float32") for _ in range(2))
    late[:, 40:56], early[:, :16] = sound, sound
    describe = SoundCourse()
    np.testing.assert_allclose(describe(late), describe(early), atol=1e-5)
    np.testing.assert_allclose(describe(late)[0, -1], np.log(16), rtol=1e-6)


def test_a_fainter_sound_has_the_same_loud_part():
    segment = np.random.default_rng(2).uniform(size=(1, 64, 96)).astype("float32")
    segment *= np.sin(np.linspace(0.2, 3, 64)).astype("float32")[:, None]
    described, fainter = (
        np.asarray(SoundCourse()(segment * share))[0] for share in (1, 0.25)
    )
    np.testing.assert_allclose(fainter[-1], described[-1])
    np.testing.assert_allclose(fainter[:20], described[:20] / 4, atol=1e-5)


def test_silence_is_finite():
    described = np.asarray(SoundCourse()(np.zeros((1, 64, 96), "float32")))
    np.testing.assert_allclose(described[0, -1], np.log(64), rtol=1e-6)
    assert np.isfinite(described).all()


def test_contract(check_contract):
    segments = np.random.default_rng(4).uniform(size=(2, 20, 12)).astype("float32")
    check_contract(SoundCourse(), spectrogram=segments)


def test_survives_its_file_over_segments(tmp_path):
    spectrogram = keras.Input((None, 20, 12))
    mask = keras.Input((None,), dtype="bool")
    pooled = OverSegments(SoundCourse())(spectrogram, mask)
    model = keras.Model([spectrogram, mask], pooled)
    model.save(tmp_path / "model.keras")
    inputs = [
        np.random.default_rng(3).uniform(size=(2, 3, 20, 12)).astype("float32"),
        np.array([[True, True, False], [True, True, True]]),
    ]
    loaded = keras.saving.load_model(tmp_path / "model.keras")
    np.testing.assert_array_equal(loaded(inputs), model(inputs))
