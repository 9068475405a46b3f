"""Pictures that are damaged, absurd or made to do harm."""

import base64
import gzip
import io
import struct
import zlib
from functools import partial

import numpy as np
from damage import damaged
from PIL import Image

SVG = 'xmlns="http://www.w3.org/2000/svg" xmlns:x="http://www.w3.org/1999/xlink"'
SIGNATURE = b"\x89PNG\r\n\x1a\n"


def pictures(draw):
    """Yield ``(name, bytes)``, or a function that makes the bytes."""
    sound = dict(bases(draw))
    yield from sound.items()
    for name, data in sound.items():
        yield from damaged(name, data, draw)
    yield from strange_files(sound)
    yield from strange_sizes()
    yield from bombs()
    for name, body, size in drawings():
        yield f"{name}.svg", f"<svg {SVG} {size}>{body}</svg>".encode()


def saved(image, kind, **options):
    stream = io.BytesIO()
    image.save(stream, kind, **options)
    return stream.getvalue()


def bases(draw):
    """Yield a sound file of every kind."""
    noise = draw.integers(0, 256, (20, 24, 4), np.uint8)
    rgba, rgb = Image.fromarray(noise), Image.fromarray(noise[:, :, :3].copy())
    grey = rgb.convert("L")
    frames = [Image.new("RGB", (9, 8), colour) for colour in ("red", "tan")]
    exif = Image.Exif()
    exif[0x0112] = 6
    several = {"save_all": True, "append_images": frames[1:]}
    yield "rgb.png", saved(rgb, "PNG")
    yield "rgba.png", saved(rgba, "PNG")
    yield "grey-alpha.png", saved(rgba.convert("LA"), "PNG")
    yield "palette.png", saved(rgb.convert("P"), "PNG", transparency=3)
    yield "bits.png", saved(grey.convert("1"), "PNG")
    yield "16-bit.png", saved(Image.fromarray(noise[:, :, 0].astype(np.uint16)), "PNG")
    yield "animated.png", saved(frames[0], "PNG", **several)
    yield "rgb.jpg", saved(rgb, "JPEG", exif=exif)
    yield "grey.jpg", saved(grey, "JPEG")
    yield "progressive.jpg", saved(rgb, "JPEG", progressive=True)
    yield "cmyk.jpg", saved(rgb.convert("CMYK"), "JPEG")
    yield "phone.jpg", saved(frames[0], "MPO", **several)
    yield "still.gif", saved(rgb, "GIF")
    yield "animated.gif", saved(frames[0], "GIF", **several)
    yield "rgb.bmp", saved(rgb, "BMP")
    yield "palette.bmp", saved(rgb.convert("P"), "BMP")
    yield "lossy.webp", saved(rgb, "WEBP")
    yield "lossless.webp", saved(rgba, "WEBP", lossless=True)
    yield "animated.webp", saved(frames[0], "WEBP", **several)
    body = '<rect width="4" height="9" fill="blue"/>'
    yield "drawing.svg", f'<svg {SVG} width="8" height="9">{body}</svg>'.encode()


def strange_files(sound):
    """Yield what is no picture, and pictures under another's name."""
    yield "empty.png", b""
    for size in (1, 7, 512, 100_000):
        yield f"zeros-{size}.jpg", bytes(size)
        yield f"ones-{size}.gif", b"\xff" * size
    yield "page.jpg", b"<html><body>404</body></html>"
    yield "text.png", "no picture, but a long text \u202e\u0301".encode() * 40
    yield "paper.png", b"%PDF-1.7\n%%EOF"
    yield "script.png", b"%!PS-Adobe-3.0 EPSF-3.0\n(/etc/passwd) run"
    yield "tagged.png", b"II*\0" + bytes(64)
    yield "icon.png", b"\0\0\1\0\1\0" + bytes(64)
    yield "packed.svg", gzip.compress(sound["drawing.svg"])
    for name, data in sound.items():
        yield f"really-a-{name}.wav.png", data
        yield f"{name}-twice.png", data + data
        yield f"{name}-and-more.png", data + b"\0PK\3\4" * 50
        yield f"late-{name}.png", b"\0" + data


