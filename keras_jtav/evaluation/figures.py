"""How the pictures of a report look, and the curves of training.

Figures are made without ``pyplot``, so that nothing global is touched and no display is
needed.
"""

from __future__ import annotations

import io
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import cache
from pathlib import Path

import matplotlib
import numpy as np
from matplotlib import font_manager
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.ft2font import FT2Font

from keras_jtav.data.whole_file import written_whole

DPI = 130
INK, MUTED, FAINT = "#1f2d3a", "#6c7a89", "#e4e9ee"
BLUE, ORANGE, GREEN, PURPLE = "#2b6cb0", "#dd7a2b", "#1f8a5b", "#7d5ba6"
MODEL = BLUE
OTHERS = (ORANGE, PURPLE, GREEN, "#a88b2d")
FONT = "DejaVu Sans"  # comes with matplotlib; Latin, Greek and Cyrillic
UNKNOWN_CHARACTER = "\N{WHITE SQUARE}"
ELLIPSIS = "\N{HORIZONTAL ELLIPSIS}"

STYLE = {
    "font.family": FONT,
    "font.size": 10,
    "text.color": INK,
    "axes.edgecolor": MUTED,
    "axes.labelcolor": INK,
    "axes.titlesize": 11,
    "axes.titleweight": "bold",
    "axes.titlelocation": "left",
    "axes.titlepad": 10,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.axisbelow": True,
    "axes.grid": True,
    "grid.color": FAINT,
    "xtick.color": MUTED,
    "ytick.color": MUTED,
    "xtick.labelcolor": INK,
    "ytick.labelcolor": INK,
    "legend.frameon": False,
    "legend.fontsize": 9,
    "lines.linewidth": 2,
    "figure.dpi": DPI,
    "savefig.dpi": DPI,
}


@contextmanager
def new_figure(width_inches: float, height_inches: float) -> Iterator[Figure]:
    """Give an empty white figure; the style holds inside the block."""
    with matplotlib.rc_context({**matplotlib.rcParamsDefault, **STYLE}):
        figure = Figure((width_inches, height_inches), layout="constrained")
        FigureCanvasAgg(figure)
        figure.get_layout_engine().set(w_pad=0.12, h_pad=0.12, wspace=0.04)
        yield figure


def save_figure(figure: Figure, path: str | Path) -> Path:
    """Write a figure as PNG; a reader never sees half of it.

    Args:
        figure: What the functions of this module and its neighbours return.
        path: Where to; its folder is made where absent.

    Returns:
        The path.
    """
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    with written_whole(path) as aside:
        figure.savefig(aside, format="png", dpi=DPI, facecolor="white")
    return path


def svg_text(figure: Figure) -> str:
    """Return a figure as SVG to put into a page, whose colours its ink takes.

    Example:
        >>> svg_text(training_figure({"loss": [1.0, 0.5]}))[:4]
        '<svg'
    """
    stream = io.StringIO()
    with matplotlib.rc_context({"svg.fonttype": "none"}):
        figure.savefig(stream, format="svg", transparent=True, metadata={"Date": None})
    text = stream.getvalue()
    for colour, variable in ((INK, "ink"), (MUTED, "muted"), (FAINT, "line")):
        text = text.replace(colour, f"var(--{variable})")
    return text[text.index("<svg") :]


