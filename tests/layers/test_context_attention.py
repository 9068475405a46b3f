import numpy as np
import pytest

from keras_jtav.layers import ContextAttention

LOG_3 = np.log(3)


@pytest.fixture
def layer():
    """Attention with W_u = artanh(1/2) on the first coordinate and h_c = 2 log 3."""
    layer = ContextAttention(units=1)
    layer.build((None, None, 2))
    weights = [[LOG_3 / 2], [0]], [0], [[2 * LOG_3]]
    layer.set_weights([np.array(w) for w in weights])
    return layer


def test_hand_worked_weights(layer):
    states = np.array([[[1.0, 10.0], [0.0, 20.0], [5.0, 99.0]]], "float32")
    mask = np.array([[True, True, False]])
    t, weights = layer(states, mask=mask)
    # tanh(log(3) / 2) = 1/2, so the logits are log 3 and 0: exp gives 3 and 1, weights
    # 3/4 and 1/4. t = (3/4 * 1 + 1/4 * 0, 3/4 * 10 + 1/4 * 20) = (0.75, 12.5).
    np.testing.assert_allclose(weights, [[0.75, 0.25, 0]], rtol=1e-6)
    np.testing.assert_allclose(t, [[0.75, 12.5]], rtol=1e-6)


def test_a_row_without_a_real_step_is_zero(layer):
    states = np.ones((2, 3, 2), "float32")
    mask = np.array([[True, False, False], [False, False, False]])
    t, weights = layer(states, mask=mask)
    np.testing.assert_allclose(t, [[1, 1], [0, 0]], rtol=1e-6)
    np.testing.assert_allclose(weights, [[1, 0, 0], [0, 0, 0]], rtol=1e-6)


def test_weights_sum_to_one_and_follow_a_permutation_of_the_steps(layer, rng):
    states = rng.normal(size=(4, 6, 2)).astype("float32")
    t, weights = layer(states)
    np.testing.assert_allclose(np.sum(weights, axis=1), 1, rtol=1e-6)
    order = rng.permutation(6)
    shuffled_t, shuffled = layer(states[:, order])
    np.testing.assert_allclose(shuffled, np.asarray(weights)[:, order], rtol=1e-5)
    np.testing.assert_allclose(shuffled_t, t, atol=1e-6)


def test_contract(check_contract, rng):
    states = rng.normal(size=(3, 4, 5)).astype("float32")
    mask = np.array([[1, 1, 0, 0], [1, 1, 1, 1], [0, 0, 0, 0]], bool)
    check_contract(ContextAttention(units=6), states=states, mask=mask)
