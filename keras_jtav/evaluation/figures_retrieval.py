"""The pictures of a retrieval run: ranks, and queries with their best songs."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure, SubFigure
from PIL import Image

from keras_jtav.data.decode import decode_image
from keras_jtav.data.post import Post
from keras_jtav.evaluation.figures import (
    FAINT,
    GREEN,
    INK,
    MODEL,
    MUTED,
    OTHERS,
    drawable,
    new_figure,
    wrap,
)
from keras_jtav.evaluation.ranks import query_ranks, query_recalls

MAX_BINS = 20
CURVE_POINTS = 40
TOP_SONGS = 5
CARD_INCHES = (5.2, 2.1)
PICTURE_PIXELS = 320


def rank_figure(
    scores: np.ndarray,
    is_match: np.ndarray,
    baselines: Mapping[str, np.ndarray] | None = None,
) -> Figure:
    """Draw a histogram of the true songs' ranks and recall over the list's length.

    Args:
        scores: ``(queries, songs)``, the model's.
        is_match: ``(queries, songs)`` bool.
        baselines: Scores of others by name, at most four.

    Raises:
        ValueError: As ``query_ranks``.

    Example:
        >>> figure = rank_figure(np.eye(6), np.eye(6, dtype=bool))
        >>> [axes.get_title("left") for axes in figure.axes]
        ['Rank of the true song, median 1', 'Queries with a true song in the list']
    """
    num_songs = scores.shape[1]
    chance = np.zeros_like(scores, dtype=float)
    with new_figure(9.6, 4.0) as figure:
        left, right = figure.subplots(1, 2)
        _draw_histogram(left, query_ranks(scores, is_match), num_songs)
        curves = {"this model": (scores, MODEL, 2.6)}
        for (name, others), colour in zip(
            (baselines or {}).items(), OTHERS, strict=False
        ):
            curves[wrap(name, 9, 150, 1)] = (others, colour, 1.4)
        ks = np.unique(np.geomspace(1, num_songs, CURVE_POINTS).round().astype(int))
        for name, (values, colour, width) in curves.items():
            _draw_recalls(right, values, is_match, ks, name, color=colour, lw=width)
        _draw_recalls(
            right, chance, is_match, ks, "chance", color=MUTED, lw=1.2, ls=(0, (4, 3))
        )
        right.set_title("Queries with a true song in the list")
        right.set(ylim=(0, 1), xlim=(1, max(num_songs, 1.1)), xscale="log")
        ticks = [k for k in (1, 2, 5, 10, 20, 50, 100, 200, 500) if k <= num_songs]
        right.set_xticks(ticks, [str(k) for k in ticks])
        right.set_xticks([], minor=True)
        right.yaxis.set_major_formatter("{x:.0%}")
        right.set_xlabel(f"length of the list (of {num_songs} songs)")
        right.legend(loc="upper left" if num_songs > 1 else "best")
    return figure


def query_figure(
    queries: Sequence[Post],
    songs: Sequence[Post],
    scores: np.ndarray,
    is_match: np.ndarray,
    read_picture: Callable[[Path], np.ndarray] = decode_image,
    num_queries: int = 6,
) -> Figure:
    """Draw queries with their best songs, the true one in green.

    The queries are not the best ones: they are spread evenly from the best to the worst
    rank.

    Args:
        queries: Posts in the order of the rows.
        songs: Posts in the order of the columns; each stands for its song.
        scores: ``(queries, songs)``.
        is_match: ``(queries, songs)`` bool.
        read_picture: From a post's ``image`` to uint8 ``(height, width, 3)``.
        num_queries: Most queries shown.

    Raises:
        ValueError: As ``query_ranks``, or a picture that cannot be decoded.
    """
    ranks = query_ranks(scores, is_match, query_ids=[post.id for post in queries])
    by_rank = np.argsort(ranks, kind="stable")
    places = np.linspace(0, len(queries) - 1, min(num_queries, len(queries)))
    shown = by_rank[places.round().astype(int)]
    columns = min(2, len(shown))
    rows = -(-len(shown) // columns)
    size = (CARD_INCHES[0] * columns, CARD_INCHES[1] * rows + 0.45)
    with new_figure(*size) as figure:
        figure.suptitle(
            f"{len(shown)} of {len(queries)} queries, from the best rank to the worst",
            x=0.012, ha="left", size=12, weight="bold",
        )  # fmt: skip
        cards = figure.subfigures(rows, columns, squeeze=False).ravel()
        for card, row in zip(cards, shown, strict=False):
            query = queries[row]
            picture = None if query.image is None else read_picture(query.image)
            _draw_card(
                card, query, picture, songs, scores[row], is_match[row], ranks[row]
            )
    return figure


def _draw_histogram(axes: Axes, ranks: np.ndarray, num_songs: int) -> None:
    width = -(-num_songs // MAX_BINS)
    edges = np.arange(0, num_songs + width, width) + 0.5
    counts, _ = np.histogram(ranks, edges)
    axes.bar(edges[:-1] + width / 2, counts, width * 0.88, color=MODEL)
    chance = len(ranks) * width / num_songs
    axes.axhline(chance, color=MUTED, lw=1.2, ls=(0, (4, 3)), label="chance")
    axes.set_title(f"Rank of the true song, median {np.median(ranks):g}")
    axes.set_xlabel(
        f"rank (of {num_songs} songs)" + (f", in steps of {width}" if width > 1 else "")
    )
    axes.set_ylabel("queries")
    axes.set_xlim(0.5, edges[-1])
    axes.yaxis.get_major_locator().set_params(integer=True)
    axes.grid(axis="x", visible=False)
    axes.legend(loc="upper right")


def _draw_recalls(
    axes: Axes,
    scores: np.ndarray,
    is_match: np.ndarray,
    ks: np.ndarray,
    name: str,
    **line,
) -> None:
    recalls = [query_recalls(scores, is_match, int(k)).mean() for k in ks]
    axes.plot(ks, recalls, label=drawable(name), clip_on=False, **line)


def _draw_card(
    card: SubFigure,
    query: Post,
    pixels: np.ndarray | None,
    songs: Sequence[Post],
    scores: np.ndarray,
    is_match: np.ndarray,
    rank: float,
) -> None:
    picture, text = card.subplots(1, 2, width_ratios=[1, 2.1])
    text.set_axis_off()
    _draw_picture(picture, pixels)
    points = CARD_INCHES[0] * 72 * 0.62
    text.set(xlim=(0, points), ylim=(7.4, -0.2))
    write = {"va": "center", "parse_math": False}
    text.text(0, 0.1, f"rank {rank:g} of {len(songs)}", size=10, weight="bold", **write)
    caption = query.texts.get("caption") or "no caption"
    text.text(
        0,
        1.0,
        wrap(caption, 9, points, 1),
        size=9,
        style="italic",
        color=MUTED,
        **write,
    )
    best = np.argsort(-scores, kind="stable")[:TOP_SONGS]
    lines = [(place + 1, column) for place, column in enumerate(best)]
    if not is_match[best].any():
        true = int(np.argmax(np.where(is_match, scores, -np.inf)))
        lines.append((round(rank), true))
    for line, (place, column) in enumerate(lines):
        height = 2.1 + line * 0.95
        colour = GREEN if is_match[column] else INK
        weight = "bold" if is_match[column] else "normal"
        title = wrap(_title(songs[column]), 9, points - 34, 1, weight)
        text.text(20, height, f"{place}", size=9, ha="right", color=MUTED, **write)
        text.text(28, height, title, size=9, color=colour, weight=weight, **write)


def _draw_picture(axes: Axes, pixels: np.ndarray | None) -> None:
    axes.set_xticks([])
    axes.set_yticks([])
    axes.spines[:].set_visible(True)
    axes.spines[:].set_color(FAINT)
    if pixels is None:
        axes.text(0.5, 0.5, "no picture", ha="center", va="center", color=MUTED)
        axes.set(xlim=(0, 1), ylim=(0, 1), aspect="equal")
        return
    picture = Image.fromarray(np.asarray(pixels))
    picture.thumbnail((PICTURE_PIXELS, PICTURE_PIXELS))
    axes.imshow(np.asarray(picture), interpolation="antialiased")


def _title(song: Post) -> str:
    return song.texts.get("lyrics") or song.song or song.id
