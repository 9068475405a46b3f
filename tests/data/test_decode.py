import contextlib
import io
import os
import struct
import sys
import warnings
from pathlib import Path

import numpy as np
import pytest
import soundfile
from PIL import Image, ImageOps

from keras_jtav.data.decode import (
    DecodeError,
    decode_audio,
    decode_image,
    encode_png,
    encode_wav,
)

FORMATS = [
    ("WAV", "PCM_16"),
    ("WAV", "FLOAT"),
    ("FLAC", "PCM_16"),
    ("OGG", "VORBIS"),
    ("MP3", "MPEG_LAYER_III"),
]


def tone(rate_hz=22_050, seconds=1.0, pitch_hz=440.0):
    time = np.arange(int(rate_hz * seconds)) / rate_hz
    return (0.5 * np.sin(2 * np.pi * pitch_hz * time)).astype(np.float32)


def recording(waveform, rate_hz=22_050, kind="WAV", subtype="PCM_16"):
    stream = io.BytesIO()
    soundfile.write(stream, waveform, rate_hz, format=kind, subtype=subtype)
    return stream.getvalue()


def picture(image, kind="PNG", **options):
    stream = io.BytesIO()
    image.save(stream, kind, **options)
    return stream.getvalue()


def noise(height=40, width=30, bands=3):
    shape = (height, width, bands) if bands > 1 else (height, width)
    return np.random.default_rng(0).integers(0, 256, shape, np.uint8)


@pytest.mark.parametrize(("kind", "subtype"), FORMATS)
@pytest.mark.parametrize("rate_hz", [22_050, 44_100, 8_000])
def test_recordings_come_out_mono_at_one_rate(tmp_path, kind, subtype, rate_hz):
    left = tone(rate_hz)
    data = recording(np.column_stack([left, left / 2]), rate_hz, kind, subtype)
    path = tmp_path / "a.sound"
    path.write_bytes(data)
    waveform = decode_audio(path)
    assert waveform.dtype == np.float32
    assert waveform.shape == pytest.approx((22_050,), abs=60)
    middle = slice(4_000, 18_000)  # lossy codecs ring at the ends
    assert np.abs(waveform - tone()[: len(waveform)] * 0.75)[middle].max() < 0.05
    np.testing.assert_array_equal(waveform, decode_audio(data))


def test_channels_are_averaged():
    channels = np.float32([[1, 0, 0.5, 0], [0, 0, 0, 0.25]])
    # (1 + 0 + 0.5 + 0) / 4 and 0.25 / 4
    waveform = decode_audio(recording(channels, subtype="FLOAT"))
    assert waveform.tolist() == [0.375, 0.0625]


def test_late_samples_are_not_read():
    waveform = decode_audio(recording(tone(44_100, 3), 44_100), max_seconds=1.5)
    assert len(waveform) == 33_075


def test_long_recordings_are_read_in_blocks(monkeypatch):
    monkeypatch.setattr("keras_jtav.data.decode.BLOCK_FRAMES", 1_000)
    whole = tone(seconds=0.5)
    data = recording(whole, subtype="FLOAT")
    np.testing.assert_array_equal(decode_audio(data), whole)
    np.testing.assert_array_equal(decode_audio(data, 0.1), whole[:2_205])


@pytest.mark.parametrize(("kind", "subtype"), FORMATS)
@pytest.mark.parametrize("keep", [0.0, 0.1, 0.5, 0.9])
def test_recordings_cut_short_are_refused(tmp_path, kind, subtype, keep):
    waveform = np.random.default_rng(0).normal(0, 0.1, 66_150)
    data = recording(waveform, kind=kind, subtype=subtype)
    path = tmp_path / "song.bin"
    path.write_bytes(data[: int(keep * len(data))])
    with pytest.raises(DecodeError, match=r"song\.bin: "):
        decode_audio(path)


def test_wav_of_a_streaming_writer_is_whole():
    data = bytearray(recording(tone()))
    place = data.index(b"data") + 4
    data[place : place + 4] = b"\xff\xff\xff\xff"
    assert len(decode_audio(bytes(data))) == 22_050


