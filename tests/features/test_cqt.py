import keras
import librosa
import numpy as np
import pytest
import tensorflow as tf

from keras_jtav.features.cqt import C1_HZ, ConstantQ
from keras_jtav.features.cqt_kernels import decimator

TOLERANCE_DB = 0.05


def by_librosa(waveform, hop_samples=1024, bins=96, fmin_hz=C1_HZ):
    transformed = librosa.cqt(
        waveform, sr=22_050, hop_length=hop_samples, n_bins=bins, fmin=fmin_hz
    )
    return librosa.amplitude_to_db(np.abs(transformed), ref=1.0, top_db=80.0).T


def test_contract(check_spectrogram):
    check_spectrogram(ConstantQ())


def test_the_bits_of_a_clip_do_not_depend_on_its_batch(clips):
    layer = tf.function(ConstantQ().call)
    alone = layer(clips[1:2])[0]
    for batch in (clips[:3], np.repeat(clips, 3, axis=0)[2:]):
        np.testing.assert_array_equal(layer(batch)[1], alone)


@pytest.mark.parametrize("source", ["clips", "spoken"])
def test_equals_librosa(source, request):
    waveforms = request.getfixturevalue(source)
    expected = np.stack([by_librosa(waveform) for waveform in waveforms])
    np.testing.assert_allclose(ConstantQ()(waveforms), expected, atol=TOLERANCE_DB)


def test_ten_seconds_have_216_frames(clips):
    waveform = np.resize(clips[1], 220_500)
    assert ConstantQ().frames(220_500) == 216
    actual = ConstantQ()(waveform[None])[0]
    np.testing.assert_allclose(actual, by_librosa(waveform), atol=TOLERANCE_DB)


@pytest.mark.parametrize(
    ("hop_samples", "bins", "fmin_hz"),
    [(512, 84, C1_HZ), (1024, 90, C1_HZ), (1024, 72, C1_HZ), (256, 36, 1000.0)],
)
def test_equals_librosa_in_other_sizes(clips, hop_samples, bins, fmin_hz):
    expected = by_librosa(clips[2], hop_samples, bins, fmin_hz)
    layer = ConstantQ(hop_samples=hop_samples, bins=bins, fmin_hz=fmin_hz)
    np.testing.assert_allclose(layer(clips[2:3])[0], expected, atol=TOLERANCE_DB)


def test_skipped_octaves_differ_from_librosa_at_the_ends_only(clips):
    expected = by_librosa(clips[2], bins=60)
    actual = ConstantQ(bins=60)(clips[2:3])[0]
    np.testing.assert_allclose(actual[8:-8], expected[8:-8], atol=TOLERANCE_DB)


def test_the_bin_of_a_tone():
    # A4 is 3 octaves and 9 semitones above C1: bin 3 * 12 + 9 = 45.
    tone = np.sin(2 * np.pi * 440 * np.arange(22_050) / 22_050).astype("float32")
    assert int(np.argmax(ConstantQ()(tone[None])[0, 10])) == 45


def test_the_decimator_keeps_the_energy():
    # A constant 1 of n samples becomes sqrt(2) of n / 2 samples: the sum of squares
    # stays n. Every column of the matrix sums to that gain.
    np.testing.assert_allclose(decimator(4).sum(axis=0), np.sqrt(2), rtol=1e-6)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"bins": 0}, "`bins` must be at least 1; received 0"),
        ({"fmin_hz": 0.0}, "`fmin_hz` must be above 0; received 0"),
        (
            {"hop_samples": 1000},
            "`hop_samples` must be a multiple of 128 for 8 octaves; received 1000. Use "
            "1024, or lower `bins`.",
        ),
        (
            {"bins": 108},
            "108 bins from 32.7032 Hz reach .* half the sample rate is 11025",
        ),
    ],
)
def test_errors(arguments, message):
    with pytest.raises(ValueError, match=message):
        ConstantQ(**{"hop_samples": 1024, **arguments})


def test_unknown_length():
    with pytest.raises(ValueError, match="ConstantQ needs to know the clip length"):
        ConstantQ()(keras.Input((None,)))
