from itertools import product
from types import SimpleNamespace

import keras
import numpy as np
import pytest

from keras_jtav import canonical_start
from keras_jtav.canonical_start import MEDIA_SHARES, start_towers
from keras_jtav.data.post import Post
from keras_jtav.evaluation.cca import (
    RIDGES,
    USUAL_RIDGE,
    RegularizedCCA,
    canonical_maps,
    principal_axes,
    ranks_best,
)
from keras_jtav.evaluation.ranks import rank_metrics
from keras_jtav.layers import Tower
from keras_jtav.tasks.heads import build_dense

DIMS = {"query": (6, 4), "song": (5, 3)}
POSTS, JUDGES, UNITS = 80, 40, 12
HIDDEN = list(product((0, 1), repeat=4))


class ReadyFeatures:
    """Stands in for ``PostFeatures``: arrays by name."""

    def __init__(self, arrays, first, last):
        self._arrays = {name: array[first:last] for name, array in arrays.items()}

    def encoding(self, names, batch_size, rows=None):
        for first in range(0, len(rows), batch_size):
            batch = rows[first : first + batch_size]
            yield {name: self._arrays[name][batch] for name in names}


def prepared(arrays):
    """Stand in for ``Prepared``: the last posts are the validation split."""
    splits = {"train": (0, POSTS), "validation": (POSTS, POSTS + JUDGES)}
    return SimpleNamespace(
        posts={
            split: [
                Post(str(row), {"lyrics": "la"}, song=str(row)) for row in range(*rows)
            ]
            for split, rows in splits.items()
        },
        features={s: ReadyFeatures(arrays, *rows) for s, rows in splits.items()},
    )


@pytest.fixture
def arrays():
    """Two modalities a side; the first ones share two directions, the others one."""
    rng = np.random.default_rng(7)
    count = POSTS + JUDGES
    hidden = rng.normal(size=(count, 3))
    arrays = {}
    for side, dims in DIMS.items():
        for index, dim in enumerate(dims):
            shared = hidden[:, 2 * index :][:, :2]
            mixing = rng.normal(size=(shared.shape[1], dim))
            noise = rng.normal(size=(count, dim))
            arrays[f"{side}_{index}"] = (5 + 3 * (shared @ mixing + noise)).astype("f4")
            arrays[f"{side}_mask_{index}"] = np.ones(count, bool)
    return arrays


def score_model():
    """Return what stands beside the towers, with weights that say something."""
    unified = keras.Input((3,))
    return keras.Model(unified, build_dense(3)(unified))


def started(arrays, keep):
    models = {"score": score_model()}
    for side, dims in DIMS.items():
        inputs = [keras.Input((d,), name=f"{side}_{i}") for i, d in enumerate(dims)]
        masks = [
            keras.Input((), dtype="bool", name=f"{side}_mask_{i}") for i in range(2)
        ]
        tower = Tower(UNITS, name=f"{side}_tower")(inputs, masks)
        models[f"encode_{side}"] = keras.Model([*inputs, *masks], tower)
    start_towers(models, prepared(arrays), keep)
    return models


def tower(models, side, arrays):
    model = models[f"encode_{side}"]
    return np.asarray(model([arrays[tensor.name] for tensor in model.inputs]))


def standardised(arrays, side):
    """Return the blocks of a side, in units of the training posts."""
    blocks = []
    for index in range(2):
        block = arrays[f"{side}_{index}"].astype("f8")
        present = arrays[f"{side}_mask_{index}"]
        shown = block[:POSTS][present[:POSTS]]
        mean, variance = shown.mean(axis=0), shown.var(axis=0)
        blocks.append((block - mean) / np.sqrt(variance + 1e-3) * present[:, None])
    return blocks


def weighted(blocks, share):
    """Return the view of a side whose first modality counts a share."""
    return np.hstack([share * blocks[0], *blocks[1:]])


SHARES = list(product(MEDIA_SHARES, repeat=2))
JUDGED = np.eye(JUDGES, dtype=bool)


@pytest.mark.parametrize("noise", [0, 20])
def test_towers_start_as_the_cca_that_is_best_on_validation(arrays, noise):
    for name in ("query_0", "song_0"):
        draw = np.random.default_rng(2).normal(size=arrays[name].shape)
        arrays[name] += (noise * draw).astype("f4")
    models = started(arrays, keep=1.0)
    scores = tower(models, "query", arrays) @ tower(models, "song", arrays).T
    blocks = [standardised(arrays, side) for side in DIMS]
    solutions = []
    for shares in SHARES:
        views = [weighted(b, share) for b, share in zip(blocks, shares, strict=True)]
        cca = RegularizedCCA(*(view[:POSTS] for view in views))
        judges = [view[POSTS:] for view in views]
        for ridge in RIDGES:
            merit = rank_metrics(cca.score(*judges, ridge), JUDGED)["mrr"]
            solutions.append((merit, cca.score(*views, ridge)))
    best = int(np.argmax([merit for merit, _ in solutions]))
    assert (best >= len(RIDGES)) == (noise > 0), "noise counts less"
    _, expected = solutions[best]
    np.testing.assert_allclose(scores, expected, atol=1e-4)


