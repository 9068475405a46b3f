"""Where the towers of retrieval start: at the canonical correlations of what they see.

Encoders hold much before they learn: word means, statistics of sound and picture,
features of a pretrained backbone. A linear match of these has a closed form, and a few
hundred pairs determine it better than gradient steps from a random start do. Training
goes on from there.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import product

import keras
import numpy as np

from keras_jtav.data.pipeline import PostFeatures
from keras_jtav.evaluation.cca import (
    RIDGES,
    USUAL_RIDGE,
    PrincipalAxes,
    canonical_maps,
    cosines,
    principal_axes,
    ranks_best,
)
from keras_jtav.evaluation.pair_scores import as_arrays, encode
from keras_jtav.judging import RetrievalJudge
from keras_jtav.layers import Tower
from keras_jtav.preparation import Prepared
from keras_jtav.training import show_batches

BATCH_SIZE = 32
STATISTICS_STEPS = 30
MAX_POSTS = 20_000
MAX_AXES = 2_000
MEDIA_SHARES = (1.0, 0.3)


def start_towers(
    models: Mapping[str, keras.Model], prepared: Prepared, keep: float
) -> None:
    """Set the statistics and the maps of both towers from the training posts.

    What stands beside their dot product starts at 0: it has learned nothing yet.

    Choice: the solution is the one for posts that show each modality with probability
    ``keep``, independently, and count as the mean where they do not. So a picture alone
    or a recording alone is matched too, though texts together explain most. Two things
    are chosen together, as what ranks the validation songs best: the ridge, small for
    songs whose kin were trained on and larger for songs that were never seen, and
    whether a side's picture or sound counts as much as its text or less. Hundreds of
    coordinates that explain little drown a few that explain much.

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
    sides: list[_Side] = []
    views = []
    for side, asked in ("query", queries), ("song", songs):
        model = models[f"encode_{side}"]
        _settle_statistics(model, prepared.features["train"], rows)
        sides.append(_Side(model, f"{side}_tower", prepared.features["train"], rows))
        views.append(sides[-1].view(prepared.features["validation"], asked))
    match = _Match(sides, keep)
    choice = ranks_best(
        match.options,
        lambda option: cosines(views, match.maps(option)),
        judge.matches("validation", queries),
        usual=match.usual,
    )
    for side, mapping in zip(sides, match.maps(choice), strict=True):
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
    batches = features.encoding(names, BATCH_SIZE, drawn)
    show_batches(model, map(as_arrays, batches))


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

    @property
    def shares(self) -> tuple[float, ...]:
        """What the medium may count for; 1 where nothing stands beside it."""
        told = sum(bool(block.any()) for block in self.blocks)
        return MEDIA_SHARES if told > 1 else MEDIA_SHARES[:1]

    def weights(self, share: float) -> np.ndarray:
        """Return what each coordinate counts for, ``(dim,)``; a text comes last."""
        *media, last = (block.shape[1] for block in self.blocks)
        return np.repeat([share, 1.0], [sum(media), last])

    def axes(self, keep: float, share: float) -> PrincipalAxes:
        """Return the axes of what the tower sees, where the medium counts a share."""
        weights = self.weights(share)
        covariance = weights[:, None] * self.covariance(self, keep) * weights
        return principal_axes(covariance, MAX_AXES)

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


class _Match:
    """The maps in closed form of two sides, for each option there is.

    An option is the share of the query's picture, that of the song's sound, and the
    ridge.
    """

    def __init__(self, sides: Sequence[_Side], keep: float) -> None:
        self._sides = sides
        self._cross = sides[0].covariance(sides[1], keep)
        self._axes = [
            {share: side.axes(keep, share) for share in side.shares} for side in sides
        ]
        shares = product(*(side.shares for side in sides))
        self.options = [(*pair, ridge) for pair in shares for ridge in RIDGES]
        self.usual = (1.0, 1.0, USUAL_RIDGE)

    def maps(self, option: tuple[float, float, float]) -> list[np.ndarray]:
        """Return the maps of query and song, ``(dim, directions)`` each."""
        *shares, ridge = option
        axes = [known[share] for known, share in zip(self._axes, shares, strict=True)]
        first, second = (
            side.weights(share) for side, share in zip(self._sides, shares, strict=True)
        )
        cross = first[:, None] * self._cross * second
        maps = canonical_maps(*axes, cross, ridge)
        return [first[:, None] * maps[0], second[:, None] * maps[1]]
