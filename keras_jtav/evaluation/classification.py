"""How well probabilities tell positive posts from negative ones (Sec. 4.1).

Two protocols. ``strict`` is ours: the area under the ROC curve is taken on
probabilities and the threshold comes from validation posts. ``paper`` repeats the
published code, to compare with Table 1 only: the "AUC" there is computed on hard 0/1
labels, which makes it the balanced accuracy at that threshold, and the thresholds
(0.3, 0.7 or 0.8 from system to system) were picked by hand.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from sklearn import metrics

from keras_jtav.evaluation.ranks import PROTOCOLS

ClassificationMetrics = dict[str, float | list[list[int]]]


def choose_threshold(labels: Sequence[int], probabilities: Sequence[float]) -> float:
    """Return the threshold with the best weighted F1, to be used on other posts.

    Candidates lie half-way between neighbouring distinct probabilities; the two ends,
    where all posts get one class, are candidates too. Among equally good ones the one
    nearest to 0.5 is taken.

    Args:
        labels: ``(posts,)`` of 0 and 1, of the **validation** split.
        probabilities: ``(posts,)``, of class 1, 0 to 1.

    Returns:
        A number ``t``, 0 to 1: class 1 is predicted where ``probability >= t``. The
        next number above 1 where posts of probability 1 are best called class 0 too.

    Raises:
        ValueError: As ``classification_metrics``.

    Example:
        >>> choose_threshold([0, 0, 1, 1], [0.1, 0.6, 0.8, 0.9])
        0.7
    """
    labels, probabilities = _checked(labels, probabilities)
    order = np.argsort(-probabilities, kind="stable")
    values, truth = probabilities[order], labels[order]
    num_positive = np.arange(len(values) + 1)  # predicted, the highest first
    hits = np.concatenate([[0], np.cumsum(truth)])
    total, true_total = len(values), int(truth.sum())
    f1_positive = 2 * hits / (num_positive + true_total)
    negative_hits = total - num_positive - (true_total - hits)
    f1_negative = (
        2 * negative_hits / ((total - num_positive) + (total - true_total))
    )  # both denominators are positive: `_checked` saw both classes
    scores = (true_total * f1_positive + (total - true_total) * f1_negative) / total
    above_all = (values[0] + 1) / 2 if values[0] < 1 else np.nextafter(1, 2)
    bounds = np.concatenate([[above_all], (values[:-1] + values[1:]) / 2, [0.0]])
    is_cut = np.concatenate([[True], values[:-1] > values[1:], [True]])
    is_best = is_cut & (scores > scores[is_cut].max() - 1e-12)
    return float(bounds[is_best][np.argmin(np.abs(bounds[is_best] - 0.5))])


def classification_metrics(
    labels: Sequence[int],
    probabilities: Sequence[float],
    threshold: float = 0.5,
    protocol: str = "strict",
) -> ClassificationMetrics:
    """Measure probabilities of class 1 against labels.

    Args:
        labels: ``(posts,)`` of 0 and 1, both present.
        probabilities: ``(posts,)``, 0 to 1.
        threshold: Class 1 is predicted where ``probability >= threshold``. In
            ``strict``, take it from ``choose_threshold`` on validation posts.
        protocol: ``strict`` or ``paper``; they differ in ``auc`` alone.

    Returns:
        ``auc``, ``weighted_f1``, ``weighted_precision``, ``accuracy``,
        ``balanced_accuracy``, ``threshold`` and ``confusion_matrix``
        ``[[true negative, false positive], [false negative, true positive]]``.

    Raises:
        ValueError: Lengths that differ, labels other than 0 and 1 or of one class,
            probabilities outside 0 to 1, an unknown protocol.

    Example:
        >>> metrics_ = classification_metrics([0, 0, 1, 1], [0.1, 0.6, 0.4, 0.9])
        >>> metrics_["auc"], metrics_["accuracy"], metrics_["confusion_matrix"]
        (0.75, 0.5, [[1, 1], [1, 1]])
    """
    if protocol not in PROTOCOLS:
        raise ValueError(
            f"`protocol` must be one of {', '.join(PROTOCOLS)}; received {protocol!r}."
        )
    labels, probabilities = _checked(labels, probabilities)
    predicted = (probabilities >= threshold).astype(int)
    ranked = predicted if protocol == "paper" else probabilities
    weighted = {"average": "weighted", "zero_division": 0.0}
    return {
        "auc": float(metrics.roc_auc_score(labels, ranked)),
        "weighted_f1": float(metrics.f1_score(labels, predicted, **weighted)),
        "weighted_precision": float(
            metrics.precision_score(labels, predicted, **weighted)
        ),
        "accuracy": float(np.mean(labels == predicted)),
        "balanced_accuracy": float(metrics.balanced_accuracy_score(labels, predicted)),
        "threshold": float(threshold),
        "confusion_matrix": metrics.confusion_matrix(labels, predicted).tolist(),
    }


def majority_baseline(
    train_labels: Sequence[int], test_labels: Sequence[int]
) -> ClassificationMetrics:
    """Measure the guess that every test post has the commoner class of training.

    Args:
        train_labels: Labels the guess is read from; a draw guesses class 1.
        test_labels: Labels it is measured on, both classes present.

    Returns:
        As ``classification_metrics``; its ``auc`` is 0.5.

    Raises:
        ValueError: No training labels, or as ``classification_metrics``.

    Example:
        >>> round(majority_baseline([1, 1, 0], [1, 1, 1, 0])["weighted_f1"], 4)
        0.6429
    """
    if len(train_labels) == 0:
        raise ValueError("`train_labels` must have at least one label; received none.")
    share = float(np.mean(train_labels))
    return classification_metrics(test_labels, np.full(len(test_labels), share))


def chance_baseline(
    train_labels: Sequence[int], test_labels: Sequence[int]
) -> dict[str, float]:
    """Return what a random scorer gets on average.

    It knows how common class 1 is and nothing of the posts: of ``n`` test posts it
    calls ``k`` positive, ``k / n`` being the share of class 1 in training, and all
    choices of ``k`` posts are equally likely. The numbers are expectations over these
    choices. With a share ``p`` of class 1 in the test posts and ``q = k / n``, class 1
    has precision ``p``, recall ``q`` and, as ``k`` is the same in all choices,
    F1 ``2 p q / (p + q)``.

    Args:
        train_labels: Labels the share is read from.
        test_labels: Labels it is measured on, both classes present.

    Returns:
        ``auc`` and ``balanced_accuracy`` (0.5 in both protocols), ``accuracy``,
        ``weighted_f1`` and ``weighted_precision``.

    Raises:
        ValueError: No training labels, or as ``classification_metrics``.

    Example:
        >>> chance_baseline([1, 0], [1, 1, 1, 0])["weighted_precision"]
        0.625
    """
    if len(train_labels) == 0:
        raise ValueError("`train_labels` must have at least one label; received none.")
    labels, _ = _checked(test_labels, np.zeros(len(test_labels)))
    positive = labels.mean()
    called = round(np.mean(train_labels) * len(labels)) / len(labels)
    true_shares = np.array([1 - positive, positive])
    called_shares = np.array([1 - called, called])
    f1 = 2 * true_shares * called_shares / (true_shares + called_shares)
    precision = np.where(called_shares > 0, true_shares, 0.0)
    return {
        "auc": 0.5,
        "weighted_f1": float(true_shares @ f1),
        "weighted_precision": float(true_shares @ precision),
        "accuracy": float(true_shares @ called_shares),
        "balanced_accuracy": 0.5,
    }


def guesses(
    train_labels: Sequence[int], test_labels: Sequence[int]
) -> dict[str, dict[str, float]]:
    """Return the rows of a table that know nothing of the posts, by their names.

    Args:
        train_labels: As ``chance_baseline`` and ``majority_baseline``.
        test_labels: The same.

    Example:
        >>> list(guesses([1, 1, 0], [1, 1, 1, 0]))
        ['chance', 'majority class']
    """
    return {
        "chance": chance_baseline(train_labels, test_labels),
        "majority class": majority_baseline(train_labels, test_labels),
    }


def _checked(
    labels: Sequence[int], probabilities: Sequence[float]
) -> tuple[np.ndarray, np.ndarray]:
    labels = np.asarray(labels)
    probabilities = np.asarray(probabilities, "float64")
    if labels.ndim != 1 or labels.shape != probabilities.shape:
        raise ValueError(
            "`labels` and `probabilities` must both be (posts,); received "
            f"{labels.shape} and {probabilities.shape}."
        )
    found = sorted(set(labels.tolist()))
    if found != [0, 1]:
        raise ValueError(
            f"`labels` must have posts of class 0 and of class 1; received {found}. "
            "Add posts of the other class or split again with another seed."
        )
    if np.isnan(probabilities).any():
        raise ValueError(
            f"The probability in row {int(np.argmax(np.isnan(probabilities)))} (the "
            f"first of {np.isnan(probabilities).sum()}) is not a number. Look for NaN "
            "in its inputs or in the weights; lower `train.learning_rate` where "
            "training diverged."
        )
    if not np.all((probabilities >= 0) & (probabilities <= 1)):
        wrong = probabilities[~((probabilities >= 0) & (probabilities <= 1))]
        raise ValueError(
            f"`probabilities` must be from 0 to 1; received {wrong[0]} and "
            f"{len(wrong) - 1} more outside. Put logits through a sigmoid."
        )
    return labels.astype(int), probabilities
