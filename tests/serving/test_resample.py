import numpy as np
import pytest
import soxr
import tensorflow as tf

from keras_jtav.features.cqt import ConstantQ
from keras_jtav.serving.resample import resample

RNG = np.random.default_rng(0)


@tf.function(
    input_signature=[tf.TensorSpec((None,), tf.float32), tf.TensorSpec((), tf.int32)]
)
def to_22050(waveform, rate_hz):
    return resample(waveform, rate_hz)


def by_soxr(waveform, rate_hz):
    return soxr.resample(waveform, rate_hz, 22_050, quality="HQ")


def music(rate_hz, seconds=2.0):
    """Plucked tones with decaying partials below four tenths of the rate."""
    times = np.arange(int(seconds * rate_hz)) / rate_hz
    waveform = np.zeros(len(times))
    for start, pitch_hz in enumerate((110, 165, 247, 370)):
        ringing = np.maximum(times - start * seconds / 5, 0)
        for partial in range(1, 40):
            if partial * pitch_hz < 0.4 * rate_hz:
                swing = np.sin(2 * np.pi * partial * pitch_hz * ringing) / partial
                waveform += swing * np.exp(-3 * ringing * partial**0.5)
    noise = RNG.normal(size=len(times)) * np.exp(-20 * times)
    fade_in = np.minimum(times / 0.02, 1)
    return (fade_in * (0.1 * waveform + 1e-3 * noise)).astype("float32")


def sweep(rate_hz, seconds=2.0):
    """All frequencies up to half the rate, one after the other."""
    times = np.arange(int(seconds * rate_hz)) / rate_hz
    phase = 2 * np.pi * (20 * times + rate_hz / 4 / seconds * times**2)
    return (0.5 * np.sin(phase) * np.hanning(len(times)) ** 0.1).astype("float32")


def snr_db(expected, actual):
    error = expected.astype("float64") - actual
    return 10 * np.log10(np.square(expected, dtype="float64").sum() / (error**2).sum())


# Rate: least agreement of music, and of a sweep through the edge of the band, in dB.
AGREEMENT = {
    1000: (75, 70),
    5000: (80, 70),
    8000: (85, 80),
    11_025: (95, 95),
    11_127: (85, 80),
    16_000: (85, 80),
    22_254: (85, 70),
    24_000: (85, 80),
    32_000: (85, 70),
    37_799: (85, 75),
    44_100: (95, 95),
    48_000: (85, 80),
    88_200: (90, 95),
    95_999: (85, 75),
    96_000: (85, 75),
}


@pytest.mark.parametrize("rate_hz", AGREEMENT)
def test_agrees_with_soxr(rate_hz):
    for make, least_db in zip((music, sweep), AGREEMENT[rate_hz], strict=True):
        waveform = make(rate_hz)
        expected = by_soxr(waveform, rate_hz)
        actual = to_22050(waveform, rate_hz)
        assert actual.shape == expected.shape
        assert snr_db(expected, actual.numpy()) > least_db, make.__name__


@pytest.mark.parametrize("rate_hz", [192_000, 384_000])
def test_rates_of_studios(rate_hz):
    waveform = music(rate_hz, seconds=0.5)
    assert snr_db(by_soxr(waveform, rate_hz), to_22050(waveform, rate_hz).numpy()) > 80


def test_22050_is_left_alone():
    waveform = music(22_050, seconds=0.1)
    np.testing.assert_array_equal(to_22050(waveform, 22_050), waveform)


def test_lengths_are_those_of_soxr():
    # 120 at 12,000 Hz make 220.5, 6 at 37,800 make 3.5: the rounding decides.
    cases = [(12_000, 120), (37_800, 6), (44_100, 1), (96_000, 1), (8000, 0)]
    rng = np.random.default_rng(1)
    cases += [
        (int(rng.integers(1000, 96_001)), int(rng.integers(4000))) for _ in "x" * 30
    ]
    for rate_hz, num_samples in cases:
        silence = np.zeros(num_samples, "float32")
        assert to_22050(silence, rate_hz).shape == by_soxr(silence, rate_hz).shape


@pytest.mark.parametrize("rate_hz", [8000, 37_799])
def test_chunks_of_a_long_recording_meet(rate_hz):
    # 14 s make more than two chunks of 131,072; after 4 s the phase is 0 again.
    whole = RNG.normal(size=14 * rate_hz).astype("float32")
    expected = to_22050(whole[4 * rate_hz :], rate_hz)[1000:]
    actual = to_22050(whole, rate_hz)[4 * 22_050 + 1000 :]
    np.testing.assert_allclose(actual, expected, atol=2e-5)


@pytest.mark.parametrize("rate_hz", [16_000, 22_254, 44_100, 48_000])
def test_spectrogram_of_what_was_resampled(rate_hz):
    waveform = music(rate_hz, seconds=3.0)
    cqt = ConstantQ()
    expected = cqt(by_soxr(waveform, rate_hz)[None])
    actual = cqt(to_22050(waveform, rate_hz)[None])
    assert np.abs(expected - actual).mean() < 0.05