def test_mp3_behind_a_long_title():
    data = recording(tone(), kind="MP3", subtype="MPEG_LAYER_III")
    tag = b"ID3\x04\x00\x00" + bytes([0, 0, 64, 0]) + bytes(64 * 128)
    assert len(decode_audio(tag + data)) == pytest.approx(22_050, abs=60)
    with pytest.raises(DecodeError, match="ends early"):
        decode_audio(tag + data[: len(data) // 2])


def header(rate_hz, channels):
    data = bytearray(recording(np.zeros((64, 1))))
    data[22:32] = struct.pack("<HII", channels, rate_hz, rate_hz * channels * 2)
    data[32:34] = struct.pack("<H", channels * 2)
    return bytes(data)


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"", "is no recording that libsndfile reads .*: convert it to WAV, FLAC"),
        (b"RIFF no sound here", "is no recording that libsndfile reads"),
        (recording(np.zeros(0)), "holds no samples"),
        (header(999, 1), "claims 999 Hz and 1 channels; expected 1000 to 384000 Hz"),
        (header(500_000, 1), "claims 500000 Hz"),
        (header(8_000, 17), "claims 8000 Hz and 17 channels; .* at most 16"),
        (encode_wav(np.float32([0, np.nan])), "has samples that are NaN or above"),
        (encode_wav(np.float32([0, -2e9])), r"has samples .* above 1e\+09: export"),
        (encode_wav(np.float32([0, np.inf])), "has samples that are NaN or above"),
    ],
    ids=lambda value: "" if isinstance(value, bytes) else None,
)
def test_decode_audio_refuses(data, message):
    with pytest.raises(DecodeError, match=f"The given bytes: {message}"):
        decode_audio(data)


@pytest.mark.parametrize("decode", [decode_audio, decode_image])
def test_absent_files_are_named(tmp_path, decode):
    with pytest.raises(DecodeError, match=r"gone\.bin: cannot be opened \(No such"):
        decode(tmp_path / "gone.bin")
    with pytest.raises(DecodeError, match=r"cannot be opened \(not a .*\): mend the"):
        decode(tmp_path)
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(DecodeError, match="pipe: cannot be opened"):
        decode(tmp_path / "pipe")


@pytest.mark.parametrize("kind", ["PNG", "BMP", "GIF", "WEBP", "JPEG"])
def test_pictures_come_out_rgb(tmp_path, kind):
    smooth = np.zeros((40, 30, 3), np.uint8)
    smooth[:, :, 0] = np.arange(40)[:, np.newaxis] * 6
    path = tmp_path / "a.picture"
    path.write_bytes(picture(Image.fromarray(smooth), kind))
    image = decode_image(path)
    assert image.dtype == np.uint8
    assert image.shape == (40, 30, 3)
    assert np.abs(image.astype(int) - smooth).max() <= 12
    if kind in ("PNG", "BMP"):
        np.testing.assert_array_equal(image, smooth)


def test_first_frame_of_an_animation_counts():
    frames = [Image.new("RGB", (8, 8), colour) for colour in ("red", "blue")]
    for kind in ("GIF", "WEBP", "PNG"):
        options = {"lossless": True} if kind == "WEBP" else {}
        data = picture(
            frames[0], kind, save_all=True, append_images=frames[1:], **options
        )
        assert decode_image(data)[0, 0].tolist() == [255, 0, 0]


def test_grey_and_black_and_white():
    grey = noise(bands=1)
    for image in (Image.fromarray(grey), Image.fromarray(grey > 99)):
        rgb = decode_image(picture(image))
        np.testing.assert_array_equal(rgb, np.asarray(image.convert("RGB")))


def test_sixteen_bits_keep_the_high_byte():
    samples = np.uint16([[0, 255, 256, 0x80FF, 0xFFFF]])
    image = decode_image(picture(Image.fromarray(samples)))
    assert image[0, :, 0].tolist() == [0, 0, 1, 0x80, 0xFF]
    assert (image == image[:, :, :1]).all()


def test_sixteen_bit_transparency_is_white():
    samples = np.uint16([[0x1234, 0x1235]])
    data = picture(Image.fromarray(samples), transparency=0x1234)
    assert decode_image(data)[0, :, 0].tolist() == [255, 0x12]


def test_cmyk():
    ink = Image.new("CMYK", (16, 16), (0, 255, 255, 0))
    assert np.abs(decode_image(picture(ink, "JPEG"))[8, 8] - [255, 0, 0]).max() < 6