def test_keeping_half_is_the_cca_of_all_ways_to_hide(arrays):
    models = started(arrays, keep=0.5)
    scores = tower(models, "query", arrays) @ tower(models, "song", arrays).T
    blocks = {side: standardised(arrays, side) for side in DIMS}

    def score(option, rows):
        *shares, ridge = option
        views, whole = ([], []), []
        for view, side, share in zip(views, DIMS, shares, strict=True):
            whole.append(weighted(blocks[side], share))
            for hidden in HIDDEN:
                shown = hidden[:2] if side == "query" else hidden[2:]
                parts = [b * keep for b, keep in zip(blocks[side], shown, strict=True)]
                view.append(weighted(parts, share)[:POSTS])
        first, second = map(np.vstack, views)
        count = len(first)
        axes = [principal_axes(view.T @ view / count, 100) for view in (first, second)]
        maps = canonical_maps(*axes, first.T @ second / count, ridge)
        ends = [view[rows] @ m for view, m in zip(whole, maps, strict=True)]
        ends = [end / np.linalg.norm(end, axis=1, keepdims=True) for end in ends]
        return ends[0] @ ends[1].T

    options = [(*shares, ridge) for shares in SHARES for ridge in RIDGES]
    option = ranks_best(
        options,
        lambda option: score(option, slice(POSTS, None)),
        JUDGED,
        usual=(1.0, 1.0, USUAL_RIDGE),
    )
    np.testing.assert_allclose(scores, score(option, slice(None)), atol=1e-4)


def test_missing_modalities_do_not_spoil_the_start(arrays, monkeypatch):
    monkeypatch.setattr(canonical_start, "RIDGES", (USUAL_RIDGE,))
    monkeypatch.setattr(canonical_start, "MEDIA_SHARES", (1.0,))

    def scores():
        models = started(arrays, keep=0.5)
        return tower(models, "query", arrays) @ tower(models, "song", arrays).T

    clean = scores()
    mask = arrays["song_mask_1"]
    mask[::10] = False
    arrays["song_1"][~mask] = 1e5
    assert np.corrcoef(scores()[:, mask].ravel(), clean[:, mask].ravel())[0, 1] > 0.98


def test_a_modality_that_no_post_has_is_left_out(arrays):
    arrays["query_mask_1"][:] = False
    models = started(arrays, keep=0.5)
    kernel = models["encode_query"].get_layer("query_tower").kernels[1]
    np.testing.assert_allclose(kernel, 0, atol=1e-12)
    assert np.isfinite(tower(models, "query", arrays)).all()


def test_normalisation_layers_know_their_statistics_before_the_towers_are_set(arrays):
    models = {"score": score_model()}
    for side, dims in DIMS.items():
        vector = keras.Input((dims[0],), name=f"{side}_0")
        mask = keras.Input((), dtype="bool", name=f"{side}_mask_0")
        normal = keras.layers.BatchNormalization(momentum=0.9, name="normal")(vector)
        tower = Tower(UNITS, name=f"{side}_tower")([normal], [mask])
        models[f"encode_{side}"] = keras.Model([vector, mask], tower)
    start_towers(models, prepared(arrays), keep=1.0)
    for side in DIMS:
        normal = models[f"encode_{side}"].get_layer("normal")
        seen = arrays[f"{side}_0"][:POSTS]
        mean, deviation = seen.mean(axis=0), seen.std(axis=0)
        np.testing.assert_allclose(normal.moving_mean, mean, atol=0.3 * deviation.min())
        np.testing.assert_allclose(np.sqrt(normal.moving_variance), deviation, rtol=0.2)


def test_what_stands_beside_the_towers_starts_at_zero_and_can_learn(arrays):
    score = started(arrays, keep=1.0)["score"]
    unified = np.random.default_rng(0).normal(size=(8, 3)).astype("f4")
    assert not np.asarray(score(unified)).any()
    score.compile("sgd", loss="mse")
    score.fit(unified, unified[:, 0], epochs=2, verbose=0)
    assert np.asarray(score(unified)).any()
