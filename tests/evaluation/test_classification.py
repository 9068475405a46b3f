from itertools import combinations

import numpy as np
import pytest
from sklearn.metrics import f1_score

from keras_jtav.evaluation.classification import (
    chance_baseline,
    choose_threshold,
    classification_metrics,
    majority_baseline,
)

LABELS = [0, 0, 0, 1, 1]
PROBABILITIES = [0.1, 0.4, 0.8, 0.4, 0.9]


def test_metrics_of_five_posts():
    metrics = classification_metrics(LABELS, PROBABILITIES, threshold=0.5)
    # pairs (positive, negative): .4 beats .1, draws .4, loses to .8; .9 beats all:
    # (1 + .5 + 0 + 3) / 6
    assert metrics["auc"] == pytest.approx(4.5 / 6)
    # predicted 0 0 1 0 1: class 0 precision 2/3, recall 2/3, F1 2/3;
    # class 1 precision 1/2, recall 1/2, F1 1/2; weights 3/5 and 2/5
    assert metrics["weighted_f1"] == pytest.approx(0.6 * 2 / 3 + 0.4 / 2)
    assert metrics["weighted_precision"] == pytest.approx(0.6 * 2 / 3 + 0.4 / 2)
    assert metrics["accuracy"] == pytest.approx(3 / 5)
    assert metrics["balanced_accuracy"] == pytest.approx((2 / 3 + 1 / 2) / 2)
    assert metrics["confusion_matrix"] == [[2, 1], [1, 1]]
    assert metrics["threshold"] == 0.5


def test_paper_protocol_takes_auc_on_hard_labels():
    strict = classification_metrics(LABELS, PROBABILITIES, 0.3)
    paper = classification_metrics(LABELS, PROBABILITIES, 0.3, protocol="paper")
    # predicted 0 1 1 1 1: true positive rate 1, true negative rate 1/3
    assert paper["auc"] == pytest.approx(2 / 3)
    assert paper["auc"] == pytest.approx(strict["balanced_accuracy"])
    assert {**paper, "auc": 0} == {**strict, "auc": 0}


def naive_metrics(labels, probabilities, threshold, protocol):
    """Count one post, one pair and one class after the other."""
    pairs = list(zip(labels, probabilities, strict=True))
    calls = [(truth, int(p >= threshold)) for truth, p in pairs]
    ranked = calls if protocol == "paper" else pairs
    positive = [score for truth, score in ranked if truth == 1]
    negative = [score for truth, score in ranked if truth == 0]
    wins = [(p > n) + 0.5 * (p == n) for p in positive for n in negative]
    f1, precision, recalls = 0.0, 0.0, []
    for name in (0, 1):
        hits = sum(call == (name, name) for call in calls)
        called = sum(guess == name for _, guess in calls)
        true = sum(truth == name for truth, _ in calls)
        f1 += true / len(calls) * 2 * hits / (called + true)
        precision += true / len(calls) * (hits / called if called else 0)
        recalls.append(hits / true)
    return {
        "auc": sum(wins) / len(wins),
        "weighted_f1": f1,
        "weighted_precision": precision,
        "accuracy": sum(truth == guess for truth, guess in calls) / len(calls),
        "balanced_accuracy": sum(recalls) / 2,
        "threshold": threshold,
        "confusion_matrix": [[calls.count((t, g)) for g in (0, 1)] for t in (0, 1)],
    }


@pytest.mark.parametrize("protocol", ["strict", "paper"])
def test_every_metric_equals_a_naive_loop(protocol):
    generator = np.random.default_rng(0)
    for threshold in (0.0, 0.3, 0.5, 0.95, 1.0):
        labels = np.append(generator.integers(2, size=30), [0, 1])
        probabilities = np.round(generator.random(32), 1)  # with ties
        metrics = classification_metrics(labels, probabilities, threshold, protocol)
        expected = naive_metrics(labels, probabilities, threshold, protocol)
        assert metrics.pop("confusion_matrix") == expected.pop("confusion_matrix")
        assert metrics == pytest.approx(expected)


@pytest.mark.parametrize("protocol", ["strict", "paper"])
@pytest.mark.parametrize("constant", [0.2, 0.8])
def test_a_constant_scorer_is_a_guess_of_one_class_in_every_metric(protocol, constant):
    labels = [1] * 7 + [0] * 3
    metrics = classification_metrics(labels, [constant] * 10, 0.5, protocol)
    share = 0.7 if constant > 0.5 else 0.3
    assert metrics["auc"] == metrics["balanced_accuracy"] == 0.5
    assert metrics["accuracy"] == pytest.approx(share)
    assert metrics["weighted_precision"] == pytest.approx(share**2)
    assert metrics["weighted_f1"] == pytest.approx(share * 2 * share / (1 + share))


