"""Chebyshev interpolation of the attention of CMF-AP, a function of one number.

With one bias for all positions, the attention of Eq. 3 is a smooth function of a single
coordinate, ``f(x) = sum_k u_k tanh(a_k x + b_k)``. A polynomial through a few points of
``f`` gives it at all coordinates.
"""

import math

import keras
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


class Interpolation:
    """The polynomials through values at a few nodes, at many positions.

    ``T_{jw}(x) T_i(x)``, with ``i`` below ``w``, about the root of the number of nodes,
    span the same as all ``T_n``: two short lists of numbers for each position take the
    place of a long one.

    Args:
        positions: Float (batch, positions). The nodes are spread over each row's range.
        count: Number of nodes.

    Attributes:
        nodes: Float (batch, count).
    """

    def __init__(self, positions, count):
        radius = ops.max(ops.abs(positions), axis=-1, keepdims=True)
        radius = ops.maximum(ops.stop_gradient(radius), 1e-6)
        dtype = keras.backend.standardize_dtype(positions.dtype)
        width = round(math.sqrt(count))
        to_coefficients = coefficients_from_values(count) @ _products(count, width)
        low = chebyshev_polynomials(positions / radius, width + 1)
        self.nodes = radius * ops.convert_to_tensor(chebyshev_nodes(count), dtype)
        self._to_coefficients = ops.convert_to_tensor(to_coefficients, dtype)
        self._low = low[:, :-1]
        self._high = chebyshev_polynomials(
            low[:, -1], to_coefficients.shape[1] // width
        )

    def basis(self):
        """Return what each node adds at each position, (batch, count, positions)."""
        products = self._high[:, :, None] * self._low[:, None]
        terms = self._to_coefficients.shape[1]
        products = ops.reshape(products, (-1, terms, products.shape[-1]))
        return ops.matmul(self._to_coefficients, products)

    def at_positions(self, values):
        """Take values at the nodes, (batch, heads, count), to all positions."""
        coefficients = ops.matmul(values, self._to_coefficients)
        heads, high, low = values.shape[1], self._high.shape[1], self._low.shape[1]
        coefficients = ops.reshape(coefficients, (-1, heads * high, low))
        sums = ops.matmul(coefficients, self._low)
        sums = ops.reshape(sums, (-1, heads, high, sums.shape[-1]))
        return ops.sum(sums * self._high[:, None], axis=2)

    def at_nodes(self, flows):
        """Take flows at the positions back to the nodes: the transpose."""
        heads, high, low = flows.shape[1], self._high.shape[1], self._low.shape[1]
        flows = flows[:, :, None] * self._high[:, None]
        flows = ops.reshape(flows, (-1, heads * high, flows.shape[-1]))
        flows = ops.matmul(flows, ops.swapaxes(self._low, 1, 2))
        flows = ops.reshape(flows, (-1, heads, high * low))
        return ops.matmul(flows, ops.transpose(self._to_coefficients))


def _products(count, width):
    """Return each ``T_n`` in terms of ``T_{jw} T_i``, float64 [n, jw + i].

    ``T_{jw+i} = 2 T_{jw} T_i - T_{jw-i}``.
    """
    matrix = np.zeros((count, -(-count // width) * width))
    for n in range(count):
        high, low = divmod(n, width)
        matrix[n, n] = 2 if high and low else 1
        if high and low:
            matrix[n] -= matrix[high * width - low]
    return matrix


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
