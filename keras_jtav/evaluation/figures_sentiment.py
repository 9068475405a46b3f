"""The picture of a sentiment run: ROC curve and confusion matrix."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import LinearSegmentedColormap
from matplotlib.figure import Figure
from sklearn.metrics import roc_curve

from keras_jtav.evaluation.classification import (
    ClassificationMetrics,
    classification_metrics,
)
from keras_jtav.evaluation.figures import (
    FAINT,
    INK,
    MODEL,
    MUTED,
    OTHERS,
    new_figure,
    wrap,
)


def sentiment_figure(
    labels: Sequence[int],
    probabilities: Sequence[float],
    threshold: float,
    majority: ClassificationMetrics,
    class_names: tuple[str, str] = ("negative", "positive"),
    baselines: Mapping[str, Sequence[float]] | None = None,
) -> Figure:
    """Draw the ROC curve and the confusion matrix of test posts.

    Args:
        labels: ``(posts,)`` of 0 and 1.
        probabilities: ``(posts,)``, the model's.
        threshold: As chosen on validation posts.
        majority: What ``majority_baseline`` returned.
        class_names: Of label 0 and label 1.
        baselines: Probabilities of others by name; the four with the largest areas are
            drawn.

    Raises:
        ValueError: As ``classification_metrics``.

    Example:
        >>> from keras_jtav.evaluation.classification import majority_baseline
        >>> labels = [0, 1, 1]
        >>> majority = majority_baseline(labels, labels)
        >>> figure = sentiment_figure(labels, [0.1, 0.4, 0.9], 0.5, majority)
        >>> [axes.get_title("left").split(",")[0] for axes in figure.axes]
        ['ROC curve of 3 posts', 'Threshold 0.50']
    """
    measured = classification_metrics(labels, probabilities, threshold)
    with new_figure(9.6, 4.6) as figure:
        left, right = figure.subplots(1, 2, width_ratios=[1.1, 1])
        left.set_title(f"ROC curve of {len(labels)} posts")
        best = _largest_areas(labels, baselines or {})
        for (name, others), colour in zip(best, OTHERS, strict=False):
            _draw_curve(left, labels, others, wrap(name, 9, 110, 1), colour, 1.4)
        _draw_curve(left, labels, probabilities, "this model", MODEL, 2.6)
        _mark_threshold(left, measured)
        _finish_curves(left)
        _draw_confusion(right, measured, majority, class_names)
    return figure


def _largest_areas(
    labels: Sequence[int], baselines: Mapping[str, Sequence[float]]
) -> list[tuple[str, Sequence[float]]]:
    """Return the best baselines, best first, as many as there are colours."""

    def area(named: tuple[str, Sequence[float]]) -> float:
        return classification_metrics(labels, named[1])["auc"]

    return sorted(baselines.items(), key=area, reverse=True)[: len(OTHERS)]


def _draw_curve(
    axes: Axes,
    labels: Sequence[int],
    probabilities: Sequence[float],
    name: str,
    colour: str,
    width: float,
) -> None:
    false_share, true_share, _ = roc_curve(labels, probabilities)
    auc = classification_metrics(labels, probabilities)["auc"]
    label = f"{name}, AUC {auc:.3f}"
    axes.plot(
        false_share, true_share, color=colour, lw=width, label=label, clip_on=False
    )


def _mark_threshold(axes: Axes, measured: ClassificationMetrics) -> None:
    (true_negative, false_positive), (false_negative, true_positive) = measured[
        "confusion_matrix"
    ]
    axes.plot(
        false_positive / (false_positive + true_negative),
        true_positive / (true_positive + false_negative),
        "o",
        color=MODEL,
        mec="white",
        mew=1.5,
        ms=10,
        zorder=4,
        clip_on=False,
        label="at the threshold",
    )


def _finish_curves(axes: Axes) -> None:
    axes.plot(
        [0, 1], [0, 1], color=MUTED, lw=1.2, ls=(0, (4, 3)), label="chance, AUC 0.500"
    )
    axes.set(xlim=(0, 1), ylim=(0, 1), aspect="equal")
    axes.set_xlabel("false positive rate")
    axes.set_ylabel("true positive rate")
    handles, names = axes.get_legend_handles_labels()
    # the model first, as its line is drawn last
    order = sorted(range(len(names)), key=lambda i: not names[i].startswith("this"))
    axes.legend(
        [handles[i] for i in order], [names[i] for i in order], loc="lower right"
    )


def _draw_confusion(
    axes: Axes,
    measured: ClassificationMetrics,
    majority: ClassificationMetrics,
    class_names: tuple[str, str],
) -> None:
    counts = np.array(measured["confusion_matrix"])
    shares = counts / counts.sum(axis=1, keepdims=True)
    shades = LinearSegmentedColormap.from_list("shades", ["white", MODEL])
    axes.imshow(shares, cmap=shades, vmin=0, vmax=1)
    for (row, column), count in np.ndenumerate(counts):
        share = shares[row, column]
        colour = "white" if share > 0.55 else INK
        at = {"ha": "center", "color": colour}
        axes.text(column, row - 0.04, f"{count}", size=20, va="center", **at)
        axes.text(column, row + 0.22, f"{share:.0%}", size=9, va="center", **at)
    names = [wrap(name, 10, 90, 2) for name in class_names]
    axes.set_xticks([0, 1], names, parse_math=False)
    axes.set_yticks([0, 1], names, rotation=90, va="center", parse_math=False)
    axes.set_xlabel("predicted")
    axes.set_ylabel("true")
    axes.grid(False)
    axes.tick_params(length=0)
    axes.spines[:].set_visible(True)
    axes.spines[:].set_color(FAINT)
    axes.set_title(
        f"Threshold {measured['threshold']:.2f}, weighted F1 "
        f"{measured['weighted_f1']:.3f}\n"
        f"majority guess {majority['weighted_f1']:.3f}"
    )
