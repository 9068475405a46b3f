"""The judge of Table 1: one logistic regression for the vectors of every system."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

MAX_ITERATIONS = 2000


def probe(
    train_vectors: np.ndarray, train_labels: Sequence[int], *others: np.ndarray
) -> list[np.ndarray]:
    """Fit a logistic regression on training vectors and judge others by it.

    Choice: coordinates are standardised first and scikit-learn's default penalty is
    kept; the paper names neither.

    Args:
        train_vectors: ``(posts, dim)``, finite.
        train_labels: ``(posts,)`` of 0 and 1, both present.
        others: ``(posts, dim)`` each.

    Returns:
        For each of ``others``: probabilities of class 1, float64 ``(posts,)``.

    Raises:
        ValueError: Vectors that are not finite, or labels of one class.

    Source: JTAV Sec. 4.1 (logistic regression on the vectors of all systems).

    Example:
        >>> x = np.array([[-1.0], [-2.0], [1.0], [2.0]])
        >>> (probabilities,) = probe(x, [0, 0, 1, 1], np.array([[-3.0], [3.0]]))
        >>> (probabilities > 0.5).tolist()
        [False, True]
    """
    for vectors in (train_vectors, *others):
        if not np.isfinite(vectors).all():
            raise ValueError(
                "A system's vectors hold NaN or infinity: its training diverged. Lower "
                "`train.learning_rate`."
            )
    if set(map(int, train_labels)) != {0, 1}:
        raise ValueError(
            "`train_labels` must have posts of class 0 and of class 1; received only "
            f"{sorted(set(map(int, train_labels)))}."
        )
    regression = LogisticRegression(max_iter=MAX_ITERATIONS)
    model = make_pipeline(StandardScaler(), regression)
    model.fit(train_vectors, np.asarray(train_labels))
    return [model.predict_proba(vectors)[:, 1] for vectors in others]
