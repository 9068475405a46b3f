import numpy as np
import pytest

from keras_jtav.layers.chebyshev import (
    Interpolation,
    chebyshev_nodes,
    chebyshev_polynomials,
    coefficients_from_values,
    interpolation_error,
)
from keras_jtav.layers.position_logits import NODES

COUNTS = (2, 3, 9, 12, 17, 65)


def test_polynomials_by_hand():
    # T_2 = 2 x^2 - 1, T_3 = 4 x^3 - 3 x, T_4 = 8 x^4 - 8 x^2 + 1 at x = 1/2.
    values = np.asarray(chebyshev_polynomials(np.array([[0.5]]), 5))
    np.testing.assert_allclose(values[0, :, 0], [1, 0.5, -0.5, -1, -0.5])


@pytest.mark.parametrize("count", [2, 3, 17, 20, 65])
def test_polynomials_are_cosines_and_coefficients_bring_them_back(count):
    angles = np.arccos(chebyshev_nodes(count))
    values = np.asarray(chebyshev_polynomials(np.cos(angles), count))
    np.testing.assert_allclose(
        values, np.cos(np.arange(count)[:, None] * angles), atol=1e-9
    )
    identity = values @ coefficients_from_values(count)
    np.testing.assert_allclose(identity, np.eye(count), atol=1e-9)


@pytest.mark.parametrize("count", NODES)
@pytest.mark.parametrize("steepness", [0.05, 0.5, 1.5, 4.0, 10.0])
def test_no_bias_makes_interpolation_worse_than_the_bound(count, steepness):
    """Adversarial weights: one tanh, with its bend wherever it hurts most."""
    x = np.linspace(-1, 1, 501)
    basis = np.asarray(chebyshev_polynomials(x, count))
    bias = np.linspace(-2 * steepness, 2 * steepness, 81)[:, None]
    at_nodes = np.tanh(steepness * chebyshev_nodes(count) + bias)
    approximation = at_nodes @ coefficients_from_values(count) @ basis
    error = np.abs(approximation - np.tanh(steepness * x + bias)).max()
    assert error <= float(interpolation_error(steepness, count)) + 1e-13


def between(count):
    positions = np.random.default_rng(0).normal(0, 3, (4, 30)).astype("float32")
    return positions, Interpolation(positions, count)


@pytest.mark.parametrize("count", COUNTS)
def test_polynomials_of_fewer_degrees_than_nodes_come_back(count):
    positions, interpolation = between(count)
    radius = np.abs(positions).max(axis=1, keepdims=True)
    draw = np.random.default_rng(1).normal(size=(2, count)) * 0.8 ** np.arange(count)

    def heads(x):
        chosen = [np.polynomial.chebyshev.chebval(x / radius, c) for c in draw]
        return np.stack(chosen, axis=1).astype("float32")

    values = heads(np.asarray(interpolation.nodes))
    actual = np.asarray(interpolation.at_positions(values))
    np.testing.assert_allclose(actual, heads(positions), atol=3e-6)
    by_basis = values @ np.asarray(interpolation.basis())
    np.testing.assert_allclose(by_basis, actual, atol=3e-6)


@pytest.mark.parametrize("count", COUNTS)
def test_flows_go_back_the_same_way(count):
    _, interpolation = between(count)
    flows = np.random.default_rng(2).normal(size=(4, 2, 30)).astype("float32")
    expected = flows @ np.swapaxes(np.asarray(interpolation.basis()), 1, 2)
    actual = np.asarray(interpolation.at_nodes(flows))
    np.testing.assert_allclose(actual, expected, atol=1e-5)
