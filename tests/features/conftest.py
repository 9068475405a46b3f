"""Recordings, and the contract that both spectrograms keep."""

from pathlib import Path

import keras
import numpy as np
import pytest
import soundfile
import tensorflow as tf

from keras_jtav.data.decode import decode_audio

RATE_HZ = 22_050
STAMPS = Path("/usr/share/tuxpaint/stamps")


@pytest.fixture(scope="session")
def clips(tmp_path_factory):
    """Six recordings of 3 seconds, written as 16-bit WAV and read again."""
    rng = np.random.default_rng(0)
    times = np.arange(3 * RATE_HZ) / RATE_HZ
    plucked = sum(
        np.sin(2 * np.pi * partial * pitch_hz * times) * np.exp(-partial * times)
        for pitch_hz in (55, 196, 440)
        for partial in range(1, 12)
    )
    waveforms = [
        np.sin(2 * np.pi * (30 * times + 1800 * times**2)),  # sweep to 10.8 kHz
        plucked,
        rng.normal(size=len(times)),
        rng.normal(size=len(times)).cumsum() * np.hanning(len(times)),  # brown noise
        np.where(times < 1, np.sign(np.sin(2 * np.pi * 65 * times)), 0),  # then silence
        np.where(np.arange(len(times)) % 11_000 == 5000, 1.0, 0.0),  # clicks
    ]
    folder = tmp_path_factory.mktemp("clips")
    for index, waveform in enumerate(waveforms):
        quiet = 0.5 * waveform / np.abs(waveform).max()
        soundfile.write(folder / f"{index}.wav", quiet, RATE_HZ, subtype="PCM_16")
    return np.stack([decode_audio(path) for path in sorted(folder.iterdir())])


@pytest.fixture(scope="session")
def spoken():
    """Six real recordings, cut or padded to 3 seconds."""
    paths = sorted(STAMPS.glob("**/*_desc_es.ogg"))[::150][:6]
    if not paths:
        pytest.skip("the Debian package tuxpaint-stamps-default is not installed")
    waveforms = [decode_audio(path)[: 3 * RATE_HZ] for path in paths]
    return np.stack([np.pad(x, (0, 3 * RATE_HZ - len(x))) for x in waveforms])


@pytest.fixture
def check_spectrogram(tmp_path, clips):
    """Hold a spectrogram layer to one result in every way of calling it."""

    def check(layer):
        few = clips[:3, : RATE_HZ // 2]
        expected = layer(few).numpy()
        frames = layer.frames(few.shape[1])
        assert expected.shape == (3, frames, layer.bins)
        assert layer.compute_output_shape(few.shape) == expected.shape
        assert expected.dtype == "float32"
        assert np.isfinite(expected).all()
        assert not layer.weights
        assert type(layer).from_config(layer.get_config()).get_config() == (
            layer.get_config()
        )

        model = keras.Sequential([keras.Input(few.shape[1:]), layer])
        model.save(tmp_path / "model.keras")
        model.export(tmp_path / "exported", verbose=False)
        loaded = keras.saving.load_model(tmp_path / "model.keras")
        served = tf.saved_model.load(tmp_path / "exported").serve
        signature = [tf.TensorSpec((None, few.shape[1]))]
        traced = tf.function(layer, input_signature=signature)
        compiled = tf.function(layer, jit_compile=True)
        mapped = tf.data.Dataset.from_tensors(few).map(layer).get_single_element()
        for other in (loaded(few), served(few), traced(few), mapped):
            np.testing.assert_allclose(other, expected, atol=1e-3)
        # XLA adds up in another order; it shows 70 dB below the loudest bin.
        np.testing.assert_allclose(compiled(few), expected, atol=0.05)

        order = [2, 0, 1]
        np.testing.assert_allclose(layer(few[order]), expected[order], atol=1e-3)
        for row, alone in zip(few, expected, strict=True):
            np.testing.assert_allclose(layer(row[None])[0], alone, atol=1e-3)

        keras.config.set_dtype_policy("mixed_bfloat16")
        try:
            twin = type(layer).from_config(layer.get_config())
            fresh = type(layer)(hop_samples=layer.hop_samples, bins=layer.bins)
        finally:
            keras.config.set_dtype_policy("float32")
        for other in (twin, fresh):
            assert other.compute_dtype == "float32"
            np.testing.assert_array_equal(other(few), expected)

    return check
