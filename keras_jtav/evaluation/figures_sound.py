"""The picture of what parts of a recording add to an answer."""

from __future__ import annotations

from collections.abc import Sequence

import librosa
import numpy as np
from matplotlib.colors import LinearSegmentedColormap
from matplotlib.figure import Figure

from keras_jtav.evaluation.figures import new_figure

AGAINST, NOTHING, FOR = "#b4402f", "#f7f7f7", "#1f8a5b"
MAX_TICKS = 9


def sound_figure(
    effect: np.ndarray, seconds: Sequence[float], hz: Sequence[float]
) -> Figure:
    """Draw a map over time and frequency: green for the answer, red against it.

    Args:
        effect: ``(columns, bins)``, what each adds to the logit.
        seconds: ``(columns,)``, when each column is; later columns lie over earlier.
        hz: ``(bins,)``, centres of the bins, lowest first.

    Example:
        >>> figure = sound_figure(np.ones((2, 3)), [0.0, 0.5], [100.0, 200.0, 400.0])
        >>> figure.axes[0].get_xlabel()
        'seconds'
    """
    effect, seconds = np.asarray(effect), np.asarray(seconds)
    order = np.argsort(seconds, kind="stable")
    times, last = np.unique(seconds[order], return_index=True)
    columns = effect[order][last]
    step = np.diff(times).min() if len(times) > 1 else 1.0
    edges = np.concatenate([times, [times[-1] + step]])
    most = np.abs(effect).max() or 1.0
    colours = LinearSegmentedColormap.from_list("effect", [AGAINST, NOTHING, FOR])
    with new_figure(9.6, 4.2) as figure:
        axes = figure.subplots()
        mesh = axes.pcolormesh(
            edges,
            np.arange(len(hz) + 1),
            columns.T,
            cmap=colours,
            vmin=-most,
            vmax=most,
            rasterized=True,
        )
        axes.grid(visible=False)
        axes.set_xlabel("seconds")
        ticks = np.unique(np.linspace(0, len(hz) - 1, MAX_TICKS).round().astype(int))
        axes.set_yticks(ticks + 0.5, [_name(hz[tick]) for tick in ticks])
        bar = figure.colorbar(mesh, ax=axes, pad=0.02)
        bar.set_label("added to the logit")
    return figure


def _name(hz: float) -> str:
    """Return a frequency and the note next to it.

    Example:
        >>> _name(440.0)
        'A4, 440 Hz'
    """
    shown = f"{hz:.0f} Hz" if hz >= 20 else f"{hz:.1f} Hz"
    return f"{librosa.hz_to_note(hz, unicode=False)}, {shown}" if hz > 8 else shown
