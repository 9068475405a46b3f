import numpy as np
import pytest

from keras_jtav.layers import AbsentVectors

MASKS = [
    np.array([True, True, False, False]),
    np.array([True, False, True, False]),
    np.array([True, False, False, False]),
]


def vectors(rows=4):
    return [np.full((rows, dim), 7, "float32") for dim in (3, 4, 5)]


def present(outputs):
    """Return which rows kept their vector of sevens, (batch, modalities)."""
    return np.stack([np.all(np.asarray(x) == 7, axis=1) for x in outputs], axis=1)


def test_missing_vectors_are_replaced_and_present_ones_kept():
    layer = AbsentVectors(rate=0.5, seed=1)
    outputs = layer(vectors(), MASKS)
    np.testing.assert_array_equal(present(outputs), np.stack(MASKS, axis=1))
    np.testing.assert_array_equal(outputs[1][3], layer.absent[1])


def test_inference_draws_nothing():
    layer = AbsentVectors(rate=0.9, seed=1)
    first, second = layer(vectors(), MASKS), layer(vectors(), MASKS)
    for a, b in zip(first, second, strict=True):
        np.testing.assert_array_equal(a, b)


def test_training_hides_at_the_rate_but_never_all():
    rows = 4000
    masks = [np.ones(rows, bool), np.ones(rows, bool), np.arange(rows) % 2 == 0]
    kept = present(AbsentVectors(rate=0.2, seed=1)(vectors(rows), masks, training=True))
    assert not np.any(kept & ~np.stack(masks, axis=1))
    assert np.all(kept.any(axis=1))
    # Rows of two: both hidden in 4 % of the draws, which then hide none: .2 - .04.
    assert abs(np.mean(~kept[1::2, 0]) - 0.16) < 0.03
    assert abs(np.mean(~kept[::2, 0]) - (0.2 - 0.008)) < 0.03


def test_the_only_modality_is_never_hidden():
    masks = [MASKS[2], ~MASKS[2], np.zeros(4, bool)]
    outputs = AbsentVectors(rate=0.9, seed=1)(vectors(), masks, training=True)
    np.testing.assert_array_equal(present(outputs), np.stack(masks, axis=1))


def test_the_seed_decides_the_draws():
    masks = [np.ones(50, bool)] * 3
    draws = [
        present(AbsentVectors(rate=0.5, seed=seed)(vectors(50), masks, training=True))
        for seed in (1, 1, 2)
    ]
    assert np.array_equal(draws[0], draws[1])
    assert not np.array_equal(draws[0], draws[2])


@pytest.mark.parametrize("rate", [-0.1, 1.0])
def test_rate_is_a_probability_below_one(rate):
    with pytest.raises(ValueError, match="`rate` must be a probability"):
        AbsentVectors(rate=rate)


def test_each_vector_needs_a_mask():
    with pytest.raises(ValueError, match="received 3 vectors and 2 masks"):
        AbsentVectors()(vectors(), MASKS[:2])


def test_contract(check_contract):
    check_contract(AbsentVectors(rate=0.3, seed=2), vectors=vectors(), masks=MASKS)
