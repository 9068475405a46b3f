"""One row of a table in one run: trained, judged, and told as lines of JSON."""

from __future__ import annotations

import json
import time
from collections.abc import Mapping
from pathlib import Path

import keras

from keras_jtav.config import Config
from keras_jtav.data.pairs import groups_of_songs
from keras_jtav.data.same_posts import split_hash
from keras_jtav.evaluation.classification import (
    choose_threshold,
    classification_metrics,
    guesses,
)
from keras_jtav.evaluation.cost import fusion_cost
from keras_jtav.evaluation.probe import probe
from keras_jtav.evaluation.ranks import PROTOCOLS, chance_ranks, placements
from keras_jtav.evaluation.stored_placements import store
from keras_jtav.judging import RetrievalJudge, SentimentJudge
from keras_jtav.model import build_model, resolved
from keras_jtav.preparation import Prepared, prepare, silent
from keras_jtav.process_memory import seldom_collected
from keras_jtav.reporting import RetrievalReport, simple_features
from keras_jtav.table_lines import refuse_other_split
from keras_jtav.training import release_models, seed_everything
from keras_jtav.transfer import pretrained_pictures, train_phases
from keras_jtav.versions import versions_of

SENTIMENT_METRICS = ("auc", "weighted_f1", "weighted_precision", "accuracy")
PACKAGES = ("keras-jtav", "keras", "tensorflow", "numpy", "scikit-learn")


@seldom_collected()
def measure(
    row: str, run: int, config: Config, table: Path, work: Path, baseline: str
) -> list[dict]:
    """Train one system; return its line and those of the guesses and the baselines.

    Args:
        row: What the system is called.
        run: Number of the run.
        config: Of the system in this run.
        table: Folder of the table, with the lines that are measured already.
        work: Folder for checkpoints.
        baseline: What CCA on what a retrieval system sees is called.

    Returns:
        Dicts that JSON takes, as ``compare`` reads them; the system's own is the last.

    Raises:
        ValueError: Lines that are measured already have another split.
    """
    start = time.monotonic()
    release_models()
    seed_everything(config.train.seed, config.train.jit)
    prepared = prepare(config, silent)
    split = split_hash(prepared.posts)
    settings = json.loads(resolved(config).to_json())
    refuse_other_split(table, settings, split)
    models = build_model(config, prepared.spec, prepared.vocabulary.matrix)
    pictures = pretrained_pictures(models, prepared, silent)
    history = train_phases(
        config, models, prepared, pictures, work, lambda phase, epochs: []
    )
    if config.task == "sentiment":
        measured = _probe_vectors(row, models, prepared)
    else:
        judge = RetrievalJudge(models, prepared)
        baselines_see = simple_features(prepared, pictures)
        report = RetrievalReport(judge, prepared, history, row, baselines_see)
        measured = _rank_songs(row, report, prepared, baseline)
        measured[row]["validation"] = max(epoch["val_mrr"] for epoch in history)
    measured[row]["modalities"] = "+".join(config.modalities)
    measured[row] |= {
        "parameters": models["train"].count_params(),
        **fusion_cost(models),
    }
    about = {
        "run": run,
        "seed": config.train.seed,
        "split": split,
        "posts": {name: len(posts) for name, posts in prepared.posts.items()},
        "seconds": round(time.monotonic() - start, 1),
        "versions": versions_of(PACKAGES),
        "backend": keras.backend.backend(),
        "devices": keras.distribution.list_devices(),
        "config": settings,
    }
    # Rows that began before this one, with other posts, may have ended meanwhile.
    refuse_other_split(table, settings, split)
    return [{"row": name, **result, **about} for name, result in measured.items()]


def _probe_vectors(row: str, models: Mapping, prepared: Prepared) -> dict[str, dict]:
    """Judge a system's vectors by a logistic regression, as Table 1 does."""
    judge = SentimentJudge(models, prepared)
    labels = {split: judge.labels(split) for split in prepared.posts}
    validation, test = probe(
        judge.vectors("train"),
        labels["train"],
        judge.vectors("validation"),
        judge.vectors("test"),
    )
    threshold = choose_threshold(labels["validation"], validation)
    own = {
        protocol: classification_metrics(labels["test"], test, threshold, protocol)
        for protocol in PROTOCOLS
    }
    guessed = guesses(labels["train"], labels["test"])
    by_row = {n: dict.fromkeys(PROTOCOLS, metrics) for n, metrics in guessed.items()}
    by_row[row] = own
    measured = {
        name: {
            "metrics": {
                protocol: {m: metrics[m] for m in SENTIMENT_METRICS}
                for protocol, metrics in protocols.items()
            }
        }
        for name, protocols in by_row.items()
    }
    chosen_by = classification_metrics(labels["validation"], validation)
    measured[row]["validation"] = chosen_by["auc"]
    return measured


def _rank_songs(
    row: str, report: RetrievalReport, prepared: Prepared, baseline: str
) -> dict[str, dict]:
    """Rank songs by a system's own scores, and by CCA on what the system sees."""
    groups = groups_of_songs(prepared.posts["test"])
    num_songs, ks = report.matches.shape[1], report.recall_at
    chance = {protocol: chance_ranks(num_songs, ks, protocol) for protocol in PROTOCOLS}
    measured: dict[str, dict] = {"chance": {"metrics": chance}}
    for shown, name in ((baseline, "CCA"), (row, row)):
        placed = {
            protocol: placements(report.scores[name], report.matches, protocol)
            for protocol in PROTOCOLS
        }
        measured[shown] = {
            "metrics": {p: report.metrics[p][name] for p in PROTOCOLS},
            "placements": store(placed, groups, ks),
        }
    return measured
