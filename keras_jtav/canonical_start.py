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
from keras_jtav.evaluation.cca import canonical_maps, principal_axes
from keras_jtav.evaluation.pair_scores import as_arrays, encode
from keras_jtav.layers import Tower

BATCH_SIZE = 32
STATISTICS_STEPS = 30
MAX_POSTS = 20_000
MAX_AXES = 2_000


def start_towers(
    models: Mapping[str, keras.Model],
    features: PostFeatures,
    num_posts: int,
    keep: float,
    ridge: float,
) -> None:
    """Set the statistics and the maps of both towers from the training posts.

    Choice: the solution is the one for posts that show each modality with probability
    ``keep``, independently, and count as the mean where they do not. So a picture alone
    or a recording alone is matched too, though texts together explain most.

    Args:
        models: What ``build_retrieval`` returned, with towers.
        features: Of the training posts.
        num_posts: Their number; of more than 20,000, evenly spaced ones are read.
        keep: Probability, above 0 and at most 1.
        ridge: See ``canonical_maps``; above 0.
    """
    rows = np.arange(0, num_posts, -(-num_posts // MAX_POSTS))
    sides = []
    for side in ("query", "song"):
        model = models[f"encode_{side}"]
        _settle_statistics(model, features, rows)
        sides.append(_Side(model, f"{side}_tower", features, rows))
    axes = [principal_axes(side.covariance(side, keep), MAX_AXES) for side in sides]
    cross = sides[0].covariance(sides[1], keep)
    for side, mapping in zip(sides, canonical_maps(*axes, cross, ridge), strict=True):
        side.set_map(mapping)


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
        names = [tensor.name for tensor in model.inputs]
        seen = encode(
            keras.Model(model.inputs, {str(key): t for key, t in inputs.items()}),
            features.encoding(names, BATCH_SIZE, rows),
        )
        half = len(inputs) // 2
        self.blocks = []
        for index, standard in enumerate(self._tower.standards):
            vectors, present = seen[str(index)], seen[str(index + half)].astype(bool)
            if not present.any():
                self.blocks.append(np.zeros_like(vectors))
                continue
            mean, variance = vectors[present].mean(axis=0), vectors[present].var(axis=0)
            standard.set_weights([mean, variance])
            vectors = (vectors - mean) / np.sqrt(variance + standard.epsilon)
            self.blocks.append(vectors * present[:, None])

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
