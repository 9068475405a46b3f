"""Which ways of joining two vectors can tell that they belong together?

Partners are ``m`` and ``n = rotation of m + noise``. Every form is trained on pairs,
each beside one false partner that is drawn anew in every epoch, and then places the
true partner of an unseen ``m`` among 100 unseen candidates. Both sides go through a
dense layer of their own first; only what joins them differs.

``python benchmarks/matching.py`` takes about ten minutes on one core.
"""

import argparse
import os
import time

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import keras
import numpy as np
from keras import layers, ops

from keras_jtav.evaluation.ranks import chance_ranks, rank_metrics
from keras_jtav.layers import CrossModalFusion

DIM, NOISE = 16, 0.3
TRAINING_PAIRS, CANDIDATES = 4000, 100
EPOCHS, BATCH, LEARNING_RATE = 25, 128, 2e-3
SIDE_UNITS, ATTENTION_UNITS, HEAD_UNITS = 64, 32, 10
KS = (1, 10)


def early(m, n):
    """Two dense layers on the concatenation."""
    return perceptron(layers.Concatenate()([m, n]))


def cmf_ap(wide_start=False, **kwargs):
    """Two dense layers on the reconstructed vectors of Eq. 3.

    With a wide start the attention begins far from a plain mean over coordinates: what
    it can represent is the same, what 25 epochs make of it is not.
    """

    def join(m, n):
        layer = CrossModalFusion(ATTENTION_UNITS, **kwargs)
        joined = layer([m, n])
        if wide_start:
            for pooling in (layer.row_pooling, layer.column_pooling):
                pooling.kernel.assign(5 * pooling.kernel)
                pooling.context.assign(5 * pooling.context)
                pooling.bias.assign(keras.random.normal(pooling.bias.shape, stddev=0.5))
        return perceptron(joined)

    return join


def bilinear(m, n):
    """A weighted sum of products of coordinates."""
    product = layers.Dense(SIDE_UNITS)(m) * layers.Dense(SIDE_UNITS)(n)
    return layers.Dense(1)(product)


def perceptron(joined):
    return layers.Dense(1)(layers.Dense(HEAD_UNITS, activation="relu")(joined))


ATTENTIONS = {
    "1 head": {},
    "8 heads": {"heads": 8},
    "1 head, positional bias": {"positional_bias": True},
    "8 heads, positional bias": {"heads": 8, "positional_bias": True},
}
FORMS = {
    "early fusion": early,
    **{f"CMF-AP, {name}": cmf_ap(**kwargs) for name, kwargs in ATTENTIONS.items()},
    **{
        f"CMF-AP, {name}, wide start": cmf_ap(wide_start=True, **kwargs)
        for name, kwargs in ATTENTIONS.items()
    },
    "bilinear product": bilinear,
}


def partners(num_pairs, seed):
    """Return ``m`` and its partner ``n``, float32 ``(pairs, DIM)`` each."""
    rotation, _ = np.linalg.qr(np.random.default_rng(0).normal(size=(DIM, DIM)))
    generator = np.random.default_rng(seed)
    m = generator.normal(size=(num_pairs, DIM))
    n = m @ rotation + NOISE * generator.normal(size=m.shape)
    return m.astype("float32"), n.astype("float32")


def build_scorer(form):
    m, n = keras.Input((DIM,)), keras.Input((DIM,))
    sides = (layers.Dense(SIDE_UNITS, activation="tanh")(side) for side in (m, n))
    return keras.Model([m, n], ops.squeeze(form(*sides), axis=-1))


def train(model, m, n, generator):
    model.compile(
        keras.optimizers.Adam(LEARNING_RATE),
        keras.losses.BinaryCrossentropy(from_logits=True),
    )
    labels = np.repeat([1.0, 0.0], len(m))
    for _ in range(EPOCHS):
        false = n[generator.permutation(len(n))]
        pairs = [np.concatenate([m, m]), np.concatenate([n, false])]
        model.fit(pairs, labels, batch_size=BATCH, verbose=0)


def measure(form, seed):
    """Train one scorer; return its metrics on partners that it has not seen."""
    keras.backend.clear_session()
    keras.utils.set_random_seed(seed)
    model = build_scorer(form)
    train(model, *partners(TRAINING_PAIRS, 1), np.random.default_rng(seed))
    m, n = partners(CANDIDATES, 2)
    pairs = [np.repeat(m, CANDIDATES, axis=0), np.tile(n, (CANDIDATES, 1))]
    scores = model.predict(pairs, batch_size=2048, verbose=0)
    scores = scores.reshape(CANDIDATES, CANDIDATES)
    return rank_metrics(scores, np.eye(CANDIDATES, dtype=bool), KS)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seeds", type=int, default=5, metavar="N", help="2 or more")
    seeds = parser.parse_args().seeds
    metrics = [*(f"R@{k}" for k in KS), "median_rank"]
    print(
        f"{TRAINING_PAIRS} training pairs, {EPOCHS} epochs, {CANDIDATES} unseen "
        f"candidates; mean +- standard deviation of {seeds} seeds\n\n"
        f"| joined by | {' | '.join(metrics)} | seconds a seed |\n"
        f"|{'---|' * (len(metrics) + 2)}"
    )
    chance = chance_ranks(CANDIDATES, KS)
    print(f"| chance | {' | '.join(f'{chance[name]:.3f}' for name in metrics)} | |")
    for name, form in FORMS.items():
        start = time.perf_counter()
        runs = [measure(form, seed) for seed in range(seeds)]
        seconds = (time.perf_counter() - start) / seeds
        values = [[run[metric] for run in runs] for metric in metrics]
        cells = [f"{np.mean(v):.3f} +- {np.std(v, ddof=1):.3f}" for v in values]
        print(f"| {name} | {' | '.join(cells)} | {seconds:.0f} |", flush=True)


if __name__ == "__main__":
    main()
