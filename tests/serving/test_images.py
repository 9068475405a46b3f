import io
import pickle
import struct
import subprocess
import sys
import zlib

import numpy as np
import pytest
import tensorflow as tf
from PIL import Image

from keras_jtav.data.decode import DecodeError, decode_image
from keras_jtav.serving.images import decode_image_bytes

RNG = np.random.default_rng(0)
COARSE = Image.fromarray(RNG.integers(0, 256, (6, 8, 3), dtype=np.uint8))
RGB = COARSE.resize((53, 37), Image.Resampling.BICUBIC)
RGBA = RGB.copy()
RGBA.putalpha(Image.fromarray(RNG.integers(0, 256, (37, 53), dtype=np.uint8)))
SIGNATURE = {"PNG": b"\x89PNG\r\n\x1a\n", "GIF": b"GIF89a"}


@tf.function(
    input_signature=[tf.TensorSpec((), tf.string), tf.TensorSpec((), tf.int64)]
)
def decode_at_most(encoded, max_pixels):
    return decode_image_bytes(encoded, max_pixels)


def decode(encoded):
    return decode_at_most(encoded, 50_000_000)


def encode(image, kind, **options):
    stream = io.BytesIO()
    image.save(stream, kind, **options)
    return stream.getvalue()


def png(depth, colour_type, rows, extra=b"", width=16):
    """A PNG with its own header: Pillow does not write every kind."""

    def chunk(tag, body):
        checksum = struct.pack(">I", zlib.crc32(tag + body))
        return struct.pack(">I", len(body)) + tag + body + checksum

    header = struct.pack(">IIBBBBB", width, len(rows), depth, colour_type, 0, 0, 0)
    pixels = zlib.compress(b"".join(b"\0" + row for row in rows))
    body = chunk(b"IHDR", header) + extra + chunk(b"IDAT", pixels)
    return SIGNATURE["PNG"] + body + chunk(b"IEND", b"")


def random_rows(size):
    return [RNG.bytes(size) for _ in range(9)]


def palette(colours):
    return RGB.convert("P", palette=Image.Palette.ADAPTIVE, colors=colours)


def exif(value, order="<"):
    """A TIFF block with two entries: ImageWidth, then Orientation."""
    start = (b"II*\0" if order == "<" else b"MM\0*") + struct.pack(order + "I", 8)
    entries = struct.pack(order + "HHIHH", 0x0100, 3, 1, 7, 0)
    entries += struct.pack(order + "HHIHH", 0x0112, 3, 1, value, 0)
    return b"Exif\0\0" + start + struct.pack(order + "H", 2) + entries + bytes(4)


def gif_on_canvas(transparency=None):
    """A GIF whose only frame covers part of its canvas."""
    options = {} if transparency is None else {"transparency": transparency}
    whole = bytearray(encode(palette(8), "GIF", **options))
    image = whole.index(b"\x2c" + bytes(4) + struct.pack("<HH", 53, 37))
    whole[6:10] = struct.pack("<HH", 70, 50)
    whole[image + 1 : image + 5] = struct.pack("<HH", 9, 4)
    return bytes(whole)


def bmp_masked():
    """A BMP of 32 bits with masks for red, green, blue and alpha."""
    pixels = RNG.bytes(4 * 5 * 3)
    header = struct.pack("<IiiHHIIiiII", 56, 5, -3, 1, 32, 3, len(pixels), 0, 0, 0, 0)
    header += struct.pack("<IIII", 0xFF0000, 0xFF00, 0xFF, 0xFF000000)
    start = 14 + len(header)
    return b"BM" + struct.pack("<IHHI", start + 60, 0, 0, start) + header + pixels


