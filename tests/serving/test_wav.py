import io
import struct

import numpy as np
import pytest
import soundfile
import tensorflow as tf

from keras_jtav.data.decode import decode_audio, encode_wav
from keras_jtav.serving.wav import parse_wav

RNG = np.random.default_rng(0)
PCM, FLOAT, ADPCM = 1, 3, 2


@tf.function(
    input_signature=[tf.TensorSpec((), tf.string), tf.TensorSpec((), tf.float64)]
)
def parse_at_most(encoded, max_seconds):
    return parse_wav(encoded, max_seconds)


def parse(encoded):
    return parse_at_most(encoded, 600.0)


def chunk(tag, body, claimed=None):
    size = len(body) if claimed is None else claimed
    return tag + struct.pack("<I", size) + body + bytes(len(body) % 2)


def header(code=PCM, channels=1, rate_hz=8000, bits=16):
    width = channels * bits // 8
    fields = struct.pack("<HHII", code, channels, rate_hz, rate_hz * width % 2**32)
    return chunk(b"fmt ", fields + struct.pack("<HH", width % 2**16, bits))


def riff(*chunks):
    body = b"WAVE" + b"".join(chunks)
    return b"RIFF" + struct.pack("<I", len(body)) + body


def assert_flagged(encoded):
    waveform, rate_hz, ok = parse(encoded)
    assert not ok
    assert waveform.shape == (0,)
    assert rate_hz == 22_050


SUBTYPES = ("PCM_U8", "PCM_16", "PCM_24", "PCM_32", "FLOAT", "DOUBLE")


@pytest.mark.parametrize("container", ["WAV", "WAVEX"])
@pytest.mark.parametrize("subtype", SUBTYPES)
@pytest.mark.parametrize("channels", [1, 2, 5])
def test_equals_libsndfile(container, subtype, channels):
    samples = RNG.uniform(-1, 1, (501, channels))
    stream = io.BytesIO()
    soundfile.write(stream, samples, 44_100, format=container, subtype=subtype)
    waveform, rate_hz, ok = parse(stream.getvalue())
    stream.seek(0)
    expected, _ = soundfile.read(stream, dtype="float32", always_2d=True)
    assert ok
    assert rate_hz == 44_100
    np.testing.assert_allclose(waveform, expected.mean(axis=1), rtol=0, atol=1.2e-7)


def test_samples_by_hand():
    # 16 bits: 16384 / 32768 = .5, -32768 / 32768 = -1; the mean of the two is -.25.
    data = struct.pack("<hhhh", 16384, -32768, 8192, 8192)
    waveform, rate_hz, ok = parse(riff(header(channels=2), chunk(b"data", data)))
    assert ok
    assert rate_hz == 8000
    assert waveform.numpy().tolist() == [-0.25, 0.25]


def test_equals_the_training_path():
    encoded = encode_wav(RNG.uniform(-1, 1, 999).astype("float32"))
    np.testing.assert_array_equal(parse(encoded)[0], decode_audio(encoded))


def test_chunks_around_the_data_are_skipped():
    data = struct.pack("<hhh", 1, 2, 3)
    encoded = riff(
        *(chunk(b"LIST", b"odd"), chunk(b"fact", bytes(4)), header()),
        *(chunk(b"junk", b"data fmt "), chunk(b"data", data), chunk(b"id3 ", b"x")),
    )
    waveform, _, ok = parse(encoded)
    assert ok
    assert (waveform.numpy() * 32768).tolist() == [1, 2, 3]


@pytest.mark.parametrize("claimed", [7, 1000, 2**31, 2**32 - 1])
def test_of_a_cut_data_chunk_whole_frames_count(claimed):
    data = struct.pack("<hhh", 1, 2, 3) + b"\x07"
    encoded = riff(header(), chunk(b"data", data, claimed)).removesuffix(b"\0")
    waveform, _, ok = parse(encoded)
    assert ok
    assert (waveform.numpy() * 32768).tolist() == [1, 2, 3]


def test_max_seconds():
    encoded = riff(header(rate_hz=1000), chunk(b"data", bytes(2 * 900)))
    assert parse_at_most(encoded, 0.25)[0].shape == (250,)


DATA = chunk(b"data", bytes(48))
FLAGGED = {
    "nothing": b"",
    "one byte": b"R",
    "text": b"RIFF is not enough to be a recording, whatever follows it",
    "no chunks": riff(),
    "no data": riff(header()),
    "no header": riff(DATA),
    "header cut": riff(header(), DATA)[:30],
    "not WAVE": riff(header(), DATA).replace(b"WAVE", b"AVI "),
    "big-endian": riff(header(), DATA).replace(b"RIFF", b"RIFX"),
    "no frames": riff(header(), chunk(b"data", b"")),
    "half a frame": riff(header(channels=2, bits=32), chunk(b"data", bytes(7))),
    "0 Hz": riff(header(rate_hz=0), DATA),
    "999 Hz": riff(header(rate_hz=999), DATA),
    "4 GHz": riff(header(rate_hz=2**32 - 1), DATA),
    "no channels": riff(header(channels=0), DATA),
    "64 channels": riff(header(channels=64), chunk(b"data", bytes(256))),
    "65535 channels": riff(header(channels=65_535, bits=8), DATA),
    "0 bits": riff(header(bits=0), DATA),
    "12 bits": riff(header(bits=12), DATA),
    "float of 16 bits": riff(header(code=FLOAT), DATA),
    "ADPCM": riff(header(code=ADPCM, bits=8), DATA),
    "codes that add up": riff(header(code=0, bits=116), DATA),
    "NaN": riff(
        header(code=FLOAT, bits=32), chunk(b"data", struct.pack("<ff", 0, np.nan))
    ),
    "infinite": riff(
        header(code=FLOAT, bits=32), chunk(b"data", struct.pack("<ff", np.inf, 0))
    ),
    "2 thousand million": riff(
        header(code=FLOAT, bits=32), chunk(b"data", struct.pack("<ff", 0, -2e9))
    ),
    "endless chunk": riff(chunk(b"LIST", b"", claimed=2**32 - 1), header(), DATA),
}


@pytest.mark.parametrize("name", FLAGGED)
def test_unreadable_files_are_flagged(name):
    assert_flagged(FLAGGED[name])


def test_every_cut_of_a_file_is_read_or_flagged():
    whole = riff(header(channels=2, bits=24), chunk(b"data", bytes(range(30))))
    start = whole.index(b"data") + 8
    for size in range(len(whole)):
        waveform, _, ok = parse(whole[:size])
        assert waveform.shape == (max(0, size - start) // 6,)
        assert bool(ok) == (size >= start + 6)


def test_mutated_files_never_raise():
    rng = np.random.default_rng(1)
    whole = riff(header(channels=2), chunk(b"LIST", b"abc"), DATA)
    flagged = 0
    for _ in range(300):
        mutated = bytearray(whole)
        for position in rng.integers(0, 64, 2):
            mutated[position] = rng.choice([0, 1, 127, 255, rng.integers(256)])
        waveform, rate_hz, ok = parse(bytes(mutated))
        assert (waveform.shape[0] > 0) == bool(ok)
        assert 1000 <= rate_hz <= 384_000
        flagged += not ok
    assert 30 < flagged < 300