def test_a_probability_at_the_threshold_is_positive():
    metrics = classification_metrics([0, 1], [0.2, 0.5], threshold=0.5)
    assert metrics["confusion_matrix"] == [[1, 0], [0, 1]]


def test_constant_probabilities_have_auc_one_half():
    assert classification_metrics(LABELS, [0.3] * 5)["auc"] == 0.5


def test_majority_guess_on_the_papers_class_sizes():
    labels = [1] * 2297 + [0] * 963
    metrics = majority_baseline(labels, labels)
    share = 2297 / 3260
    assert metrics["auc"] == 0.5
    assert metrics["weighted_f1"] == pytest.approx(share * 2 * share / (1 + share))
    assert metrics["weighted_f1"] == pytest.approx(0.582, abs=5e-4)
    assert metrics["weighted_precision"] == pytest.approx(0.496, abs=5e-4)


def test_majority_is_read_from_training_labels():
    assert majority_baseline([0, 0, 1], [1, 1, 0])["accuracy"] == pytest.approx(1 / 3)
    with pytest.raises(ValueError, match="`train_labels` must have at least one"):
        majority_baseline([], [0, 1])


@pytest.mark.parametrize("train", [[1], [0], [0, 0, 1], [1, 1, 1, 0]])
def test_chance_is_the_mean_over_all_random_calls(train):
    labels = np.array([1, 1, 1, 0, 0, 1])
    called = round(np.mean(train) * 6)
    calls = [np.isin(np.arange(6), chosen) for chosen in combinations(range(6), called)]
    measured = [
        classification_metrics(labels, call, protocol="paper") for call in calls
    ]
    for name, value in chance_baseline(train, labels).items():
        assert value == pytest.approx(np.mean([m[name] for m in measured])), name


def test_the_mean_of_random_scores_is_chance():
    """AUC over all orders of six probabilities; those of one class are alike."""
    orders = combinations(range(6), 2)
    aucs = [
        classification_metrics(np.isin(np.arange(6), chosen), np.arange(6) / 6)["auc"]
        for chosen in orders
    ]
    assert np.mean(aucs) == pytest.approx(chance_baseline([0, 1], [0, 1])["auc"])


def test_chance_needs_labels():
    with pytest.raises(ValueError, match="`train_labels` must have at least one"):
        chance_baseline([], [0, 1])
    with pytest.raises(ValueError, match=r"class 0 and of class 1; received \[1\]"):
        chance_baseline([0, 1], [1, 1])


def test_threshold_of_separable_posts_lies_in_the_gap():
    assert choose_threshold([1, 0, 1, 0], [0.7, 0.1, 0.9, 0.3]) == pytest.approx(0.5)


def test_threshold_equals_a_search_over_all_cuts():
    generator = np.random.default_rng(0)
    for _ in range(50):
        labels = np.append(generator.integers(2, size=18), [0, 1])
        probabilities = np.round(generator.random(20), 1)  # with ties, 0.0 and 1.0
        threshold = choose_threshold(labels, probabilities)
        reached, best = (
            max(f1_score(labels, probabilities >= t, average="weighted") for t in cuts)
            for cuts in ([threshold], [*(np.arange(11) / 10 - 0.05), 1.05])
        )
        assert reached == pytest.approx(best)


@pytest.mark.parametrize("labels", [[0] * 9 + [1], [1] * 9 + [0]])
def test_threshold_may_give_all_posts_one_class(labels):
    """The only post of its class stands at the wrong end."""
    probabilities = np.linspace(0, 1, 10) if labels[-1] == 0 else np.linspace(1, 0, 10)
    predicted = probabilities >= choose_threshold(labels, probabilities)
    assert predicted.all() or not predicted.any()


@pytest.mark.parametrize(
    ("labels", "probabilities", "message"),
    [
        ([1, 1], [0.1, 0.2], r"class 0 and of class 1; received \[1\]"),
        ([0, 2], [0.1, 0.2], r"received \[0, 2\]"),
        ([0, 1], [0.1], r"received \(2,\) and \(1,\)"),
        ([0, 1], [0.1, 3.0], "from 0 to 1; received 3.0.*sigmoid"),
        ([0, 1], [0.5, np.nan], r"in row 1 \(the first of 1\) is not a number"),
    ],
)
def test_wrong_arguments_are_errors(labels, probabilities, message):
    for function in (classification_metrics, choose_threshold):
        with pytest.raises(ValueError, match=message):
            function(labels, probabilities)


def test_an_unknown_protocol_is_an_error():
    with pytest.raises(ValueError, match="strict, paper; received 'fair'"):
        classification_metrics(LABELS, PROBABILITIES, protocol="fair")
