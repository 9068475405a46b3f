import numpy as np
import pytest

from keras_jtav.evaluation.cca import (
    RIDGES,
    PrincipalAxes,
    RegularizedCCA,
    canonical_maps,
    cosines,
    principal_axes,
    ranks_best,
)
from keras_jtav.evaluation.ranks import rank_metrics


def views(num_items, noise, seed=0):
    """Return two views of one hidden variable, (items, 12) and (items, 9)."""
    random = np.random.default_rng(seed)
    hidden = random.normal(size=(num_items, 5))
    maps = np.random.default_rng(9).normal(size=(5, 21))
    both = hidden @ maps + noise * random.normal(size=(num_items, 21))
    return both[:, :12], both[:, 12:]


def share_found(scores):
    return np.mean(scores.argmax(axis=1) == np.arange(len(scores)))


def test_views_of_one_hidden_variable_find_each_other_in_unseen_items():
    model = RegularizedCCA(*views(300, noise=0.3))
    assert share_found(model.score(*views(50, noise=0.3, seed=1), ridge=0.01)) > 0.9


def test_views_that_share_nothing_are_at_chance():
    first, _ = views(300, noise=0.3)
    _, second = views(300, noise=0.3, seed=5)
    unseen = views(50, noise=0.3, seed=1)
    assert share_found(RegularizedCCA(first, second).score(*unseen, ridge=1)) < 0.15


def test_one_dimension_each_is_the_sign_of_the_product():
    first = np.array([[-1.0], [0.0], [1.0]])
    model = RegularizedCCA(first, -2 * first)
    # the correlation is -1: positive on one side goes with negative on the other
    scores = model.score(np.array([[3.0]]), np.array([[0.2], [-7.0]]), ridge=1)
    assert scores == pytest.approx(np.array([[-1.0, 1.0]]))


def test_scale_and_offset_of_a_view_do_not_matter():
    first, second = views(80, noise=1)
    expected = RegularizedCCA(first, second).score(first, second, ridge=0.5)
    other = 3 * first + 100
    scores = RegularizedCCA(other, second).score(other, second, ridge=0.5)
    assert scores == pytest.approx(expected, abs=1e-6)


def test_constant_views_and_many_columns_give_finite_scores():
    random = np.random.default_rng(0)
    wide, constant = random.normal(size=(10, 40)), np.ones((10, 3))
    for first, second in ((wide, wide), (wide, constant), (constant, constant)):
        scores = RegularizedCCA(first, second, max_axes=7).score(first, second, 1)
        assert np.isfinite(scores).all()
        assert np.abs(scores).max() <= 1 + 1e-9


def test_the_option_is_the_first_that_ranks_the_asked_songs_best():
    is_match = np.eye(4, dtype=bool)

    def score(option):  # right for two options only; for all others it knows nothing
        return is_match * float(option in "bc")

    assert ranks_best("abc", score, is_match, usual="d") == "b"


def test_few_noisy_items_find_a_ridge_that_is_large_enough():
    random = np.random.default_rng(0)
    maps = random.normal(size=(2, 5, 200))

    def draw(num_items):
        hidden = random.normal(size=(num_items, 5))
        noise = random.normal(size=(2, num_items, 200))
        return hidden @ maps + 2 * noise  # two views

    model, unseen = RegularizedCCA(*draw(60)), draw(60)
    is_match = np.eye(60, dtype=bool)

    def mrr(ridge):
        return rank_metrics(model.score(*unseen, ridge), is_match)["mrr"]

    best = ranks_best(RIDGES, lambda r: model.score(*unseen, r), is_match, usual=0.3)
    assert RIDGES[0] < best < RIDGES[-1]
    assert mrr(best) > mrr(3) + 0.05
    assert mrr(best) >= max(mrr(100), mrr(1000)) - 0.01


@pytest.mark.parametrize("songs", [0, 1])
def test_without_two_songs_to_tell_apart_the_option_is_the_usual_one(songs):
    is_match = np.ones((songs, songs), bool)
    assert ranks_best("ab", lambda option: is_match * 1.0, is_match, "d") == "d"


def test_axes_that_only_rounding_gives_a_variance_change_nothing():
    random = np.random.default_rng(0)
    first, second = random.normal(size=(2, 20, 60))
    first, second = first - first.mean(axis=0), second - second.mean(axis=0)
    kept, every = [], []
    for view in (first, second):
        covariance = view.T @ view / 20
        kept.append(principal_axes(covariance, 50))
        variances, directions = np.linalg.eigh(covariance)
        variances = np.maximum(variances[-50:], 0)
        mean = variances.mean()
        every.append(PrincipalAxes(variances, directions[:, -50:], mean))
    assert [len(axes.variances) for axes in kept] == [19, 19]
    cross = first.T @ second / 20
    for ridge in RIDGES:
        shorter = cosines((first, second), canonical_maps(*kept, cross, ridge))
        longer = cosines((first, second), canonical_maps(*every, cross, ridge))
        np.testing.assert_allclose(shorter, longer, atol=1e-9)
