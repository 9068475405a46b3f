"""How much each rule of the released code flatters, on the same scores.

Every scorer is judged by both protocols of ``keras_jtav.evaluation``: scorers that know
nothing, and models trained here on the embedded data. ``python benchmarks/flattery.py``
takes a few minutes on one core; ``--constructed`` leaves the models out.
"""

import argparse
import os
import tempfile
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import numpy as np
from sklearn.metrics import roc_curve

from keras_jtav.evaluation.classification import (
    choose_threshold,
    classification_metrics,
)
from keras_jtav.evaluation.ranks import rank_metrics
from keras_jtav.experiments import preset_config

SONGS = {"dagger": (100, (1, 10)), "section sign": (620, (10, 100))}
TEST_POSTS = (96, 230)  # negative and positive: a tenth of MoodShutter
HAND_PICKED = (0.3, 0.7, 0.8)  # thresholds in the released code
DRAWS = 100
TRAINING = {
    "sentiment": ("train.steps=200",),
    "retrieval": ("train.steps=200",),
}


def saturated(scores):
    """Raise a random half of the scores so far that their float32 sigmoid is 1."""
    return scores + 50.0 * (np.random.default_rng(1).random(scores.shape) < 0.5)


def judge_ranks(title, scores, is_match, ks):
    """Print one scorer's ranks in both protocols."""
    strict = rank_metrics(scores, is_match, ks)
    paper = rank_metrics(scores, is_match, ks, "paper")
    cells = [f"{strict['median_rank']:.1f}", f"{strict['mean_rank']:.1f}"]
    cells += [f"{paper['Med r']:.1f}"]
    for k in ks:
        cells += [f"{strict[f'R@{k}']:.3f}", f"{paper[f'R@{k}']:.3f}"]
    print(f"| {title} | {' | '.join(cells)} |", flush=True)


def retrieval_header(title, ks):
    names = ["median rank (strict)", "mean rank (strict)", '"Med r" (paper)']
    names += [f"R@{k} ({p})" for k in ks for p in ("strict", "paper")]
    print(f"\n| {title} | {' | '.join(names)} |\n|{'---|' * (len(names) + 1)}")


def judge_classes(rows):
    """Print means over the draws of each scorer.

    Args:
        rows: ``{scorer: draws}``, a draw being labels and probabilities of validation,
            then those of test.
    """
    for number, (title, draws) in enumerate(rows.items()):
        measured = [class_numbers(*draw) for draw in draws]
        names = list(measured[0])
        if number == 0:
            print(f"\n| scorer | {' | '.join(names)} |\n|{'---|' * (len(names) + 1)}")
        means = (np.mean([draw[name] for draw in measured]) for name in names)
        print(f"| {title} | {' | '.join(f'{m:.3f}' for m in means)} |", flush=True)


def class_numbers(validation_labels, validation, labels, probabilities):
    """AUC and weighted F1 of one scorer, by where the threshold comes from."""
    chosen = choose_threshold(validation_labels, validation)
    false, true, cuts = roc_curve(labels, probabilities)
    thresholds = {
        "validation threshold": choose_threshold(validation_labels, validation),
        **{f"at {cut}": cut for cut in HAND_PICKED},
        "best on test": cuts[np.argmax(true - false)],
    }
    hard = {
        f"hard AUC, {name}": classification_metrics(labels, probabilities, cut, "paper")
        for name, cut in thresholds.items()
    }
    chosen = hard["hard AUC, validation threshold"]
    best = choose_threshold(labels, probabilities)
    best = classification_metrics(labels, probabilities, best)
    return {
        "AUC (strict)": best["auc"],
        **{name: metrics["auc"] for name, metrics in hard.items()},
        "F1, validation threshold": chosen["weighted_f1"],
        "F1, best on test": best["weighted_f1"],
    }


def constructed_ranks():
    generator = np.random.default_rng(0)
    for title, (num_songs, ks) in SONGS.items():
        is_match = np.eye(num_songs, dtype=bool)
        noise = generator.normal(size=is_match.shape)
        retrieval_header(f"{title}, {num_songs} songs", ks)
        judge_ranks("constant", np.zeros(is_match.shape), is_match, ks)
        judge_ranks("random", noise, is_match, ks)
        judge_ranks("random, half of it saturated", saturated(noise), is_match, ks)
        judge_ranks("informed", noise + 2.0 * is_match, is_match, ks)
        informed = 50.0 * (noise + 2.0 * is_match)
        judge_ranks("informed, scores times 50", informed, is_match, ks)


def constructed_classes():
    """Return draws of scorers on the class sizes of the paper's test split."""
    generator = np.random.default_rng(0)
    labels = np.repeat([0, 1], TEST_POSTS)

    def draws(information):
        for _ in range(DRAWS):
            logits = generator.normal(size=(2, len(labels))) + information * labels
            validation, test = 1 / (1 + np.exp(-logits))
            yield labels, validation, labels, test

    constant = np.full(len(labels), 0.6)
    return {
        "constant": [(labels, constant, labels, constant)],
        "random": draws(0.0),
        "weak": draws(0.3),
        "good": draws(1.5),
    }


def train(task):
    """Return the judge of a small model trained on the embedded data."""
    from keras_jtav.judging import JUDGES
    from keras_jtav.model import build_model
    from keras_jtav.preparation import prepare
    from keras_jtav.training import seed_everything
    from keras_jtav.transfer import train_phases

    config = preset_config(task, "small").override(TRAINING[task])
    seed_everything(config.train.seed)
    prepared = prepare(config, lambda items, total, title: items)
    models = build_model(config, prepared.spec, prepared.vocabulary.matrix)
    with tempfile.TemporaryDirectory() as folder:
        train_phases(
            config,
            models,
            prepared,
            None,
            Path(folder),
            lambda phase, epochs: [],
        )
    return JUDGES[task](models, prepared)


def trained_ranks():
    judge = train("retrieval")
    scores, is_match, ks = judge.scores("test"), judge.matches("test"), (1, 10)
    retrieval_header(f"trained here, {scores.shape[1]} songs", ks)
    judge_ranks("JTAV", scores, is_match, ks)
    judge_ranks("JTAV, scores times 10", 10 * scores, is_match, ks)


def trained_classes():
    """Return the one draw of a model trained here."""
    judge = train("sentiment")
    draw = [
        values
        for split in ("validation", "test")
        for values in (judge.labels(split), judge.probabilities(split))
    ]
    return {"JTAV, trained here": [draw]}


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--constructed", action="store_true", help="train nothing")
    with_models = not parser.parse_args().constructed
    constructed_ranks()
    if with_models:
        trained_ranks()
    judge_classes(constructed_classes() | (trained_classes() if with_models else {}))


if __name__ == "__main__":
    main()