def strange_sizes():
    """Yield pictures of one pixel, of long sides, and ones that claim too much."""
    for kind in ("PNG", "JPEG", "GIF", "BMP", "WEBP"):
        yield f"pixel.{kind}", saved(Image.new("RGB", (1, 1), "red"), kind)
    for size in ((30_000, 1), (1, 30_000)):
        for kind in ("PNG", "JPEG", "GIF", "BMP"):
            yield f"line-{size[0]}.{kind}", saved(Image.new("L", size, 99), kind)
    yield "square.png", lambda: saved(Image.new("1", (30_000, 30_000)), "PNG")
    image = Image.new("RGB", (9, 9))
    png, jpeg, gif, bmp, webp = (
        bytearray(saved(image, kind)) for kind in ("PNG", "JPEG", "GIF", "BMP", "WEBP")
    )
    frame = jpeg.index(b"\xff\xc0") + 5
    for number, (width, height) in enumerate(
        [
            (30_000, 30_000),
            (0, 9),
            (9, 0),
            (65_535, 65_535),
            (2**31 - 1, 2**31 - 1),
            (2**32 - 1, 1),
            (1, 2**31 - 1),
            (50_000_000, 1),
            (7_000, 7_000),
        ]
    ):
        head = struct.pack(">II", width, height) + png[24:29]
        crc = struct.pack(">I", zlib.crc32(b"IHDR" + head))
        yield f"claims-{number}.png", bytes(png[:16] + head + crc + png[33:])
        bmp[18:26] = struct.pack("<II", width, height)
        yield f"claims-{number}.bmp", bytes(bmp)
        small = (width & 0xFFFF, height & 0xFFFF)
        jpeg[frame : frame + 4] = struct.pack(">HH", *small[::-1])
        yield f"claims-{number}.jpg", bytes(jpeg)
        gif[6:10] = struct.pack("<HH", *small)
        yield f"claims-{number}.gif", bytes(gif)
        webp[26:30] = struct.pack("<HH", *small)
        yield f"claims-{number}.webp", bytes(webp)
    for bits in (0, 1, 2, 3, 7, 16, 32, 255):
        bmp[18:26] = struct.pack("<II", 9, 9)
        bmp[28:30] = struct.pack("<H", bits)
        yield f"bits-{bits}.bmp", bytes(bmp)
        for kind in (0, 2, 3, 4, 6):
            head = struct.pack(">IIBB", 9, 9, bits & 0xFF, kind) + png[26:29]
            crc = struct.pack(">I", zlib.crc32(b"IHDR" + head))
            yield f"bits-{bits}-{kind}.png", bytes(png[:16] + head + crc + png[33:])


def chunk(kind, body):
    crc = struct.pack(">I", zlib.crc32(kind + body))
    return struct.pack(">I", len(body)) + kind + body + crc


def bombs():
    """Yield small files that unfold to something large or take long."""
    head = chunk(b"IHDR", struct.pack(">IIBBBBB", 9, 9, 8, 2, 0, 0, 0))
    rows, end = chunk(b"IDAT", zlib.compress(bytes(9 * 28))), chunk(b"IEND", b"")
    yield "pixels.png", lambda: SIGNATURE + head + chunk(b"IDAT", zeros()) + end
    for kind in (b"zTXt", b"iCCP"):
        before, after = SIGNATURE + head, rows + end
        yield f"{kind.decode()}.png", partial(with_zeros, before, kind, after)
    yield "texts.png", SIGNATURE + head + chunk(b"tEXt", b"a\0b") * 20_000 + rows + end
    yield "at-the-limit.png", lambda: saved(large(), "PNG")
    yield "at-the-limit.webp", lambda: saved(large(), "WEBP", lossless=True, method=0)
    yield "at-the-limit.gif", lambda: saved(large().convert("RGB"), "GIF")
    yield "scans.jpg", many_scans
    frames = [Image.new("L", (64, 64), n % 256) for n in range(600)]
    yield (
        "frames.gif",
        lambda: saved(frames[0], "GIF", save_all=True, append_images=frames[1:]),
    )
    yield (
        "frames.webp",
        lambda: saved(frames[0], "WEBP", save_all=True, append_images=frames[1:60]),
    )


