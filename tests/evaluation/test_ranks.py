import itertools

import numpy as np
import pytest

from keras_jtav.evaluation.ranks import (
    chance_ranks,
    query_ranks,
    query_recalls,
    rank_metrics,
)

KS = (1, 2, 5)


def over_all_orders(scores, is_match, ks):
    """Sort every order of the songs; stable sorting keeps it among ties."""
    ranks = []
    for order in itertools.permutations(range(len(scores))):
        placed = sorted(order, key=lambda song: -scores[song])
        ranks.append(1 + min(placed.index(song) for song in np.flatnonzero(is_match)))
    ranks = np.array(ranks)
    return ranks.mean(), (1 / ranks).mean(), [np.mean(ranks <= k) for k in ks]


def test_metrics_of_a_hand_written_matrix():
    scores = np.array(
        [
            [0.9, 0.1, 0.5, 0.2],  # true song 0: rank 1
            [0.9, 0.1, 0.5, 0.2],  # true song 2: rank 2
            [0.9, 0.1, 0.5, 0.2],  # true song 1: rank 4
        ]
    )
    is_match = np.zeros((3, 4), bool)
    is_match[[0, 1, 2], [0, 2, 1]] = True
    metrics = rank_metrics(scores, is_match, ks=(1, 2, 3))
    # mean (1 + 2 + 4) / 3; mrr (1 + 1/2 + 1/4) / 3
    assert metrics == pytest.approx(
        {
            "median_rank": 2,
            "mean_rank": 7 / 3,
            "mrr": 7 / 12,
            "R@1": 1 / 3,
            "R@2": 2 / 3,
            "R@3": 2 / 3,
        }
    )


def test_a_tie_is_worth_its_expectation_and_not_its_expected_rank():
    scores = np.array([[5.0, 1.0, 1.0, 1.0]])
    is_match = np.array([[False, False, True, False]])
    metrics = rank_metrics(scores, is_match, ks=(1, 2, 3, 4))
    # places 2, 3, 4, one third each: mean 3, yet R@2 is 1/3 and not 0
    assert metrics["median_rank"] == 3
    assert [metrics[f"R@{k}"] for k in (1, 2, 3, 4)] == pytest.approx(
        [0, 1 / 3, 2 / 3, 1]
    )
    assert metrics["mrr"] == pytest.approx((1 / 2 + 1 / 3 + 1 / 4) / 3)


def test_the_best_placed_of_several_true_songs_counts():
    scores = np.array([[1.0, 1.0, 1.0, 0.0]])
    is_match = np.array([[True, True, False, True]])
    # two of three tied songs are true; the first true one is first in 2 of 3 orders
    # and second in 1 of 3: (1 * 2 + 2 * 1) / 3 = 4/3 = (3 + 1) / (2 + 1)
    assert query_ranks(scores, is_match) == pytest.approx([4 / 3])
    assert query_recalls(scores, is_match, 1) == pytest.approx([2 / 3])


def test_metrics_equal_an_average_over_all_orders():
    generator = np.random.default_rng(0)
    for _ in range(60):
        scores = generator.integers(3, size=(1, 6))
        is_match = generator.random((1, 6)) < generator.choice([0.2, 0.5])
        is_match[0, generator.integers(6)] = True
        mean, reciprocal, recalls = over_all_orders(scores[0], is_match[0], KS)
        metrics = rank_metrics(scores, is_match, ks=KS)
        assert metrics["mean_rank"] == pytest.approx(mean)
        assert metrics["mrr"] == pytest.approx(reciprocal)
        assert [metrics[f"R@{k}"] for k in KS] == pytest.approx(recalls)


@pytest.mark.parametrize("constant", [0.0, -3.5, -np.inf])
def test_a_constant_scorer_is_chance_in_strict_and_perfect_in_paper(constant):
    scores, is_match = np.full((7, 7), constant), np.eye(7, dtype=bool)
    ks = (1, 5, 100)
    assert rank_metrics(scores, is_match, ks) == pytest.approx(chance_ranks(7, ks))
    paper = rank_metrics(scores, is_match, ks, protocol="paper")
    assert paper == {"Med r": 1, "R@1": 1, "R@5": 1, "R@100": 1}


@pytest.mark.parametrize("protocol", ["strict", "paper"])
def test_the_mean_over_all_random_orders_is_chance_in_every_metric(protocol):
    is_match = np.eye(5, dtype=bool)[:1]
    orders = itertools.permutations([1.0, 2.0, 3.0, 4.0, 5.0])
    runs = [rank_metrics([order], is_match, KS, protocol) for order in orders]
    chance = chance_ranks(5, KS, protocol)
    assert set(runs[0]) == set(chance)
    for name, value in chance.items():
        assert np.mean([run[name] for run in runs]) == pytest.approx(value), name


