"""Two views of the same items, turned until they agree: regularised CCA."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple, TypeVar

import numpy as np

from keras_jtav.evaluation.ranks import rank_metrics

RIDGES = (0.01, 0.03, 0.1, 0.3, 1.0, 3.0, 10.0, 30.0)
USUAL_RIDGE = 0.3

Option = TypeVar("Option")


class PrincipalAxes(NamedTuple):
    """The largest axes along which a view varies.

    Args:
        variances: ``(axes,)``, at least 0.
        directions: ``(dim, axes)``.
        mean_variance: Over all axes that were asked for, also those without any.
    """

    variances: np.ndarray
    directions: np.ndarray
    mean_variance: float


def principal_axes(covariance: np.ndarray, max_axes: int) -> PrincipalAxes:
    """Return the axes of a covariance ``(dim, dim)``, ``max_axes`` at most.

    Axes whose variance is rounding alone are left out: a view of few items has many,
    and nothing covaries with them.
    """
    variances, directions = np.linalg.eigh(covariance)
    variances = np.maximum(variances[-max_axes:], 0)
    smallest = variances[-1] * len(covariance) * np.finfo(variances.dtype).eps
    varies = variances >= smallest
    return PrincipalAxes(
        variances[varies], directions[:, -max_axes:][:, varies], variances.mean()
    )


def canonical_maps(
    first: PrincipalAxes, second: PrincipalAxes, cross: np.ndarray, ridge: float
) -> tuple[np.ndarray, np.ndarray]:
    """Return the maps of both views into the space where they agree.

    Views are whitened with a ridge; the singular vectors of their cross-covariance are
    the shared space, and each of its directions is weighted by its correlation, so that
    weak ones count little. Directions stand in falling order of correlation.

    Args:
        first: Of one view.
        second: Of the other.
        cross: Their cross-covariance, ``(dim, other dim)``.
        ridge: Added to the variances of each view, in units of their mean.

    Returns:
        ``(dim, directions)`` and ``(other dim, directions)``.

    Source: Vinod, "Canonical ridge and econometrics of joint production", 1976; the
    weights are those of Gong et al., "A multi-view embedding space", 2014.
    """
    whiten = [
        axes.directions / np.sqrt(axes.variances + ridge * axes.mean_variance + 1e-12)
        for axes in (first, second)
    ]
    left, correlations, right = np.linalg.svd(
        whiten[0].T @ cross @ whiten[1], full_matrices=False
    )
    return whiten[0] @ left * correlations, whiten[1] @ right.T * correlations


def cosines(views: Sequence[np.ndarray], maps: Sequence[np.ndarray]) -> np.ndarray:
    """Return the cosine of every row of one view with every row of the other.

    Args:
        views: ``(queries, dim)`` and ``(songs, other dim)``, centred.
        maps: What ``canonical_maps`` returned.

    Returns:
        ``(queries, songs)``, -1 to 1.
    """
    shared = []
    for view, mapping in zip(views, maps, strict=True):
        vectors = view @ mapping
        length = np.linalg.norm(vectors, axis=1, keepdims=True)
        shared.append(vectors / np.maximum(length, 1e-12))
    return shared[0] @ shared[1].T


def ranks_best(
    options: Sequence[Option],
    score: Callable[[Option], np.ndarray],
    is_match: np.ndarray,
    usual: Option,
) -> Option:
    """Return the option that ranks validation songs best, by mean reciprocal rank.

    Args:
        options: What there is to choose from; of equally good ones the first is taken.
        score: From an option to scores ``(queries, songs)``.
        is_match: Which song is whose, bool ``(queries, songs)``.
        usual: Returned where there are not two songs to tell apart.
    """
    if is_match.size == 0 or is_match.shape[1] < 2:
        return usual
    merits = [rank_metrics(score(option), is_match)["mrr"] for option in options]
    return options[int(np.argmax(merits))]


class RegularizedCCA:
    """Canonical correlation analysis with a ridge, scored by cosine similarity.

    Args:
        first: ``(items, dim)``, rows that belong to the rows of ``second``.
        second: ``(items, other dim)``.
        max_axes: Most principal axes kept of a view.

    Example:
        >>> x = np.random.default_rng(0).normal(size=(50, 4))
        >>> scores = RegularizedCCA(x, x[:, ::-1]).score(x, x[:, ::-1], ridge=0.1)
        >>> bool((scores.argmax(axis=1) == np.arange(50)).all())
        True
    """

    def __init__(
        self, first: np.ndarray, second: np.ndarray, max_axes: int = 700
    ) -> None:
        self.means = first.mean(axis=0), second.mean(axis=0)
        first, second = first - self.means[0], second - self.means[1]
        self.axes = [
            principal_axes(view.T @ view / len(view), max_axes)
            for view in (first, second)
        ]
        self.cross = first.T @ second / len(first)

    def score(self, first: np.ndarray, second: np.ndarray, ridge: float) -> np.ndarray:
        """Return the cosine of every row of one view with every row of the other.

        Args:
            first: ``(queries, dim)``.
            second: ``(songs, other dim)``.
            ridge: See ``canonical_maps``.

        Returns:
            ``(queries, songs)``, -1 to 1.
        """
        maps = canonical_maps(*self.axes, self.cross, ridge)
        return cosines((first - self.means[0], second - self.means[1]), maps)
