"""Chebyshev interpolation of the attention of CMF-AP, a function of one number.

With one bias for all positions, the attention of Eq. 3 is a smooth function of a single
coordinate, ``f(x) = sum_k u_k tanh(a_k x + b_k)``. A polynomial through a few points of
``f`` gives it at all coordinates.
"""

import math

import numpy as np
from keras import ops

# How close to its poles, at an imaginary part of pi/2, tanh is looked at.
_STRIP = 1.25


def chebyshev_nodes(count):
    """Return the zeros of ``T_count``, float64 (count,), descending.

    Example:
        >>> chebyshev_nodes(2).round(4).tolist()
        [0.7071, -0.7071]
    """
    return np.cos(np.pi * (np.arange(count) + 0.5) / count)


def coefficients_from_values(count):
    """Return the matrix from values at the nodes to Chebyshev coefficients.

    Returns:
        float64 (count, count), [node, degree].
    """
    angles = np.arccos(chebyshev_nodes(count))
    matrix = 2 / count * np.cos(angles[:, None] * np.arange(count))
    matrix[:, 0] /= 2
    return matrix


def chebyshev_polynomials(x, count):
    """Return ``T_0(x)`` to ``T_{count - 1}(x)``.

    ``T_{m+j} = 2 T_m T_j - T_{m-j}`` doubles their number in each of a few steps.

    Args:
        x: Float (..., positions), from -1 to 1.
        count: How many; 2, 3, 5, 9, 17, 33, ... leave none over.

    Returns:
        Float (..., count, positions).

    Example:
        >>> import numpy as np
        >>> np.asarray(chebyshev_polynomials(np.array([0.5]), 3)).ravel().tolist()
        [1.0, 0.5, -0.5]
    """
    values = ops.stack([ops.ones_like(x), x], axis=-2)
    while values.shape[-2] < count:
        top = values[..., -1:, :]
        higher = 2 * top * values[..., 1:, :] - ops.flip(values[..., :-1, :], axis=-2)
        values = ops.concatenate([values, higher], axis=-2)
    return values[..., :count, :]


def interpolation_error(steepness, count):
    """Return how far interpolation is off at most, in units of ``sum_k |u_k|``.

    On the ellipse around [-1, 1] that reaches to the imaginary part ``y``, all of
    ``tanh(a x + b)`` stays below ``tan(|a| y)``. Polynomials through ``count`` points
    come as near as such a function can be approximated inside.

    Args:
        steepness: Scalar, the largest ``|a_k x|``.
        count: Number of nodes.

    Source:
        Trefethen 2013, Approximation Theory and Approximation Practice, Theorem 8.2.
    """
    reach = _STRIP / ops.maximum(steepness, 1e-3)
    rho = reach + ops.sqrt(reach * reach + 1)
    power = ops.exp((1 - count) * ops.log(rho))
    return 4 * math.tan(_STRIP) * power / (rho - 1)