def test_alpha_over_white_by_hand():
    pixels = np.uint8([[[10, 0, 255, 0], [10, 0, 255, 255], [10, 0, 200, 100]]])
    # 10: (10 * 100 + 255 * 155 + 127) // 255 = 40652 // 255 = 159
    #  0: (39525 + 127) // 255 = 155;  200: (20000 + 39525 + 127) // 255 = 233
    image = decode_image(picture(Image.fromarray(pixels)))
    assert image.tolist() == [[[255, 255, 255], [10, 0, 255], [159, 155, 233]]]


def test_alpha_of_grey_and_of_palettes():
    grey = Image.merge("LA", [Image.new("L", (1, 1), v) for v in (10, 100)])
    assert decode_image(picture(grey)).tolist() == [[[159, 159, 159]]]
    palette = Image.new("P", (2, 1))
    palette.putpalette([1, 2, 3, 4, 5, 6])
    palette.putpixel((1, 0), 1)
    for kind in ("PNG", "GIF"):
        image = decode_image(picture(palette, kind, transparency=1))
        assert image.tolist() == [[[1, 2, 3], [255, 255, 255]]]
    colour = Image.new("RGB", (1, 1), (7, 8, 9))
    assert decode_image(picture(colour, transparency=(7, 8, 9))).min() == 255


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP"])
def test_orientation_is_applied(orientation, kind):
    exif = Image.Exif()
    exif[0x0112] = orientation
    data = picture(Image.fromarray(noise()), kind, exif=exif)
    upright = ImageOps.exif_transpose(Image.open(io.BytesIO(data))).convert("RGB")
    np.testing.assert_array_equal(decode_image(data), np.asarray(upright))
    assert decode_image(data).shape[:2] == ((40, 30) if orientation < 5 else (30, 40))


def test_a_broken_exif_block_is_ignored():
    plain = Image.fromarray(noise())
    data = picture(plain, "JPEG", exif=b"Exif\x00\x00MM nothing of the kind")
    np.testing.assert_array_equal(
        decode_image(data), decode_image(picture(plain, "JPEG"))
    )


def test_first_picture_of_a_phone_counts():
    frames = [Image.new("RGB", (8, 8), colour) for colour in ("red", "blue")]
    data = picture(frames[0], "MPO", save_all=True, append_images=frames[1:])
    assert np.abs(decode_image(data)[0, 0] - [255, 0, 0]).max() < 3


@pytest.mark.parametrize("kind", ["PNG", "BMP", "GIF", "WEBP", "JPEG"])
@pytest.mark.parametrize("keep", [0.02, 0.3, 0.6, 0.95])
def test_pictures_cut_short_are_refused(tmp_path, kind, keep):
    data = picture(Image.fromarray(noise(100, 80)), kind)
    path = tmp_path / "photo.bin"
    path.write_bytes(data[: int(keep * len(data))])
    with pytest.raises(DecodeError, match=r"photo\.bin: "):
        decode_image(path)


def test_random_damage_never_escapes_as_another_error():
    draw = np.random.default_rng(0)
    media = [
        picture(Image.fromarray(noise()), k) for k in ("PNG", "GIF", "WEBP", "BMP")
    ]
    media += [picture(Image.fromarray(noise(bands=4)))]
    for data in media * 40:
        damaged = bytearray(data)
        for place in draw.integers(0, len(data), 5):
            damaged[place] = draw.integers(256)
        with contextlib.suppress(DecodeError):
            assert decode_image(bytes(damaged)).shape[2] == 3


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"", "is no picture that can be read: convert it to PNG, JPEG"),
        (b"%!PS-Adobe-3.0 EPSF-3.0", "is no picture that can be read"),
        (b"<html>404</html>", "is no picture but a <html>"),
        (picture(Image.new("L", (7_200, 7_000))), "7200 x 7000 pixels.*below 50000000"),
        (picture(Image.new("1", (9_500, 9_500))), "too large .*90250000 pixels"),
        (picture(Image.new("1", (14_000, 14_000))), "too large .*196000000 pixels"),
    ],
    ids=lambda value: "" if isinstance(value, bytes) else None,
)
def test_decode_image_refuses(data, message):
    with pytest.raises(DecodeError, match=f"The given bytes: .*{message}"):
        decode_image(data)


def test_large_pictures_are_refused_before_they_are_decoded(monkeypatch):
    data = picture(Image.new("L", (20, 10)))
    assert decode_image(data, max_pixels=200).shape == (10, 20, 3)
    monkeypatch.setattr(Image.Image, "load", lambda self: pytest.fail("decoded"))
    with pytest.raises(DecodeError, match=r"too large \(20 x 10 pixels\)"):
        decode_image(data, max_pixels=199)


