"""Whether explanations are true: planted signals, and deletion against chance.

A small model is trained on the embedded data's variants in which one part alone shows
the mood, and on the plain data. Of the first: the share of a part in the absolute
Shapley values, over 100 test posts. Of all: what the logit loses when the words,
frequency bands or places with the largest effects are deleted, beside as many random
ones of the same post, over up to 100 posts that are answered with the second class.
"""

import argparse
import os
import tempfile
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import numpy as np
import tensorflow as tf
from scipy.stats import ttest_rel
from tqdm import tqdm

from keras_jtav.attribution import Explainer
from keras_jtav.experiments import preset_config
from keras_jtav.preparation import usable_splits
from keras_jtav.running import run
from keras_jtav.serving.predictor import Predictor

POSTS = 100
PARTS = {"text": "text", "sound": "audio", "picture": "image"}
DELETED = {"text": "words", "sound": "bands", "picture": "places"}
WORDS, BANDS, GRID, PLACES = 5, 8, 4, 4
SEED = 0


def train(variant, folder):
    """Train and export; return the explainer and the test posts."""
    settings = [
        *(f"dataset.variant={variant}", "dataset.missing=0"),
        "data.fractions=[0.7,0.1,0.2]",  # half of 240 test posts are of each class
    ]
    config = preset_config("sentiment", "small").override(settings)
    result = run(config, folder / "runs", folder / "exports")
    _, splits = usable_splits(config)
    return Explainer(Predictor(result.exported)), splits["test"]


def shares(explainer, posts):
    """Return each part's share in the absolute Shapley values, (posts, parts)."""
    rows = []
    for post in tqdm(posts[:POSTS], "parts"):
        parts = explainer.parts(post)
        size = np.abs([parts[name] for name in PARTS.values()])
        rows.append(size / size.sum())
    return np.array(rows)


def deletions(explainer, posts, kinds):
    """Return what the logit loses by deleting the top and random ones, by kind."""
    draw = np.random.default_rng(SEED)
    losses = {kind: [] for kind in kinds}
    network = explainer.network
    for post in tqdm(posts, "deletions"):
        if len(losses[kinds[0]]) == POSTS:
            break
        features, _ = network.features([post])
        logit = float(network.logits(features)[0])
        if logit <= 0:
            continue
        explanation = explainer.explain(post)
        own = [w.effect for w in explanation.words if w.role == "words"]
        bands = np.sum(explanation.sound.effect, axis=0)
        heat = np.array(explanation.picture)
        places = cells(heat)
        for kind, effect, count, delete in (
            ("words", np.array(own), WORDS, without_words),
            ("bands", bands, BANDS, without_bands),
            ("places", places, PLACES, without_places),
        ):
            if kind not in kinds:
                continue
            top = np.argsort(-effect)[:count]
            random = draw.permutation(len(effect))[: len(top)]
            losses[kind].append(
                [
                    logit - float(network.logits(delete(features, chosen))[0])
                    for chosen in (top, random)
                ]
            )
    return {kind: np.array(pairs) for kind, pairs in losses.items()}


def cells(heat):
    """Return the mean of a map in each of 4 x 4 cells, (16,)."""
    heat = tf.image.resize(heat[..., None], (GRID * 4, GRID * 4)).numpy()[..., 0]
    return heat.reshape(GRID, 4, GRID, 4).mean(axis=(1, 3)).ravel()


def without_words(features, chosen):
    words = features["words"].numpy()
    words[:, chosen] = 0
    return {**features, "words": tf.constant(words)}


def without_bands(features, chosen):
    spectrogram = features["spectrogram"].numpy()
    spectrogram[..., chosen] = 0
    return {**features, "spectrogram": tf.constant(spectrogram)}


def without_places(features, chosen):
    """Fill places with the picture's mean colour."""
    image = features["image"].numpy()
    side = image.shape[1] // GRID
    mean = image.mean(axis=(1, 2)).astype("uint8")
    for place in chosen:
        row, column = (side * index for index in divmod(int(place), GRID))
        image[:, row : row + side, column : column + side] = mean
    return {**features, "image": tf.constant(image)}


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--variants", nargs="+", default=[*PARTS, "moods"])
    options = parser.parse_args()
    lines = []
    with tempfile.TemporaryDirectory() as folder:
        for variant in options.variants:
            explainer, posts = train(variant, Path(folder) / variant)
            if variant in PARTS:
                mean = shares(explainer, posts).mean(axis=0)
                named = zip(PARTS.values(), mean, strict=True)
                shown = ", ".join(f"{name} {share:.3f}" for name, share in named)
                lines.append(f"only {variant} shows the mood: mean shares {shown}")
                kinds = [DELETED[variant]]
            else:
                kinds = list(DELETED.values())
            for kind, pairs in deletions(explainer, posts, kinds).items():
                test = ttest_rel(*pairs.T, alternative="greater")
                top, random = pairs.mean(axis=0)
                deviation = np.diff(pairs).std(ddof=1)
                lines.append(
                    f"{variant}, {kind}, {len(pairs)} posts: the logit loses {top:.3f} "
                    f"by the top ones, {random:.3f} by random ones; standard deviation "
                    f"of the difference {deviation:.3f}, p {test.pvalue:.1e}"
                )
    print("\n".join(lines))


if __name__ == "__main__":
    main()
