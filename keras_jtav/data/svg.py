"""Drawings (SVG) become pixels, without the dangers of XML.

A drawing is parsed and written anew before the renderer sees it: expat expands entities
within limits and fetches none, references to other files are dropped, and nesting that
would overflow the renderer's stack is refused. The renderer runs in a process of its
own, whose time and memory are limited.
"""

from __future__ import annotations

import importlib.util
import json
import re
import subprocess
import sys
import xml.etree.ElementTree as ET
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from keras_jtav.data import svg_apart

LONG_SIDE = 512  # pixels
MAX_NESTING = 64  # resvg's stack ends at about 200; 248 real drawings reach 15
MAX_BYTES = 20_000_000
MAX_ELEMENTS = 300_000  # as drawn: what is referred to counts every time
INSIDE = re.compile(r"\s*(#|data:image/(png|jpe?g|gif|webp)\b)")
FONT_FILES = ("DejaVuSans.ttf", "DejaVuSans-Bold.ttf")


def render_svg(data: bytes) -> bytes:
    """Render a drawing with its longer side at 512 pixels.

    Text is set in DejaVu Sans, which comes with matplotlib, and in no font of the
    machine: a file gives the same picture everywhere.

    Args:
        data: The SVG's XML.

    Returns:
        A PNG with alpha.

    Raises:
        ImportError: The renderer is not installed.
        ValueError: No well-formed SVG, without a size, too large, nested too deep, or
            one that takes too long or too much memory to render.

    Source:
        https://github.com/linebender/resvg
    """
    if importlib.util.find_spec("resvg_py") is None:
        raise ImportError(
            "is a drawing (SVG), for which a renderer is needed: pip install resvg-py"
        )
    if len(data) > MAX_BYTES:
        raise ValueError(f"is a drawing of more than {MAX_BYTES} bytes: save it as PNG")
    try:
        root = ET.fromstring(data)
    except ET.ParseError as error:
        raise ValueError(
            f"is no picture and no well-formed SVG ({error}): save it as PNG"
        ) from error
    if _name(root.tag) != "svg":
        raise ValueError(f"is no picture but a <{_name(root.tag)}>: give a picture")
    for element in root.iter():
        for attribute, value in list(element.attrib.items()):
            if _name(attribute) == "href" and not INSIDE.match(value):
                del element.attrib[attribute]
    _refuse_excess(root)
    has_text = any(_name(element.tag) == "text" for element in root.iter())
    options = {
        "width": LONG_SIDE,
        "height": LONG_SIDE,  # with both, the drawing is fitted inside in proportion
        "dpi": 96,
        "skip_system_fonts": True,
        "font_files": _fonts() if has_text else None,
        "font_family": "DejaVu Sans",
        "sans_serif_family": "DejaVu Sans",
        "serif_family": "DejaVu Sans",
        "monospace_family": "DejaVu Sans",
    }
    return _rendered_apart(ET.tostring(root, encoding="utf-8"), options)


def _rendered_apart(drawing: bytes, options: Mapping[str, Any]) -> bytes:
    """Return what ``svg_apart.py`` draws, in its own process."""
    command = [sys.executable, "-P", svg_apart.__file__, json.dumps(options)]
    process = subprocess.run(command, input=drawing, capture_output=True, check=False)
    if process.returncode == svg_apart.REFUSED:
        raise ValueError(process.stderr.decode(errors="replace"))
    if process.returncode:
        raise ValueError(
            f"is a drawing that takes more than {svg_apart.MAX_SECONDS} seconds or "
            f"{svg_apart.MAX_BYTES} bytes to render: save it as PNG"
        )
    return process.stdout


def _refuse_excess(root: ET.Element) -> None:
    """Raise where elements nest too deep, through masks, patterns and ``use`` too.

    The same for too many elements, where each counts as often as it is referred to: ten
    levels of ten ``use`` are ten thousand million. A style sheet could tie the
    references it names to any element: each of them counts as a level of its own.
    Gradients end a chain and are left out of these counts.
    """
    targets = {element.get("id"): element for element in root.iter()}
    targets.pop(None, None)
    sheets = " ".join(
        element.text or "" for element in root.iter() if _name(element.tag) == "style"
    )
    from_sheets = {
        name
        for name in re.findall(r"#([\w.-]+)", sheets)
        if name in targets and not targets[name].tag.endswith("Gradient")
    }
    heights: dict[ET.Element, int] = {}
    sizes: dict[ET.Element, int] = {}

    def height(element: ET.Element, level: int) -> int:
        if element not in heights and level <= MAX_NESTING:
            names = re.findall(r"#([^)\"'\s]+)", " ".join(element.attrib.values()))
            below = [*element, *(targets[name] for name in names if name in targets)]
            heights[element] = 1 + max((height(e, level + 1) for e in below), default=0)
            is_gradient = element.tag.endswith("Gradient")
            sizes[element] = 1 + sum(sizes[e] for e in below) * (not is_gradient)
        tallest = heights.get(element, MAX_NESTING)
        if level + tallest > MAX_NESTING:
            raise ValueError(
                f"is a drawing nested deeper than {MAX_NESTING} levels: save it as PNG"
            )
        return tallest

    height(root, len(from_sheets))
    if sizes[root] > MAX_ELEMENTS:
        raise ValueError(
            f"is a drawing of more than {MAX_ELEMENTS} elements, counted as often as "
            "they are used: save it as PNG"
        )


def _name(tag: str) -> str:
    """Return the name of an element or attribute without its namespace."""
    return str(tag).rpartition("}")[2]


def _fonts() -> list[str]:
    import matplotlib

    folder = Path(matplotlib.get_data_path(), "fonts", "ttf")
    return [str(folder / name) for name in FONT_FILES]
