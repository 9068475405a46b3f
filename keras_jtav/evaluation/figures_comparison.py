"""The picture of a table: a bar for each system, beside a guess."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Patch

from keras_jtav.config import MODALITIES
from keras_jtav.evaluation.comparison import TITLES, distinct_columns, metrics_of
from keras_jtav.evaluation.figures import (
    BLUE,
    GREEN,
    INK,
    MUTED,
    ORANGE,
    PURPLE,
    new_figure,
)
from keras_jtav.evaluation.figures_systems import systems_figure

COLOURS = dict(zip(MODALITIES, (BLUE, ORANGE, GREEN), strict=True))
SEVERAL, NONE = "several", "none"


def comparison_figure(table: Mapping[str, Sequence[Mapping]]) -> Figure:
    """Draw a table: ranks as the paper's Figs. 5 and 6, else one panel a metric.

    Args:
        table: As ``compare`` returns it, the guess being its first row.
    """
    first = next(iter(table.values()))
    if "median_rank" in metrics_of(first):
        return systems_figure(table)
    return modalities_figure(table)


def modalities_figure(table: Mapping[str, Sequence[Mapping]]) -> Figure:
    """Draw means as bars from the guess on, deviations over runs as whiskers.

    Args:
        table: As ``compare`` returns it, the guess being its first row.
    """
    first = next(iter(table.values()))
    columns = distinct_columns(table)
    kinds = [_kind(line) for line in first]
    with new_figure(2.4 + 2.5 * len(columns), 1.4 + 0.27 * len(first)) as figure:
        panels = figure.subplots(
            1, len(columns), sharex=True, sharey=True, squeeze=False
        )[0]
        for axes, (protocol, metric) in zip(panels, columns, strict=True):
            title = TITLES.get(metric, metric) + (f", {protocol}" if protocol else "")
            axes.set_title(title)
            _draw_bars(axes, table.get(protocol, first), metric, kinds)
        panels[0].set_ylim(-0.7, len(first) - 0.3)
        places = np.arange(len(first))[::-1]
        panels[0].set_yticks(places, [line["row"] for line in first])
        colours = COLOURS | {SEVERAL: PURPLE}
        shown = [kind for kind in colours if kind in kinds]
        runs = max(line["runs"] for line in first)
        spread = f"mean and standard deviation of {runs} runs"
        figure.legend(
            handles=[Patch(color=colours[kind], label=kind) for kind in shown],
            loc="outside lower center",
            ncols=len(shown) + 1,
            title=f"{spread if runs > 1 else 'one run'}; line: {first[0]['row']}",
        )
    return figure


def _kind(line: Mapping) -> str:
    """Return the modality of a system, or that it has several or none."""
    modalities = line["modalities"].split("+") if line["modalities"] else []
    return modalities[0] if len(modalities) == 1 else SEVERAL if modalities else NONE


def _draw_bars(
    axes: Axes, lines: Sequence[Mapping], metric: str, kinds: Sequence[str]
) -> None:
    colours = COLOURS | {SEVERAL: PURPLE, NONE: MUTED}
    places = np.arange(len(lines))[::-1]
    means = np.array([line[metric] for line in lines])
    deviations = np.nan_to_num([line[f"{metric}_std"] for line in lines])
    axes.barh(
        places,
        means - means[0],
        left=means[0],
        height=0.66,
        color=[colours[kind] for kind in kinds],
    )
    axes.errorbar(
        means, places, xerr=deviations, fmt="none", ecolor=INK, elinewidth=1, capsize=2
    )
    axes.axvline(means[0], color=MUTED, linewidth=1)
    axes.grid(visible=False, axis="y")
    axes.tick_params(axis="y", length=0)
