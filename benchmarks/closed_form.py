"""What each choice in the towers' start is worth, on splits that chose nothing.

Stamps of tuxpaint, unseen items, ImageNet SqueezeNet. The start is a canonical
correlation analysis; its ridge is chosen on validation, and so is whether picture and
sound count as much as the words beside them. Both, one and none of these choices are
judged on test before any training, on seeds and splits that the package was not built
on (seeds 0 to 9 and 20 to 29 were looked at while it was), beside CCA on simple
features.

Needs the Debian package tuxpaint-stamps-default, and SqueezeNet's file (make weights).
``python benchmarks/closed_form.py`` takes about an hour on one slow core.
"""

import argparse
import logging
import os
import statistics
from unittest.mock import patch

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

from keras_jtav import canonical_start
from keras_jtav.evaluation.ranks import rank_metrics
from keras_jtav.experiments import preset_config
from keras_jtav.judging import RetrievalJudge
from keras_jtav.model import build_model
from keras_jtav.preparation import prepare, silent
from keras_jtav.reporting import RetrievalReport, simple_features
from keras_jtav.training import release_models, seed_everything
from keras_jtav.transfer import pretrained_pictures, with_backbone_features

SEEDS = range(10, 20)
SETTINGS = ("dataset=tuxpaint", "image=squeezenet", "features.image_size=224")
QUERIES = {"picture": "lyrics", "picture and caption": "lyrics,caption"}
FIXED_RIDGE = 3.0  # suits unseen items; chosen when there was one for all splits
CHOICES = {
    "nothing": {"RIDGES": (FIXED_RIDGE,), "MEDIA_SHARES": (1.0,)},
    "ridge": {"RIDGES": canonical_start.RIDGES, "MEDIA_SHARES": (1.0,)},
    "ridge and shares": {
        "RIDGES": canonical_start.RIDGES,
        "MEDIA_SHARES": canonical_start.MEDIA_SHARES,
    },
}


def recalls(texts, seed):
    """Return R@10 on the test split of CCA and of the start, choice by choice."""
    release_models()
    seed_everything(seed)
    config = preset_config("retrieval", "small").override(
        [
            *SETTINGS,
            *("image.weights=imagenet", f"data.texts={texts}"),
            *(f"train.seed={seed}", f"data.split_seed={seed}"),
        ]
    )
    whole = prepare(config, silent)
    models = build_model(config, whole.spec, whole.vocabulary.matrix)
    pictures = pretrained_pictures(models, whole, silent)
    prepared = with_backbone_features(whole, pictures)
    models = build_model(config, prepared.spec, prepared.vocabulary.matrix)
    judge = RetrievalJudge(models, prepared)
    found = {}
    for choice, options in CHOICES.items():
        with patch.multiple(canonical_start, **options):
            canonical_start.start_towers(
                models, prepared, 1 - config.train.modality_dropout
            )
        metrics = rank_metrics(judge.scores("test"), judge.matches("test"))
        found[choice] = metrics["R@10"]
    simple = simple_features(whole, pictures)
    report = RetrievalReport(judge, whole, [], "start", simple)
    return {"CCA": report.metrics["strict"]["CCA"]["R@10"], **found}


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seeds", type=int, nargs="+", default=list(SEEDS))
    seeds = parser.parse_args().seeds
    logging.getLogger("tensorflow").setLevel(logging.ERROR)  # advice on retracing
    for query, texts in QUERIES.items():
        print(f"\nquery: {query}; R@10, each seed with its own split")
        by_seed = [recalls(texts, seed) for seed in seeds]
        for name in by_seed[0]:
            values = [row[name] for row in by_seed]
            spread = statistics.stdev(values) if len(values) > 1 else 0.0
            each = " ".join(f"{value:.2f}" for value in values)
            print(
                f"  {name.ljust(18)}{statistics.mean(values):.3f} +- {spread:.3f}"
                f"   {each}",
                flush=True,
            )


if __name__ == "__main__":
    main()
