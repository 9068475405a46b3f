import numpy as np
import pytest
from scipy.special import erf, softmax

from keras_jtav.layers import TransformerBlock


def normed(tokens):
    centred = tokens - tokens.mean(axis=-1, keepdims=True)
    return centred / np.sqrt(np.mean(centred**2, axis=-1, keepdims=True) + 1e-6)


def test_equals_its_definition(rng):
    tokens = rng.normal(size=(5, 8)).astype("float32")
    layer = TransformerBlock(heads=2)
    output = np.asarray(layer(tokens[None]))[0]
    query, key, value, joint = layer.attention.get_weights()
    attended = tokens.copy()
    for head in range(2):
        q, k, v = (normed(tokens) @ w[:, head] for w in (query, key, value))
        weights = softmax(q @ k.T / np.sqrt(4), axis=1)  # of 8 / 2 coordinates
        attended += weights @ v @ joint[head]
    hidden = layer.hidden
    inner = normed(attended) @ hidden.kernel.numpy() + hidden.bias.numpy()
    inner = inner * (1 + erf(inner / np.sqrt(2))) / 2
    expected = attended + inner @ layer.output_dense.kernel.numpy()
    np.testing.assert_allclose(output, expected, atol=1e-5)


def test_heads_that_do_not_divide_the_size_are_refused(rng):
    with pytest.raises(ValueError, match="`heads` must divide the tokens' size, 8"):
        TransformerBlock(heads=3)(rng.normal(size=(1, 2, 8)))


def test_contract(check_contract, rng):
    tokens = rng.normal(size=(4, 3, 8)).astype("float32")
    check_contract(TransformerBlock(heads=2, expansion=1), tokens=tokens)
