import numpy as np
import pytest

from keras_jtav.layers import GatedMultimodalUnit


def test_hand_worked_bimodal_unit():
    layer = GatedMultimodalUnit(units=1)
    layer.build([(None, 1), (None, 1)])
    # W_1 = 1, W_2 = -1, V = (log 3, 0).
    weights = [[1]], [[-1]], [[np.log(3)], [0]]
    layer.set_weights([np.array(w) for w in weights])
    # x = 1, y = 2: z = sigmoid(log 3) = 3/4, h = 3/4 tanh 1 + 1/4 tanh -2.
    h = layer([np.array([[1.0]]), np.array([[2.0]])])
    np.testing.assert_allclose(h, [[0.75 * np.tanh(1) - 0.25 * np.tanh(2)]], rtol=1e-6)


def test_of_three_vectors_each_has_its_own_gate(rng):
    vectors = [rng.normal(size=(4, dim)).astype("float32") for dim in (2, 3, 5)]
    layer = GatedMultimodalUnit(units=6)
    outputs = np.asarray(layer(vectors))
    expected = 0
    for vector, kernel, gate_kernel in zip(
        vectors, layer.kernels, layer.gate_kernels, strict=True
    ):
        gate = 1 / (1 + np.exp(-np.hstack(vectors) @ gate_kernel.numpy()))
        expected = expected + gate * np.tanh(vector @ kernel.numpy())
    np.testing.assert_allclose(outputs, expected, atol=1e-6)


def test_one_vector_passes_without_a_gate(rng):
    vector = rng.normal(size=(4, 5)).astype("float32")
    layer = GatedMultimodalUnit(units=3)
    h = layer([vector])
    (kernel,) = layer.get_weights()
    np.testing.assert_allclose(h, np.tanh(vector @ kernel), atol=1e-6)


@pytest.mark.parametrize("dims", [(2, 5), (2, 5, 3)])
def test_contract(check_contract, rng, dims):
    vectors = [rng.normal(size=(4, dim)).astype("float32") for dim in dims]
    check_contract(GatedMultimodalUnit(units=3), vectors=vectors)
