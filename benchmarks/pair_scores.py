"""Scores of all pairs: shared nodes, the direct form, and encoding every pair again.

The sizes are those of the paper's section-sign split, 620 queries and 620 songs, and
300 for all vectors; with captions, those of the small preset. ``python
benchmarks/pair_scores.py`` takes about five minutes.
"""

import os
import time

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import keras
import numpy as np
import tensorflow as tf
from timing import alone, cell, in_turns, ratio

from keras_jtav.evaluation import pair_scores as scoring
from keras_jtav.evaluation.pair_scores import pair_scores, take
from keras_jtav.experiments import preset_config
from keras_jtav.features.spec import FeatureSpec
from keras_jtav.layers.position_logits import using_nodes
from keras_jtav.model import build_model

QUERIES = SONGS = 620
DIM = 300
SAMPLE = 8  # queries of the direct form
PAIRS_ENCODED_AGAIN = 16
WITH_CAPTIONS = 128  # queries, each with a caption of its own, and songs
SHORT_WORDS = 12
ROUNDS = 5
VOCABULARY = 2000
SETTINGS = (
    "text.units=150",
    "audio.dim=300",
    "image.dim=300",
    "image.weights=none",
    "fusion.attention_units=300",
    f"features.vocabulary_size={VOCABULARY}",
)


def build(*settings):
    config = preset_config("retrieval").override([*SETTINGS, *settings])
    spec = FeatureSpec.from_options(config.features)
    keras.utils.set_random_seed(0)
    models = build_model(config, spec)
    for layer in models["score"].get_layer("fusion").layers:
        for weight in layer.weights:
            if weight.name == "context":  # attention that is not nearly flat
                weight.assign(10 * weight)
    return models, spec


def random_encodings(models, spec, queries, songs, captions=False):
    """Return encodings of no real item: scoring takes as long for them as for any."""
    rng = np.random.default_rng(0)

    def draw(model, rows):
        arrays = {}
        for name, tensor in model.output.items():
            shape = (rows, *tensor.shape[1:])
            if name.endswith("_present"):
                arrays[name] = np.ones(shape, bool)
            elif "words" in name:
                arrays[name] = rng.integers(1, spec.embedding_rows, shape, "int32")
            else:
                arrays[name] = rng.normal(size=shape).astype("float32")
        return arrays

    asked = draw(models["encode_query"], queries)
    if not captions:
        asked["supporting_words"][:] = 0
    return asked, draw(models["encode_song"], songs)


def one_by_one(models, queries, songs):
    """Score every pair by the compiled model of one pair."""
    shared = scoring.can_share
    scoring.can_share = lambda fusion: False
    try:
        return pair_scores(models, queries, songs)
    finally:
        scoring.can_share = shared


def in_float64(models, queries, songs):
    """Return the logits of a few pairs by Eq. 3, term by term, in float64."""
    score = models["score"]
    text = models["encode_text"].predict_on_batch(
        {
            "words": songs["words"],
            "supporting_words": np.zeros_like(
                queries["supporting_words"][:1].repeat(len(songs["words"]), axis=0)
            ),
        }
    )["text_vector"]
    vectors = {
        "text": text[None].astype("float64"),
        "audio": songs["audio_vector"][None].astype("float64"),
        "image": queries["image_vector"][:, None].astype("float64"),
    }
    vectors = {
        name: vector / np.linalg.norm(vector, axis=-1, keepdims=True)
        for name, vector in vectors.items()
    }
    fusion = score.get_layer("fusion")
    parts = []
    size = (len(queries["image_vector"]), len(text))
    for m, n in (("text", "image"), ("text", "audio"), ("audio", "image")):
        layer = fusion.get_layer(f"{m}_{n}")
        for pooling, one, other in (
            (layer.row_pooling, vectors[m], vectors[n]),
            (layer.column_pooling, vectors[n], vectors[m]),
        ):
            one, other = (np.broadcast_to(v, (*size, DIM)) for v in (one, other))
            parts.append(pool(pooling, one, other))
    kernel, bias = fusion.get_layer("reduce").get_weights()
    u = np.maximum(np.concatenate(parts, axis=-1) @ kernel + bias, 0)
    for layer in score.get_layer("head").layers:
        if layer.weights:
            kernel, bias = layer.get_weights()
            u = u @ kernel.astype("float64") + bias
            u = np.maximum(u, 0) if layer.name == "hidden" else u
    return u[..., 0]


def pool(pooling, m, n):
    kernel, bias, context, output_kernel, output_bias = (
        weight.astype("float64") for weight in pooling.get_weights()
    )
    result = np.empty(m.shape)
    for row in np.ndindex(m.shape[:2]):
        latent = np.tanh(n[row][:, None] * (m[row] @ kernel) + bias)
        logits = (latent @ context)[:, 0]
        alpha = np.exp(logits - logits.max())
        gate = n[row] @ (alpha / alpha.sum())
        result[row] = np.tanh(gate * m[row] @ output_kernel + output_bias)
    return result


