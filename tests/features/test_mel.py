import librosa
import numpy as np
import pytest

from keras_jtav.features.decibels import power_to_decibels
from keras_jtav.features.mel import MelSpectrogram, slaney_filters

TOLERANCE_DB = 0.01


def by_librosa(waveform):
    power = librosa.feature.melspectrogram(
        y=waveform, sr=22_050, n_fft=2048, hop_length=1024, n_mels=96
    )
    return librosa.power_to_db(power, ref=1.0, top_db=80.0).T


def test_contract(check_spectrogram):
    check_spectrogram(MelSpectrogram())


@pytest.mark.parametrize("source", ["clips", "spoken"])
def test_equals_librosa(source, request):
    waveforms = request.getfixturevalue(source)
    expected = np.stack([by_librosa(waveform) for waveform in waveforms])
    np.testing.assert_allclose(MelSpectrogram()(waveforms), expected, atol=TOLERANCE_DB)


def test_ten_seconds_have_216_frames(clips):
    waveform = np.resize(clips[1], 220_500)
    assert MelSpectrogram().frames(220_500) == 216
    actual = MelSpectrogram()(waveform[None])[0]
    np.testing.assert_allclose(actual, by_librosa(waveform), atol=TOLERANCE_DB)


@pytest.mark.parametrize("fmax_hz", [8000.0, 6000.0])
def test_filters_equal_those_of_librosa(fmax_hz):
    bank = {"n_fft": 1024, "n_mels": 40, "fmin": 50.0, "fmax": fmax_hz}
    expected = librosa.filters.mel(sr=16_000, **bank)
    actual = slaney_filters(16_000, 1024, 40, 50.0, fmax_hz)
    np.testing.assert_allclose(actual.T, expected, rtol=2e-5, atol=1e-9)


def test_the_bin_of_a_tone():
    # Slaney: 1000 Hz is mel 15, 11025 Hz is mel 15 + 27 ln(11.025) / ln(6.4) = 49.91.
    # 98 edges are 49.91 / 97 = .5145 apart; 15 / .5145 = 29.15, so bin 29 - 1.
    tone = np.sin(2 * np.pi * 1000 * np.arange(22_050) / 22_050).astype("float32")
    assert int(np.argmax(MelSpectrogram()(tone[None])[0, 10])) == 28


def test_range_is_taken_per_clip():
    # Loudest 30 dB and 50 dB, 80 dB each: -90 dB rises to -50 and to -30 dB.
    power = np.array([[[1e3, 1e-9]], [[1e5, 1e-9]]], "float32")
    expected = [[[30, -50]], [[50, -30]]]
    np.testing.assert_allclose(power_to_decibels(power, 80.0), expected, atol=1e-4)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"hop_samples": 0}, "`hop_samples` must be at least 1; received 0"),
        ({"bins": 0}, "`bins` must be at least 1; received 0"),
        (
            {"fft_samples": 511},
            "`fft_samples` must be a positive even number; received",
        ),
        ({"fmin_hz": 11_025.0}, "half the sample rate, 11025 Hz; received 11025 and"),
        ({"fmin_hz": -1.0}, "`fmin_hz` must lie below .* received -1 and"),
        ({"fmin_hz": 700.0, "fmax_hz": 600.0}, "received 700 and 600"),
        ({"fmax_hz": 12_000.0}, "received 0 and 12000"),
    ],
)
def test_errors(arguments, message):
    with pytest.raises(ValueError, match=message):
        MelSpectrogram(**arguments)
