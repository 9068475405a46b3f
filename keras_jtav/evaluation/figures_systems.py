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


def systems_figure(table: Mapping[str, Sequence[Mapping]]) -> Figure:
    """Draw Med r and every R@k as grouped bars, one row of panels for each protocol.

    Args:
        table: As ``compare`` returns it, with a row ``chance``; a row ``CCA <system>``
            stands beside its system.
    """
    first = next(iter(table.values()))
    systems = [line["row"] for line in first if _is_system(line["row"])]
    panels = {protocol: _panels(lines) for protocol, lines in table.items()}
    columns = max(map(len, panels.values()))
    width = max(2.1, 0.8 + 0.34 * len(systems)) * columns
    with new_figure(width + 0.8, 1.2 + 2.5 * len(table)) as figure:
        grid = figure.subplots(len(table), columns, squeeze=False, sharex=True)
        for axes_row, (protocol, lines) in zip(grid, table.items(), strict=True):
            for axes, metric in zip(axes_row, panels[protocol], strict=True):
                _draw_panel(axes, lines, metric, systems)
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
    axes: Axes, lines: Sequence[Mapping], metric: str, systems: Sequence[str]
) -> None:
    by_row = {line["row"]: line for line in lines}
    places = np.arange(len(systems))
    has_baseline = any(BASELINE + name in by_row for name in systems)
    width = 0.4 if has_baseline else 0.7
    kinds = {"system": ("", MODEL)}
    if has_baseline:
        kinds = {"CCA on what the system sees": (BASELINE, LIGHT), **kinds}
    for number, (label, (prefix, colour)) in enumerate(kinds.items()):
        left = places + (number - (len(kinds) - 1) / 2) * width
        shown = [by_row.get(prefix + name, {}) for name in systems]
        means = np.array([line.get(metric, np.nan) for line in shown])
        ends = np.array(
            [(line.get(f"{metric}_low"), line.get(f"{metric}_high")) for line in shown],
            float,
        )
        axes.bar(left, means, width * 0.92, color=colour, label=label)
        whiskers = np.maximum(np.nan_to_num(np.abs(ends - means[:, None])).T, 0)
        axes.errorbar(
            left, means, whiskers, fmt="none", ecolor=INK, elinewidth=0.9, capsize=2
        )
    axes.axhline(by_row[CHANCE][metric], color=MUTED, lw=1.2, ls=DASHES, label=CHANCE)
    aslant = {"rotation": 35, "ha": "right", "rotation_mode": "anchor"}
    axes.set_xticks(places, systems, **aslant)
    axes.grid(visible=False, axis="x")
    axes.set_title(RANK_TITLES.get(metric, metric))
    if metric in RANK_TITLES:
        axes.set_ylabel("lower is better")
    else:
        axes.set_ylim(0, 1)
        axes.yaxis.set_major_formatter("{x:.0%}")
