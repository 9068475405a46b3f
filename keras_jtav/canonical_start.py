"""Where the towers of retrieval start: at the canonical correlations of what they see.

Encoders hold much before they learn: word means, statistics of sound and picture,
features of a pretrained backbone. A linear match of these has a closed form, and a few
hundred pairs determine it better than gradient steps from a random start do. Training
goes on from there.
"""

from __future__ import annotations

from collections.abc import Mapping

import keras
import numpy as np

from keras_jtav.data.pipeline import PostFeatures
from keras_jtav.evaluation.cca import (
    canonical_maps,
    choose_ridge,
    cosines,
    principal_axes,
)
from keras_jtav.evaluation.pair_scores import as_arrays, encode
from keras_jtav.judging import RetrievalJudge
from keras_jtav.layers import Tower
from keras_jtav.preparation import Prepared

BATCH_SIZE = 32
STATISTICS_STEPS = 30
MAX_POSTS = 20_000
MAX_AXES = 2_000


def start_towers(
    models: Mapping[str, keras.Model], prepared: Prepared, keep: float
) -> None:
    """Set the statistics and the maps of both towers from the training posts.

    What stands beside their dot product starts at 0: it has learned nothing yet.

    Choice: the solution is the one for posts that show each modality with probability
    ``keep``, independently, and count as the mean where they do not. So a picture alone
    or a recording alone is matched too, though texts together explain most. The ridge
    is the one that ranks the validation songs best: songs whose kin were trained on
    want a small one, songs that were never seen a larger one.

    Args:
        models: What ``build_retrieval`` returned, with towers.
        prepared: The data of the run; of more than 20,000 training posts, evenly spaced
            ones are read.
        keep: Probability, above 0 and at most 1.
    """
    num_posts = len(prepared.posts["train"])
    rows = np.arange(0, num_posts, -(-num_posts // MAX_POSTS))
    judge = RetrievalJudge(models, prepared)
    queries, songs = judge.validation_rows(), judge.song_rows("validation")
    sides, views = [], []
    for side, asked in ("query", queries), ("song", songs):
        model = models[f"encode_{side}"]
        _settle_statistics(model, prepared.features["train"], rows)
        sides.append(_Side(model, f"{side}_tower", prepared.features["train"], rows))
        views.append(sides[-1].view(prepared.features["validation"], asked))
    axes = [principal_axes(side.covariance(side, keep), MAX_AXES) for side in sides]
    cross = sides[0].covariance(sides[1], keep)
    ridge = choose_ridge(
        lambda ridge: cosines(views, canonical_maps(*axes, cross, ridge)),
        judge.matches("validation", queries),
    )
    for side, mapping in zip(sides, canonical_maps(*axes, cross, ridge), strict=True):
        side.set_map(mapping)
    logit = models["score"].get_layer("head").get_layer("logit")
    logit.set_weights([np.zeros_like(weight) for weight in logit.get_weights()])


def _settle_statistics(
    model: keras.Model, features: PostFeatures, rows: np.ndarray
) -> None:
    """Let normalisation layers see enough batches to know their running statistics.

    Without, encoders would give other vectors after the first steps of training than
    those that the towers were set for.
    """
    names = [tensor.name for tensor in model.inputs]
    shuffled = np.random.default_rng(0).permutation(rows)
    drawn = np.resize(shuffled, STATISTICS_STEPS * BATCH_SIZE)
    for batch in features.encoding(names, BATCH_SIZE, drawn):
        model(as_arrays(batch), training=True)


class _Side:
    """The standardised vectors that a tower sees, modality by modality."""

    def __init__(
        self, model: keras.Model, name: str, features: PostFeatures, rows: np.ndarray
    ) -> None:
        self._tower: Tower = model.get_layer(name)
        inputs = dict(enumerate(self._tower.input))  # vectors first, then masks
        self._seen = keras.Model(model.inputs, {str(k): t for k, t in inputs.items()})
        seen = self._read(features, rows)
        for (vectors, present), standard in zip(
            seen, self._tower.standards, strict=True
        ):
            if present.any():
                shown = vectors[present]
                standard.set_weights([shown.mean(axis=0), shown.var(axis=0)])
        self.blocks = self._standardised(seen)

    def _read(
        self, features: PostFeatures, rows: np.ndarray
    ) -> list[tuple[np.ndarray, np.ndarray]]:
        """Return vectors ``(posts, dim)`` and a mask ``(posts,)`` of each modality."""
        names = [tensor.name for tensor in self._seen.inputs]
        seen = encode(self._seen, features.encoding(names, BATCH_SIZE, rows))
        half = len(seen) // 2
        return [
            (seen[str(index)], seen[str(index + half)].astype(bool))
            for index in range(half)
        ]

    def _standardised(
        self, seen: list[tuple[np.ndarray, np.ndarray]]
    ) -> list[np.ndarray]:
        """Return the vectors as the tower maps them; missing ones are zeros."""
        blocks = []
        for (vectors, present), standard in zip(
            seen, self._tower.standards, strict=True
        ):
            mean, variance = map(np.asarray, standard.get_weights())
            vectors = (vectors - mean) / np.sqrt(variance + standard.epsilon)
            blocks.append(np.where(present[:, None], vectors, 0))
        return blocks

    def view(self, features: PostFeatures, rows: np.ndarray) -> np.ndarray:
        """Return what the tower maps of other posts, ``(posts, dim)``."""
        return np.hstack(self._standardised(self._read(features, rows)))

    def covariance(self, other: _Side, keep: float) -> np.ndarray:
        """Return the expected products of coordinates, ``(dim, other dim)``."""
        num_posts = len(self.blocks[0])
        return np.block(
            [
                [
                    (keep if mine is its else keep**2) * mine.T @ its / num_posts
                    for its in other.blocks
                ]
                for mine in self.blocks
            ]
        )

    def set_map(self, mapping: np.ndarray) -> None:
        """Give each modality its rows of the map; missing directions are zeros.

        Choice: entries of root mean square 1. The tower's length is normalised, so this
        only decides how much a step of Adam turns it: little.
        """
        ends = np.cumsum([block.shape[1] for block in self.blocks])[:-1]
        units = self._tower.units
        mapping = mapping[:, :units] / np.sqrt(np.mean(mapping[:, :units] ** 2))
        parts = np.split(mapping, ends)
        for kernel, part in zip(self._tower.kernels, parts, strict=True):
            kernel.assign(np.pad(part, [(0, 0), (0, units - part.shape[1])]))
