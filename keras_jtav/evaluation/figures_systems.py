"""Ranks of retrieval systems as the paper draws them (Figs. 5 and 6)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from keras_jtav.evaluation.comparison import metrics_of
from keras_jtav.evaluation.figures import INK, MODEL, MUTED, new_figure

CHANCE, BASELINE = "chance", "CCA "
LIGHT = "#a9c4e2"
RANK_TITLES = {"median_rank": "Med r", "Med r": "Med r (a mean)"}
DASHES = (0, (4, 3))
MOST_UPRIGHT = 8  # more systems lie on their sides, one name below the other


def systems_figure(table: Mapping[str, Sequence[Mapping]]) -> Figure:
    """Draw Med r and every R@k as grouped bars, one row of panels for each protocol.

    Bars of more than eight systems lie on their sides.

    Args:
        table: As ``compare`` returns it, with a row ``chance``; a row ``CCA <system>``
            stands beside its system.
    """
    first = next(iter(table.values()))
    systems = [line["row"] for line in first if _is_system(line["row"])]
    panels = {protocol: _panels(lines) for protocol, lines in table.items()}
    columns = max(map(len, panels.values()))
    lying = len(systems) > MOST_UPRIGHT
    if lying:
        size = 3.2 + 2.3 * columns, 1.2 + (0.6 + 0.24 * len(systems)) * len(table)
        shared = {"sharey": True}
    else:
        width = max(2.1, 0.8 + 0.34 * len(systems)) * columns
        size = width + 0.8, 1.2 + 2.5 * len(table)
        shared = {"sharex": True}
    with new_figure(*size) as figure:
        grid = figure.subplots(len(table), columns, squeeze=False, **shared)
        for axes_row, (protocol, lines) in zip(grid, table.items(), strict=True):
            for axes, metric in zip(axes_row, panels[protocol], strict=True):
                _draw_panel(axes, lines, metric, systems, lying)
            title = axes_row[0].get_title("left")
            axes_row[0].set_title(f"{protocol}: {title}")
        handles, labels = grid[0, 0].get_legend_handles_labels()
        runs = max(line["runs"] for line in first)
        shown = f"mean of {runs} runs" if runs > 1 else "one run"
        figure.legend(
            handles,
            labels,
            loc="outside lower center",
            ncols=len(handles),
            title=f"{shown}; whiskers: 95 % bootstrap intervals over songs",
        )
    return figure


def _is_system(row: str) -> bool:
    return row != CHANCE and not row.startswith(BASELINE)


def _panels(lines: Sequence[Mapping]) -> list[str]:
    """Return the metrics that are drawn: the rank, then every recall."""
    metrics = metrics_of(lines)
    rank = next(name for name in RANK_TITLES if name in metrics)
    return [rank, *(name for name in metrics if name.startswith("R@"))]


def _draw_panel(
    axes: Axes,
    lines: Sequence[Mapping],
    metric: str,
    systems: Sequence[str],
    lying: bool,
) -> None:
    by_row = {line["row"]: line for line in lines}
    places = np.arange(len(systems)) * (-1 if lying else 1)  # the first is on top
    has_baseline = any(BASELINE + name in by_row for name in systems)
    width = 0.4 if has_baseline else 0.7
    kinds = {"system": ("", MODEL)}
    if has_baseline:
        kinds = {"CCA on what the system sees": (BASELINE, LIGHT), **kinds}
    for number, (label, (prefix, colour)) in enumerate(kinds.items()):
        shift = (number - (len(kinds) - 1) / 2) * width
        at = places + (-shift if lying else shift)
        shown = [by_row.get(prefix + name, {}) for name in systems]
        means = np.array([line.get(metric, np.nan) for line in shown])
        ends = np.array(
            [(line.get(f"{metric}_low"), line.get(f"{metric}_high")) for line in shown],
            float,
        )
        draw_bars = axes.barh if lying else axes.bar
        draw_bars(at, means, width * 0.92, color=colour, label=label)
        whiskers = np.nan_to_num([means - ends[:, 0], ends[:, 1] - means]).clip(0)
        style = {"fmt": "none", "ecolor": INK, "elinewidth": 0.9, "capsize": 2}
        if lying:
            axes.errorbar(means, at, xerr=whiskers, **style)
        else:
            axes.errorbar(at, means, yerr=whiskers, **style)
    draw_line = axes.axvline if lying else axes.axhline
    draw_line(by_row[CHANCE][metric], color=MUTED, lw=1.2, ls=DASHES, label=CHANCE)
    if lying:
        axes.set_yticks(places, systems)
    else:
        axes.set_xticks(
            places, systems, rotation=35, ha="right", rotation_mode="anchor"
        )
    axes.grid(visible=False, axis="y" if lying else "x")
    axes.set_title(RANK_TITLES.get(metric, metric))
    values = axes.xaxis if lying else axes.yaxis
    if metric in RANK_TITLES:
        values.set_label_text("lower is better")
    else:
        (axes.set_xlim if lying else axes.set_ylim)(0, 1)
        values.set_major_formatter("{x:.0%}")
