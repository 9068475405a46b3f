import numpy as np
import pytest

from keras_jtav.serving.best_rows import likely_rows, rank_rows


def test_equal_vectors_rank_in_their_order_whatever_a_product_says():
    rng = np.random.default_rng(0)
    vectors = np.repeat(rng.normal(size=(1, 64)), 50, axis=0).astype("float32")
    query = rng.normal(size=64).astype("float32")
    noisy = vectors @ query + rng.uniform(-1e-6, 1e-6, 50).astype("float32")
    likely = likely_rows(noisy, 3, 1e-5)
    assert likely.tolist() == list(range(50))
    rows, scores = rank_rows(query, likely, vectors[likely], 3)
    assert rows.tolist() == [0, 1, 2]
    assert len(set(scores.tolist())) == 1


def test_what_lies_beyond_the_margin_is_not_likely():
    scores = np.array([0.5, 0.3, 0.5 - 2e-5, 0.9])
    assert likely_rows(scores, 2, 1e-5).tolist() == [0, 3]
    assert likely_rows(scores, 2, 3e-5).tolist() == [0, 2, 3]


@pytest.mark.parametrize("k", [0, 3, 4, 9])
def test_hidden_rows_are_never_likely(k):
    scores = np.array([-np.inf, 0.1, -np.inf, 0.2])
    assert likely_rows(scores, k, 1e-5).tolist() == [1, 3]


def test_the_best_are_those_of_a_plain_sort():
    rng = np.random.default_rng(1)
    vectors = rng.normal(size=(400, 16)).astype("float32")
    query = rng.normal(size=16).astype("float32")
    likely = likely_rows(vectors @ query, 7, 1e-4)
    rows, scores = rank_rows(query, likely, vectors[likely], 7)
    expected = np.argsort(-(vectors.astype("float64") @ query))[:7]
    assert rows.tolist() == expected.tolist()
    np.testing.assert_allclose(scores, vectors[expected] @ query, rtol=1e-5)