def test_metrics_of_many_queries_equal_naive_loops():
    generator = np.random.default_rng(2)
    scores = generator.normal(size=(40, 12)).astype("float32") * 9
    is_match = generator.random((40, 12)) < 0.2
    is_match[np.arange(40), generator.integers(12, size=40)] = True
    strict, paper = [], []
    for row, truth in zip(scores, is_match, strict=True):
        songs = sorted(range(12), key=lambda song: -row[song])
        strict.append(min(songs.index(song) for song in np.flatnonzero(truth)) + 1)
        # the released code: the first place of an equal float32 sigmoid
        sigmoids = np.float32(0.5) + np.float32(0.5) * np.tanh(np.float32(0.5) * row)
        falling = sorted(sigmoids.tolist(), reverse=True)
        paper.append(min(falling.index(sigmoids[s]) for s in np.flatnonzero(truth)) + 1)
    assert paper != strict, "no sigmoid is saturated"
    in_order = sorted(strict)
    expected = {
        "median_rank": (in_order[19] + in_order[20]) / 2,
        "mean_rank": sum(strict) / 40,
        "mrr": sum(1 / rank for rank in strict) / 40,
        **{f"R@{k}": sum(rank <= k for rank in strict) / 40 for k in KS},
    }
    assert rank_metrics(scores, is_match, KS) == pytest.approx(expected)
    recalls = {f"R@{k}": sum(rank <= k for rank in paper) / 40 for k in KS}
    assert rank_metrics(scores, is_match, KS, "paper") == pytest.approx(
        {"Med r": sum(paper) / 40, **recalls}
    )


def test_saturated_scores_are_ties_in_paper_and_not_in_strict():
    scores = np.array([[40.0, 30.0, 20.0], [9.0, 1.0, 2.0]])
    is_match = np.array([[False, False, True], [False, True, False]])
    # sigmoid(20), (30) and (40) are all 1.0 in float32
    assert query_ranks(scores, is_match).tolist() == [3, 3]
    assert query_ranks(scores, is_match, "paper").tolist() == [1, 3]
    assert rank_metrics(scores, is_match, (1,), "paper") == {"Med r": 2, "R@1": 0.5}


def test_median_is_a_median():
    scores = np.tile(np.arange(9.0)[::-1], (3, 1))
    is_match = np.eye(9, dtype=bool)[[0, 1, 8]]  # ranks 1, 2 and 9
    metrics = rank_metrics(scores, is_match)
    assert metrics["median_rank"] == 2
    assert metrics["mean_rank"] == 4


def test_recall_of_a_list_longer_than_the_songs_is_one():
    assert rank_metrics(np.zeros((1, 2)), np.eye(2, dtype=bool)[:1], (9,))["R@9"] == 1


def test_permuting_songs_or_scaling_scores_changes_nothing():
    generator = np.random.default_rng(1)
    scores = generator.integers(4, size=(20, 12)).astype("float32")
    is_match = np.eye(12, dtype=bool)[generator.integers(12, size=20)]
    order = generator.permutation(12)
    expected = rank_metrics(scores, is_match)
    assert rank_metrics(scores[:, order], is_match[:, order]) == expected
    assert rank_metrics(3 * scores + 1, is_match) == expected


@pytest.mark.parametrize(
    ("names", "message"),
    [(None, r"Query in row 1 \(the first of 2\)"), (["a", "b", "c"], "Query 'b'")],
)
def test_a_score_that_is_not_a_number_is_an_error(names, message):
    scores = np.zeros((3, 3))
    scores[1:, 2] = np.nan
    with pytest.raises(ValueError, match=f"{message}.* not a number"):
        rank_metrics(scores, np.eye(3, dtype=bool), query_ids=names)


def test_a_query_without_a_true_song_is_an_error():
    is_match = np.array([[True, False], [False, False]])
    with pytest.raises(ValueError, match=r"Query 'q2'.* no true song"):
        query_ranks(np.zeros((2, 2)), is_match, query_ids=["q1", "q2"])


@pytest.mark.parametrize(
    ("scores", "is_match", "protocol", "message"),
    [
        (np.zeros((2, 3)), np.ones((3, 2), bool), "strict", r"\(2, 3\) and \(3, 2\)"),
        (np.zeros((0, 3)), np.ones((0, 3), bool), "strict", "not empty"),
        (np.zeros((1, 1)), np.ones((1, 1)), "strict", "must be bool; received float64"),
        (np.zeros((1, 1)), np.ones((1, 1), bool), "fair", "strict, paper; .*'fair'"),
    ],
)
def test_wrong_arguments_are_errors(scores, is_match, protocol, message):
    with pytest.raises(ValueError, match=message):
        query_ranks(scores, is_match, protocol)


def test_chance_of_the_papers_two_sets():
    dagger = chance_ranks(100, (1, 5, 10))
    assert dagger["median_rank"] == 50.5
    assert [dagger["R@1"], dagger["R@5"], dagger["R@10"]] == [0.01, 0.05, 0.1]
    assert chance_ranks(620, (100,))["R@100"] == pytest.approx(0.161, abs=5e-4)
    assert chance_ranks(3)["mrr"] == pytest.approx((1 + 1 / 2 + 1 / 3) / 3)
    with pytest.raises(ValueError, match="`num_songs` must be at least 1; received 0"):
        chance_ranks(0)