def test_a_picture_too_large_for_pillow_cannot_be_let_in():
    data = picture(Image.new("1", (14_000, 14_000)))
    with pytest.raises(DecodeError, match=r"below 178956970 pixels\.$"):
        decode_image(data, max_pixels=10**9)
    with pytest.raises(DecodeError, match=r"below 50000000 pixels\.$"):
        decode_image(data)


def many_scans(num_scans):
    """Return a progressive JPEG whose last scan is repeated."""
    data = picture(Image.fromarray(noise()), "JPEG", progressive=True)
    own, last = data.count(b"\xff\xda"), data.rindex(b"\xff\xda")
    return data[:-2] + data[last:-2] * (num_scans - own) + b"\xff\xd9"


def test_pictures_that_are_gone_over_too_often_are_refused(monkeypatch):
    assert decode_image(many_scans(100)).shape == (40, 30, 3)
    with pytest.raises(DecodeError, match="has 101 scans, expected at most 100"):
        decode_image(many_scans(101))


def test_drawings_are_on_white(tmp_path):
    pytest.importorskip("resvg_py", reason="the SVG renderer is not installed")
    path = tmp_path / "drawing.svg"
    rect = '<rect width="4" height="9" fill="blue" fill-opacity="0.5"/>'
    path.write_text(
        f'\ufeff<?xml version="1.0"?><svg xmlns="http://www.w3.org/2000/svg" '
        f'width="8" height="4">{rect}</svg>'
    )
    image = decode_image(path)
    assert image.shape == (256, 512, 3)
    assert image[128, 400].tolist() == [255, 255, 255]
    assert image[128, 100].tolist() == [127, 127, 255]  # alpha 128


def test_drawings_without_the_renderer_name_the_package(monkeypatch):
    monkeypatch.setitem(sys.modules, "resvg_py", None)
    with pytest.raises(DecodeError, match="pip install resvg-py"):
        decode_image(b"<svg/>")


@pytest.mark.parametrize("num", [0, 1, 22_050])
def test_wav_round_trip(num):
    waveform = tone(seconds=1)[:num]
    data = encode_wav(waveform)
    read, rate_hz = soundfile.read(io.BytesIO(data), dtype="float32")
    assert rate_hz == 22_050
    np.testing.assert_array_equal(read, waveform)
    assert len(data) == struct.unpack("<I", data[4:8])[0] + 8


def test_png_round_trip():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        np.testing.assert_array_equal(decode_image(encode_png(noise())), noise())


def test_encoders_refuse():
    with pytest.raises(ValueError, match=r"float32 of shape \(samples,\); received f"):
        encode_wav(np.zeros((2, 3), np.float32))
    with pytest.raises(ValueError, match="received float64"):
        encode_wav(np.zeros(3))
    with pytest.raises(ValueError, match=r"uint8 of shape \(height, width, 3\)"):
        encode_png(np.zeros((2, 3), np.uint8))
    with pytest.raises(ValueError, match="received float32"):
        encode_png(np.zeros((2, 3, 3), np.float32))


@pytest.mark.slow
@pytest.mark.skipif(
    not Path("/usr/share/tuxpaint/stamps").is_dir(),
    reason="tuxpaint-stamps-default is absent",
)
def test_real_files_are_not_refused():
    stamps = Path("/usr/share/tuxpaint/stamps")
    for file in sorted(stamps.rglob("*.png")):
        assert decode_image(file).shape[2] == 3
    for file in sorted(stamps.rglob("*_desc_es.ogg")):
        assert np.isfinite(decode_audio(file)).all()


@pytest.mark.parametrize("decode", [decode_audio, decode_image])
def test_files_above_the_limit_are_refused_unread(tmp_path, decode):
    path = tmp_path / "large.bin"
    with open(path, "wb") as file:
        file.truncate(10**12)  # takes no room
    with pytest.raises(DecodeError, match=r"too large \(1000000000000 bytes\)"):
        decode(path)
    path.write_bytes(picture(Image.new("L", (9, 9))))
    size = path.stat().st_size
    assert decode_image(path, max_bytes=size).shape == (9, 9, 3)
    with pytest.raises(DecodeError, match=r"or raise `data\.max_file_bytes`"):
        decode(path, max_bytes=size - 1)