def encode_again(models, spec):
    """Return what encodes and scores some pairs, each from its own features."""
    rng = np.random.default_rng(0)
    sides = [models["encode_query"], models["encode_song"]]
    batch = {}
    for tensor in (tensor for model in sides for tensor in model.inputs):
        shape = (PAIRS_ENCODED_AGAIN, *(size or 1 for size in tensor.shape[1:]))
        if tensor.dtype == "bool":
            batch[tensor.name] = np.ones(shape, bool)
        elif "words" in tensor.name:
            batch[tensor.name] = rng.integers(1, spec.embedding_rows, shape, "int32")
        elif tensor.dtype == "uint8":
            batch[tensor.name] = rng.integers(0, 256, shape).astype("uint8")
        else:
            batch[tensor.name] = rng.normal(size=shape).astype("float32")

    def run():
        pairs = {}
        for model in sides:
            wanted = {tensor.name: batch[tensor.name] for tensor in model.inputs}
            pairs |= model.predict_on_batch(wanted)
        words = {n: pairs.pop(n) for n in ("words", "supporting_words")}
        pairs |= models["encode_text"].predict_on_batch(words)
        return models["score"].predict_on_batch(pairs)

    return run


def score_all(queries, songs):
    """Return the seconds that items take which were made up, for ``alone``."""
    models, spec = build()
    items = random_encodings(models, spec, queries, songs)
    pair_scores(models, *random_encodings(models, spec, 1, 1))
    start = time.perf_counter()
    pair_scores(models, *items)
    return time.perf_counter() - start


def with_captions():
    """Print the time of a pair where every query reads the lyrics in its own way."""
    config = preset_config("retrieval", "small")
    spec = FeatureSpec.from_options(config.features)
    models = build_model(config, spec)
    queries, songs = random_encodings(
        models, spec, WITH_CAPTIONS, WITH_CAPTIONS, captions=True
    )
    short = {**songs, "words": songs["words"].copy()}
    short["words"][:, SHORT_WORDS:] = 0
    seconds = in_turns(
        {
            spec.words: lambda: pair_scores(models, queries, songs),
            SHORT_WORDS: lambda: pair_scores(models, queries, short),
        },
        ROUNDS,
    )
    print(f"\n{WITH_CAPTIONS} x {WITH_CAPTIONS} pairs with captions, small preset")
    for words, times in seconds.items():
        per_pair = [s / WITH_CAPTIONS**2 for s in times]
        print(f"  lyrics of {words} words: {cell(per_pair, 1e6)} microseconds a pair")


def main():
    models, spec = build()
    queries, songs = random_encodings(models, spec, QUERIES, SONGS)
    sample = take(queries, np.arange(SAMPLE))
    print(
        f"{QUERIES} x {SONGS} pairs, d = k = {DIM}, no captions, float32, "
        f"{os.cpu_count()} CPU cores, TensorFlow {tf.__version__}"
    )

    def all_pairs():
        return pair_scores(models, queries, songs)

    def direct():
        with using_nodes(()):
            return one_by_one(models, sample, songs)

    direct()  # traces without nodes
    seconds = in_turns({"shared": all_pairs, "direct": direct}, ROUNDS)
    pairs = {"shared": QUERIES * SONGS, "direct": SAMPLE * SONGS}
    per_pair = {n: [s / pairs[n] for s in times] for n, times in seconds.items()}
    print("\nmicroseconds a pair: median (least to most) of", ROUNDS, "rounds")
    print(f"  nodes shared by all pairs      {cell(per_pair['shared'], 1e6)}")
    print(f"  direct form, {SAMPLE} of the queries  {cell(per_pair['direct'], 1e6)}")
    print(f"  ratio {ratio(per_pair['direct'], per_pair['shared']):.1f}")

    few = take(queries, np.arange(4)), take(songs, np.arange(30))
    exact = in_float64(models, *few)
    shared = all_pairs()[:4, :30]
    print(f"\nlargest difference to float64: {np.abs(shared - exact).max():.1e}")

    encode = encode_again(models, spec)
    again = in_turns({"again": encode}, 3)["again"]
    again = [s / PAIRS_ENCODED_AGAIN for s in again]
    print("\nencoding every pair again, milliseconds a pair:", cell(again))
    print(f"  ratio to scoring {ratio(again, per_pair['shared']):.0f}")

    with_captions()

    print("\nseconds, and peak of memory of the whole process")
    for size in ((155, 620), (310, 620), (620, 620), (1240, 620), (620, 1240)):
        taken, peak = alone(score_all, *size)
        print(f"  {size[0]} x {size[1]}: {taken:.1f} s, {peak:.0f} MiB")


if __name__ == "__main__":
    main()
