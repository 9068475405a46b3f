import numpy as np
import pytest

from keras_jtav.layers import LowRankProduct, OuterProduct


def weight_tensor(layer):
    """The sum of outer products of factors, ``(prod(dim_i + 1), units)``."""
    total = 0
    for r in range(layer.rank):
        product = np.ones((1, layer.units))
        for factor, bias in zip(layer.factors, layer.factor_biases, strict=True):
            column = np.concatenate([bias[r : r + 1], factor[r]])  # (dim + 1, units)
            product = np.stack([row * column for row in product])
            product = product.reshape(-1, layer.units)
        total = total + product
    return total


@pytest.mark.parametrize("dims", [(5,), (5, 3), (5, 3, 4)])
def test_equals_the_contraction_with_the_full_weight_tensor(rng, dims):
    vectors = [rng.normal(size=(6, dim)).astype("float32") for dim in dims]
    layer = LowRankProduct(units=7, rank=3)
    layer.build([vector.shape for vector in vectors])
    layer.bias.assign(rng.normal(size=7))
    expected = np.asarray(OuterProduct()(vectors)) @ weight_tensor(layer)
    np.testing.assert_allclose(layer(vectors), expected + layer.bias, atol=1e-5)


@pytest.mark.parametrize(("rank", "dims"), [(1, (50,)), (4, (50, 60, 70))])
def test_starts_as_one_and_a_sum_over_the_vectors(rng, rank, dims):
    vectors = [rng.normal(size=(50, dim)).astype("float32") for dim in dims]
    vectors = [v / np.linalg.norm(v, axis=1, keepdims=True) for v in vectors]
    layer = LowRankProduct(units=3000, rank=rank)
    h = np.asarray(layer(vectors))
    alone = [
        layer([v if i == own else 0 * v for i, v in enumerate(vectors)]) - 1
        for own in range(len(dims))
    ]
    parts = [np.std(part) for part in alone]
    np.testing.assert_allclose(parts, 0.1 / rank**0.5, rtol=0.1)
    assert np.std(h - 1 - sum(alone)) < 0.15 * np.std(sum(alone))


def test_a_rank_below_one_is_refused():
    with pytest.raises(ValueError, match="`rank` must be at least 1; received 0"):
        LowRankProduct(units=3, rank=0)


def test_contract(check_contract, rng):
    vectors = [rng.normal(size=(4, dim)).astype("float32") for dim in (2, 5)]
    check_contract(LowRankProduct(units=3, rank=2), vectors=vectors)