def training_figure(
    history: Mapping[str, Sequence[float]],
    metric: str = "",
    higher_is_better: bool = True,
) -> Figure:
    """Draw the loss, and what validation said, over the epochs.

    Args:
        history: As of Keras ``fit``: ``loss``, ``val_loss`` and more, a number an
            epoch. Where the ``loss`` is ``None`` a start was judged, before training.
        metric: Key of the validation metric that chose the best epoch; without it the
            loss stands alone.
        higher_is_better: Whether the best epoch has the highest ``metric``; among equal
            ones it is that with the lowest ``val_loss``, and then the first one.

    Raises:
        ValueError: A history without ``loss`` or without ``metric``.

    Example:
        >>> history = {"loss": [1.0, 0.5], "val_auc": [0.6, 0.8]}
        >>> len(training_figure(history, "val_auc").axes)
        2
    """
    for key in filter(None, ("loss", metric)):
        if not len(history.get(key, ())):
            raise ValueError(
                f"`history` must have at least one epoch of {key!r}; it has "
                f"{', '.join(history) or 'nothing'}."
            )
    is_epoch = np.array([loss is not None for loss in history["loss"]])
    epochs = np.cumsum(is_epoch)
    with new_figure(9.0 if metric else 5.0, 3.6) as figure:
        axes = figure.subplots(1, 2 if metric else 1, squeeze=False)[0]
        curves = {"training": "loss", "validation": "val_loss"}
        for (label, key), colour in zip(curves.items(), (MODEL, ORANGE), strict=True):
            if key in history:
                values = np.asarray(history[key], float)
                _draw_epochs(axes[0], epochs, values, colour, label)
        axes[0].set_title("Loss")
        axes[0].legend()
        if metric:
            values = np.asarray(history[metric], float)
            _draw_epochs(axes[1], epochs, values, MODEL, "")
            merit = np.nan_to_num(values if higher_is_better else -values, nan=-np.inf)
            losses = np.asarray(history.get("val_loss", np.zeros(len(merit))), float)
            keys = (-epochs, is_epoch, -losses, merit)  # the last one counts most
            best = int(np.lexsort(keys)[-1])
            axes[1].plot(epochs[best], values[best], "o", color=GREEN, ms=8, zorder=3)
            when = f"in epoch {epochs[best]}" if epochs[best] else "before training"
            axes[1].set_title(
                f"Validation {metric.removeprefix('val_').replace('_', ' ')}: best "
                f"{values[best]:.3f} {when}"
            )
    return figure


def drawable(text: str) -> str:
    r"""Return text on one line, with a square for what the font cannot draw.

    Example:
        >>> drawable("so happy\n 日 да")
        'so happy □ да'
    """
    known = _font("normal").get_charmap()
    words = " ".join(text.split())
    return "".join(c if ord(c) in known else UNKNOWN_CHARACTER for c in words)


def wrap(
    text: str, size: float, max_points: float, max_lines: int, weight: str = "normal"
) -> str:
    r"""Break text into lines by its drawn width; what does not fit ends in an ellipsis.

    Args:
        text: Any text; see ``drawable``.
        size: Of the font, in points.
        max_points: Width of a line in points.
        max_lines: Most lines.
        weight: ``normal`` or ``bold``.

    Example:
        >>> wrap("one two three four", 10, max_points=50, max_lines=2)
        'one two\nthree f…'
    """
    rest, lines = drawable(text), []
    while rest and len(lines) < max_lines:
        fitting = _fitting(rest, size, max_points, weight)
        if fitting == len(rest):
            lines.append(rest)
            rest = ""
        elif len(lines) == max_lines - 1:
            room = max_points - _width(ELLIPSIS, size, weight)
            line = rest[: _fitting(rest, size, room, weight)].rstrip()
            lines.append(line + ELLIPSIS)
            rest = ""
        else:
            space = rest.rfind(" ", 0, fitting + 1)
            end = space if space > 0 else max(fitting, 1)
            lines.append(rest[:end])
            rest = rest[end:].lstrip()
    return "\n".join(lines)


def _draw_epochs(
    axes: Axes, epochs: np.ndarray, values: np.ndarray, colour: str, label: str
) -> None:
    marker = "o" if len(values) < 3 else ""
    axes.plot(epochs, values, color=colour, label=label, marker=marker)
    axes.set_xlabel("epoch")
    axes.xaxis.get_major_locator().set_params(integer=True)
    axes.set_xlim(epochs[0] - 0.5, epochs[-1] + 0.5)


def _fitting(text: str, size: float, max_points: float, weight: str) -> int:
    """Return how many leading characters fit."""
    low, high = 0, len(text)
    while low < high:
        middle = (low + high + 1) // 2
        if _width(text[:middle], size, weight) <= max_points:
            low = middle
        else:
            high = middle - 1
    return low


def _width(text: str, size: float, weight: str) -> float:
    font = _font(weight)
    font.set_size(size, 72)
    font.set_text(text, 0.0)
    return font.get_width_height()[0] / 64


@cache
def _font(weight: str) -> FT2Font:
    properties = font_manager.FontProperties(family=FONT, weight=weight)
    return font_manager.get_font(font_manager.findfont(properties))
