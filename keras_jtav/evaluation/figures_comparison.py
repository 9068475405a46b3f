"""Bars of a table: one for each system, with its deviation over runs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from matplotlib.figure import Figure

from keras_jtav.evaluation.figures import BLUE, MUTED, new_figure


def comparison_figure(lines: Sequence[Mapping], metric: str, chance: float) -> Figure:
    """Draw a table's means as bars from the chance line on, deviations as whiskers.

    Args:
        lines: Of one protocol, as ``compare`` returns them.
        metric: Which column.
        chance: Value of a guess.
    """
    names = [line["row"] for line in lines]
    means = np.array([line[metric] for line in lines])
    deviations = np.nan_to_num([line[f"{metric}_std"] for line in lines])
    with new_figure(7.5, 1.2 + 0.3 * len(lines)) as figure:
        axes = figure.subplots()
        places = np.arange(len(lines))[::-1]
        axes.barh(places, means - chance, left=chance, color=BLUE, height=0.6)
        axes.errorbar(
            means, places, xerr=deviations, fmt="none", ecolor=MUTED, capsize=3
        )
        axes.axvline(chance, color=MUTED, linewidth=1)
        axes.set_yticks(places, names)
        axes.grid(visible=False, axis="y")
        runs = max(line["runs"] for line in lines)
        axes.set_xlabel(f"{metric}, mean and deviation of {runs} runs; line: chance")
        return figure
