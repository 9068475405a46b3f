import base64
import io
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from keras_jtav.data.svg import render_svg

pytest.importorskip("resvg_py", reason="the SVG renderer resvg-py is not installed")

STAMPS = Path("/usr/share/tuxpaint/stamps")
NAMESPACES = 'xmlns="http://www.w3.org/2000/svg" xmlns:x="http://www.w3.org/1999/xlink"'


def drawing(body, size='width="20" height="10"', doctype=""):
    return f"{doctype}<svg {NAMESPACES} {size}>{body}</svg>".encode()


def pixels(data):
    return np.asarray(Image.open(io.BytesIO(render_svg(data))))


@pytest.mark.parametrize(
    ("size", "shape"),
    [
        ('width="20" height="10"', (256, 512)),
        ('viewBox="0 0 1 4"', (512, 128)),
        ('width="10cm" height="10cm"', (512, 512)),
        ('width="1" height="100000"', (512, 1)),
    ],
)
def test_longer_side_is_512_pixels(size, shape):
    assert pixels(drawing("", size)).shape == (*shape, 4)


def test_colour_transparency_and_entities():
    body = '<rect width="&half;" height="10" fill="#0a6"/>'
    doctype = '<!DOCTYPE svg [<!ENTITY half "10">]>'
    image = pixels(drawing(body, doctype=doctype))
    assert image[128, 100].tolist() == [0, 170, 102, 255]  # 0a6 is 00 aa 66
    assert image[128, 400, 3] == 0


def test_text_is_set_in_a_font_of_ours():
    image = pixels(drawing('<text y="9" font-family="Nowhere">M</text>'))
    assert 0.02 < (image[:, :, 3] > 0).mean() < 0.5


@pytest.mark.parametrize("attribute", ["href", "x:href"])
@pytest.mark.parametrize("scheme", ["", "file://"])
def test_other_files_are_not_read(tmp_path, attribute, scheme):
    Image.new("RGB", (20, 10), "red").save(tmp_path / "secret.png")
    link = f'{attribute}="{scheme}{tmp_path}/secret.png"'
    doctype = f"<!DOCTYPE svg [<!ENTITY link '<image {link} width=\"20\"/>'>]>"
    for body in (f'<image {link} width="20"/>', "&link;"):
        assert not pixels(drawing(body, doctype=doctype)).any()


def test_pictures_inside_are_shown_and_drawings_inside_are_not():
    png = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAIAAACQd1PeAAAADElEQVR4nGP4z8AAAAMBAQDJ/pLvAAAAAElFTkSuQmCC"  # noqa: E501
    tag = '<image width="20" height="10" preserveAspectRatio="none" href="data:{}"/>'
    image = pixels(drawing(tag.format(f"image/png;base64,{png}")))
    assert image[128, 256].tolist() == [255, 0, 0, 255]
    inner = "image/svg+xml,%3Csvg xmlns='http://www.w3.org/2000/svg'/%3E"
    assert not pixels(drawing(tag.format(inner))).any()


def laughs():
    names = [f'<!ENTITY l{n} "{f"&l{n - 1};" * 10}">' for n in range(1, 10)]
    return f'<!DOCTYPE svg [<!ENTITY l0 "{"lol" * 9}">{"".join(names)}]>'


def chain(tag):
    link = f"{tag}=" + '"url(#m{})"'
    return "".join(
        f'<{tag} id="m{n}"><rect {link.format(n + 1)}/></{tag}>' for n in range(99)
    )


def inside(side):
    """A picture of one bit a pixel, which the renderer unfolds to four bytes."""
    stream = io.BytesIO()
    Image.new("1", (side, side)).save(stream, "PNG")
    data = base64.b64encode(stream.getvalue()).decode()
    return f'<image width="20" height="10" href="data:image/png;base64,{data}"/>'


def tens(levels):
    """Each level draws the one below it ten times."""
    uses = [f'<use x:href="#g{n}"/>' * 10 for n in range(levels)]
    groups = [f'<g id="g{n}">{use}</g>' for n, use in enumerate(uses, 1)]
    return f'<rect id="g0" width="1" height="1"/>{"".join(groups)}'


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (drawing("<g>&l9;</g>", doctype=laughs()), "no well-formed SVG"),
        (
            drawing("&x;", doctype='<!DOCTYPE svg [<!ENTITY x SYSTEM "/etc/hosts">]>'),
            "no well-formed SVG .*undefined entity",
        ),
        (drawing("<g>"), "no well-formed SVG"),
        (b"<html></html>", "is no picture but a <html>"),
        (drawing("<g>" * 99 + "</g>" * 99), "deeper than 64 levels: save it as PNG"),
        (drawing("<g>" * 99_999 + "</g>" * 99_999), "deeper than 64 levels"),
        (drawing(chain("mask")), "deeper than 64 levels"),
        (drawing('<g id="a"><use x:href="#a"/></g>'), "deeper than 64 levels"),
        (
            drawing(
                "<style>" + "".join(f".c{n}{{mask:url(#m{n})}}" for n in range(99))
                + "</style>" + "".join(f'<mask id="m{n}"/>' for n in range(99))
            ),
            "deeper than 64 levels",
        ),
        (drawing(tens(8)), "more than 300000 elements, counted as often as"),
        (drawing(inside(20_000)), "or 1000000000 bytes to render: save it as PNG"),
        (drawing("", 'width="0" height="5"'), "invalid size"),
        (b"<svg>" + b" " * 20_000_000, "more than 20000000 bytes: save it as PNG"),
    ],
)  # fmt: skip
def test_refuses(data, message):
    with pytest.raises(ValueError, match=message):
        render_svg(data)


@pytest.mark.slow
def test_a_drawing_that_would_take_hours_is_given_up():
    spread = '<filter id="f"><feMorphology operator="dilate" radius="1e6"/></filter>'
    body = f'{spread}<rect width="20" height="10" filter="url(#f)"/>'
    with pytest.raises(ValueError, match="takes more than 10 seconds"):
        render_svg(drawing(body))


def test_gradients_of_a_style_sheet_are_no_levels():
    names = range(99)
    sheet = "".join(f".c{n}{{fill:url(#m{n})}}" for n in names)
    gradients = "".join(f'<linearGradient id="m{n}"/>' for n in names)
    assert not pixels(drawing(f"<style>{sheet}</style>{gradients}")).any()


@pytest.mark.slow
@pytest.mark.skipif(not STAMPS.is_dir(), reason="tuxpaint-stamps-default is absent")
def test_every_stamp_renders():
    files = sorted(STAMPS.rglob("*.svg"))
    for file in files:
        image = pixels(file.read_bytes())
        assert max(image.shape) == 512
        assert image.std() > 5, file
    assert files