def zeros():
    """Return a little of zlib that unfolds to 200 MB."""
    return zlib.compress(bytes(200_000_000), 9)


def with_zeros(before, kind, after):
    return before + chunk(kind, b"name\0\0" + zeros()) + after


def large():
    """Return a picture of just under 50 million pixels."""
    return Image.new("RGBA", (7_000, 7_000), (9, 9, 9, 9))


def many_scans():
    """Return a JPEG that goes over all of its pixels 3,000 times."""
    wave = Image.fromarray(np.tile(np.arange(4_000, dtype=np.uint8), (4_000, 1)))
    data = saved(wave, "JPEG", progressive=True)
    last = data.rindex(b"\xff\xda")
    return data[:-2] + data[last:-2] * 3_000 + b"\xff\xd9"


def drawings():
    """Yield name, body and size of SVG drawings."""
    link = 'width="20" height="20" x:href'
    png = saved(Image.new("1", (20_000, 20_000)), "PNG")
    inside = f"data:image/png;base64,{base64.b64encode(png).decode()}"
    plain = 'width="8" height="9"'
    for size in ("", 'width="1e99" height="1"', 'width="-4" height="4"', 'width="x"'):
        yield f"size-{len(size)}", "<rect/>", size
    yield "nan", "<rect/>", 'width="nan" height="inf"'
    yield "view", "<rect/>", 'viewBox="0 0 1e-30 1e30"'
    yield "deep", "<g>" * 5_000 + "</g>" * 5_000, plain
    yield "script", "<script>fetch('http://localhost/')</script><rect/>", plain
    yield "file", f'<image {link}="file:///etc/hostname"/>', plain
    yield "net", f'<image {link}="http://127.0.0.1:9/a.png"/>', plain
    yield "inside", f'<image {link}="{inside}"/>', plain
    yield "itself", '<g id="a"><use x:href="#a"/></g>', plain
    uses = [f'<use x:href="#g{n}"/>' * 10 for n in range(9)]
    groups = "".join(f'<g id="g{n}">{use}</g>' for n, use in enumerate(uses, 1))
    yield "tens", f'<rect id="g0" width="1" height="1"/>{groups}', plain
    tile = '<pattern id="p" width="1e-4" height="1e-4"><rect width="1" height="1"/>'
    yield "tiles", f'{tile}</pattern><rect width="8" height="9" fill="url(#p)"/>', plain
    blur = '<filter id="f"><feGaussianBlur stdDeviation="1e9"/></filter>'
    yield "blur", f'{blur}<rect width="8" height="9" filter="url(#f)"/>', plain
    noise = '<feTurbulence baseFrequency="9" numOctaves="100000"/>'
    far = 'x="-1e9" y="-1e9" width="2e9" height="2e9"'
    yield (
        "noise",
        f'<filter id="f" {far}>{noise}</filter><rect {plain} filter="url(#f)"/>',
        plain,
    )
    spread = '<feMorphology operator="dilate" radius="1e6"/>'
    yield (
        "spread",
        f'<filter id="f">{spread}</filter><rect {plain} filter="url(#f)"/>',
        plain,
    )
    dashes = 'stroke="red" stroke-dasharray="1e-6"'
    yield "dashes", f'<path d="M0 0L8 9" {dashes}/>', plain
    yield "path", f'<path d="M0 0{"L9 9L0 1" * 100_000}"/>', plain
    yield "text", f"<text>{'a' * 1_000_000}</text>", plain
    yield "marks", f"<text>a{chr(0x301) * 10_000}{chr(0x202E)}b</text>", plain