FRAMES = {
    "save_all": True,
    "append_images": [RGB.transpose(Image.Transpose.ROTATE_180)],
}
FILES = {
    "jpeg": encode(RGB, "JPEG"),
    "jpeg 4:4:4": encode(RGB, "JPEG", subsampling=0, quality=95),
    "jpeg 4:2:2": encode(RGB, "JPEG", subsampling=1),
    "jpeg progressive": encode(RGB, "JPEG", progressive=True),
    "jpeg grey": encode(RGB.convert("L"), "JPEG"),
    "jpeg cmyk": encode(RGB.convert("CMYK"), "JPEG"),
    "jpeg, junk behind": encode(RGB, "JPEG") + b"junk",
    "png": encode(RGB, "PNG"),
    "png alpha": encode(RGBA, "PNG"),
    "png grey": encode(RGB.convert("L"), "PNG"),
    "png grey alpha": encode(RGBA.convert("LA"), "PNG"),
    "png 1 bit": encode(RGB.convert("1"), "PNG"),
    "png palette 2": encode(palette(2), "PNG"),
    "png palette 16": encode(palette(16), "PNG"),
    "png palette 256": encode(palette(256), "PNG"),
    "png palette, one transparent": encode(palette(16), "PNG", transparency=3),
    "png palette with alphas": encode(palette(4), "PNG", transparency=b"\0\x40\x80"),
    "png grey, one transparent": encode(RGB.convert("L"), "PNG", transparency=100),
    "png rgb, one transparent": encode(RGB, "PNG", transparency=RGB.getpixel((3, 3))),
    "png grey 2 bit": png(2, 0, random_rows(4)),
    "png grey 4 bit": png(4, 0, random_rows(8)),
    "png grey 16 bit": png(16, 0, random_rows(32)),
    "png rgb 16 bit": png(16, 2, random_rows(96)),
    "png grey alpha 16 bit": png(16, 4, random_rows(64)),
    "png rgb alpha 16 bit": png(16, 6, random_rows(128)),
    "gif": encode(palette(64), "GIF"),
    "gif interlaced": encode(palette(64), "GIF", interlace=1),
    "gif transparent": encode(palette(64), "GIF", transparency=3),
    "gif animated": encode(RGB, "GIF", **FRAMES),
    "gif on a canvas": gif_on_canvas(),
    "gif on a transparent canvas": gif_on_canvas(transparency=2),
    "bmp": encode(RGB, "BMP"),
    "bmp 1 bit": encode(RGB.convert("1"), "BMP"),
    "bmp grey": encode(RGB.convert("L"), "BMP"),
    "bmp palette": encode(palette(16), "BMP"),
    "bmp 32 bit": encode(RGBA, "BMP"),
    "bmp with masks": bmp_masked(),
    "webp": encode(RGB, "WEBP"),
    "webp lossless": encode(RGB, "WEBP", lossless=True),
    "webp alpha": encode(RGBA, "WEBP"),
    "webp upright": encode(RGB, "WEBP", exif=exif(6)),
    "png upright": encode(RGB, "PNG", exif=exif(8)),
    "jpeg, exif of another kind": encode(RGB, "JPEG", exif=b"Exif\0\0JUNK" + bytes(9)),
} | {
    f"jpeg orientation {value} {order}": encode(RGB, "JPEG", exif=exif(value, order))
    for value in range(10)
    for order in "<>"
}


@pytest.mark.parametrize("name", FILES)
def test_pixels_equal_those_of_the_training_path(name):
    image, ok = decode(FILES[name])
    assert ok
    np.testing.assert_array_equal(image, decode_image(FILES[name]))


@pytest.mark.filterwarnings("ignore:Corrupt EXIF data")
def test_exif_that_ends_early_does_not_matter():
    encoded = encode(RGB, "JPEG", exif=exif(6)[:20])
    image, ok = decode(encoded)
    assert ok
    np.testing.assert_array_equal(image, decode_image(encoded))


def test_alpha_by_hand():
    # (10 * 51 + 255 * 204 + 127) // 255 = 52657 // 255 = 206
    image, ok = decode(encode(Image.new("RGBA", (1, 1), (10, 10, 10, 51)), "PNG"))
    assert ok
    assert image.numpy().tolist() == [[[206, 206, 206]]]


def claims(kind):
    """Files whose headers promise more than 50 million pixels."""
    if kind == "PNG":
        return png(8, 2, [b"\0" * 30], width=60_000_000)
    if kind == "GIF":
        whole = bytearray(FILES["gif"])
        whole[6:10] = b"\xff" * 4
    elif kind == "BMP":
        whole = bytearray(FILES["bmp"])
        whole[18:26] = struct.pack("<ii", 65_000, -65_000)
    elif kind == "JPEG":
        whole = bytearray(FILES["jpeg"])
        frame = whole.index(b"\xff\xc0")
        whole[frame + 5 : frame + 9] = b"\xff" * 4
    else:
        whole = bytearray(FILES["webp alpha"])
        whole[24:30] = b"\xff" * 6
    return bytes(whole)


