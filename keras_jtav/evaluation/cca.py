"""Two views of the same items, turned until they agree: regularised CCA."""

from __future__ import annotations

import numpy as np


class RegularizedCCA:
    """Canonical correlation analysis with a ridge, scored by cosine similarity.

    Each view is turned to its principal axes once; ``score`` then whitens them with a
    ridge, takes the singular vectors of their cross-covariance as the shared space and
    weights each direction by its correlation, so that weak ones count little.

    Args:
        first: ``(items, dim)``, rows that belong to the rows of ``second``.
        second: ``(items, other dim)``.
        max_axes: Most principal axes kept of a view.

    Source: Vinod, "Canonical ridge and econometrics of joint production", 1976; the
    weights are those of Gong et al., "A multi-view embedding space", 2014.

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
        centred = first - self.means[0], second - self.means[1]
        self.variances, self.axes = zip(
            *(_principal_axes(view, max_axes) for view in centred), strict=True
        )
        left, right = (
            view @ axes for view, axes in zip(centred, self.axes, strict=True)
        )
        self.cross = left.T @ right / len(first)  # (axes, other axes)

    def score(self, first: np.ndarray, second: np.ndarray, ridge: float) -> np.ndarray:
        """Return the cosine of every row of one view with every row of the other.

        Args:
            first: ``(queries, dim)``.
            second: ``(songs, other dim)``.
            ridge: Added to the variances of each view, in units of their mean.

        Returns:
            ``(queries, songs)``, -1 to 1.
        """
        scales = [
            1 / np.sqrt(variances + ridge * variances.mean() + 1e-12)
            for variances in self.variances
        ]
        whitened = scales[0][:, None] * self.cross * scales[1]
        left, correlations, right = np.linalg.svd(whitened, full_matrices=False)
        shared = []
        for view, mean, axes, scale, directions in zip(
            (first, second), self.means, self.axes, scales, (left, right.T), strict=True
        ):
            vectors = (view - mean) @ axes * scale @ directions * correlations
            length = np.linalg.norm(vectors, axis=1, keepdims=True)
            shared.append(vectors / np.maximum(length, 1e-12))
        return shared[0] @ shared[1].T


def _principal_axes(view: np.ndarray, max_axes: int) -> tuple[np.ndarray, np.ndarray]:
    """Return the largest variances and their axes, ``(dim, axes)``."""
    variances, axes = np.linalg.eigh(view.T @ view / len(view))
    return np.maximum(variances[-max_axes:], 0), axes[:, -max_axes:]
