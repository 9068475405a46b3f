import numpy as np
import pytest

from keras_jtav.layers.chebyshev import Interpolation

COUNTS = (2, 3, 9, 12, 17, 65)


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