BROKEN = {
    "nothing": b"",
    "text": b"no picture at all",
    "only a signature": SIGNATURE["PNG"],
    "gif signature": SIGNATURE["GIF"],
    "bmp signature": b"BM",
    "jpeg start": b"\xff\xd8\xff\xe1",
    "webp start": b"RIFF\xff\xff\xff\xffWEBPVP8X",
    "png cut": FILES["png"][: len(FILES["png"]) // 2],
    "jpeg cut": FILES["jpeg"][: len(FILES["jpeg"]) // 2],
    "jpeg without its end": FILES["jpeg"][:-10],
    "gif cut": FILES["gif"][: len(FILES["gif"]) // 2],
    "bmp cut": FILES["bmp"][:-200],
    "webp cut": FILES["webp"][: len(FILES["webp"]) // 2],
    "png damaged": FILES["png"].replace(b"IDAT", b"IDAT\0\1\2", 1),
    **{f"huge {kind}": claims(kind) for kind in ("PNG", "GIF", "BMP", "JPEG", "WEBP")},
}


@pytest.mark.parametrize("name", BROKEN)
def test_broken_files_are_flagged(name):
    image, ok = decode(BROKEN[name])
    assert not ok
    assert image.shape == (0, 0, 3)
    assert image.dtype == tf.uint8
    with pytest.raises(DecodeError, match="The given bytes"):
        decode_image(BROKEN[name])


def test_animated_webp_is_flagged():
    _, ok = decode(encode(RGB, "WEBP", **FRAMES))
    assert not ok


@pytest.mark.parametrize("kind", ["png", "jpeg", "gif", "bmp", "webp", "webp alpha"])
def test_max_pixels_is_exact(kind):
    assert decode_at_most(FILES[kind], 53 * 37)[1]
    assert not decode_at_most(FILES[kind], 53 * 37 - 1)[1]


@pytest.mark.parametrize(("num_scans", "expected"), [(100, True), (101, False)])
def test_jpeg_that_goes_over_its_pixels_too_often_is_flagged(num_scans, expected):
    data = encode(RGB, "JPEG", progressive=True)
    own, last = data.count(b"\xff\xda"), data.rindex(b"\xff\xda")
    repeated = data[last:-2] * (num_scans - own)
    image, ok = decode(data[:-2] + repeated + b"\xff\xd9")
    assert bool(ok) == expected
    assert image.shape == ((37, 53, 3) if expected else (0, 0, 3))


def test_mutated_files_never_raise():
    rng = np.random.default_rng(1)
    names = [name for name in FILES if "orientation" not in name]
    flagged = 0
    for _ in range(150):
        mutated = bytearray(FILES[names[rng.integers(len(names))]])
        for position in rng.integers(0, min(len(mutated), 120), 3):
            mutated[position] = rng.integers(256)
        image, ok = decode(bytes(mutated))
        assert (image.shape[0] > 0) == bool(ok)
        flagged += not ok
    assert 20 < flagged < 150  # the mutations bite, and not all of them kill


SERVE = """
import sys
sys.modules["keras"] = sys.modules["keras_jtav"] = None
import pickle, tensorflow as tf
model = tf.saved_model.load(sys.argv[1])
with open(sys.argv[2], "rb") as files:
    images, ok = model.decode(tf.constant(pickle.load(files)))
with open(sys.argv[2], "wb") as answer:
    pickle.dump((images.numpy(), ok.numpy().tolist()), answer)
"""


def test_one_broken_picture_of_a_batch_in_a_saved_model(tmp_path):
    good, other, bad = FILES["png alpha"], FILES["jpeg"], BROKEN["jpeg cut"]

    class Server(tf.Module):
        @tf.function(input_signature=[tf.TensorSpec((None,), tf.string)])
        def decode(self, files):
            def one(encoded):
                image, ok = decode_image_bytes(encoded)
                image = tf.cond(
                    ok, lambda: image, lambda: tf.zeros([37, 53, 3], "uint8")
                )
                return image, ok

            shapes = (tf.TensorSpec((37, 53, 3), tf.uint8), tf.TensorSpec((), tf.bool))
            return tf.map_fn(one, files, fn_output_signature=shapes)

    tf.saved_model.save(Server(), str(tmp_path / "model"))
    exchange = tmp_path / "exchange.pkl"
    exchange.write_bytes(pickle.dumps([good, bad, other, b""]))
    command = [sys.executable, "-c", SERVE, str(tmp_path / "model"), str(exchange)]
    subprocess.run(command, check=True)
    images, ok = pickle.loads(exchange.read_bytes())
    assert ok == [True, False, True, False]
    np.testing.assert_array_equal(images[0], decode_image(good))
    np.testing.assert_array_equal(images[2], decode_image(other))
    assert not images[[1, 3]].any()
