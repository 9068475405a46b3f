"""Baselines that stand beside the network in every table.

They see the same parts of the same training posts and nothing else; the matching of
letters, which learns nothing, counts how rare letters are in what it matches. A network
that does not beat them has not earned its training time.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import combinations

import numpy as np
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import log_loss
from sklearn.model_selection import StratifiedGroupKFold

from keras_jtav.config import MODALITIES
from keras_jtav.data.pairs import first_rows_of_songs
from keras_jtav.data.post import PARTS_OF, Post
from keras_jtav.evaluation.cca import (
    RIDGES,
    USUAL_RIDGE,
    RegularizedCCA,
    ranks_best,
)
from keras_jtav.evaluation.simple_features import SimpleFeatures, character_vectorizer

PENALTIES = (1e-3, 1e-2, 1e-1, 1.0)  # scikit-learn's C: small is strict
INNER_FOLDS = 3
MAX_DEVIATIONS = 5.0  # a rare "missing" column would dwarf all others


def logistic_regression_baseline(
    train: Sequence[Post],
    test: Sequence[Post],
    modalities: Iterable[str] = MODALITIES,
    features: SimpleFeatures | None = None,
) -> dict[str, np.ndarray]:
    """Fit logistic regressions on simple features of every subset of modalities.

    Features are standardised; the penalty is chosen by cross-validated log loss
    inside the training posts, whose groups stay together.

    Args:
        train: Posts with labels of both classes.
        test: Posts to judge. Give validation and test posts together to choose a
            threshold on the first and report on the second.
        modalities: Which of text, audio and image to use.
        features: Fitted on ``train``; shared between calls, files are decoded once.

    Returns:
        ``{"text": (posts,), ..., "text+audio+image": (posts,)}``, probabilities of
        class 1, the smallest subsets first.

    Raises:
        ValueError: Training labels of one class, or posts without a label.
    """
    labels = np.array([post.label for post in train])
    if set(labels.tolist()) != {0, 1}:
        found = sorted(map(str, set(labels.tolist())))
        raise ValueError(
            "`train` must have posts of label 0 and of label 1 and no others; received "
            f"labels {', '.join(found) or 'of no post'}."
        )
    features = features or SimpleFeatures(train)
    blocks = {
        modality: _standardized(features, PARTS_OF[modality], train, test)
        for modality in modalities
    }
    subsets = [
        subset
        for size in range(len(blocks))
        for subset in combinations(blocks, size + 1)
    ]
    folds = _inner_folds(labels, [post.group_key for post in train])
    return {
        "+".join(subset): _fit_and_predict(
            np.hstack([blocks[modality][0] for modality in subset]),
            labels,
            np.hstack([blocks[modality][1] for modality in subset]),
            folds,
        )
        for subset in subsets
    }


def cca_baseline(
    train: Sequence[Post],
    validation: Sequence[Post],
    queries: Sequence[Post],
    songs: Sequence[Post],
    query_parts: Sequence[str] = ("image", "caption"),
    song_parts: Sequence[str] = ("audio", "lyrics"),
    features: SimpleFeatures | None = None,
) -> np.ndarray:
    """Score songs for queries by regularised CCA on simple features.

    The ridge is the one with the best mean reciprocal rank on the validation posts.

    Args:
        train: Posts whose query and song belong together.
        validation: Posts with songs, candidates being their own songs; may be empty.
        queries: Posts whose query parts are taken.
        songs: Posts whose song parts are taken, one for each candidate.
        query_parts: Of lyrics, caption, audio and image.
        song_parts: Of the same.
        features: Fitted on ``train``; shared between calls, files are decoded once.

    Returns:
        ``(queries, songs)``, cosine similarities.

    Raises:
        ValueError: No training posts, or a validation post without a song.
    """
    if not train:
        raise ValueError("`train` must have at least one post; received none.")
    features = features or SimpleFeatures(train)
    candidates = [validation[row] for row in first_rows_of_songs(validation)]
    x_train, x_validation, x_test = _standardized(
        features, query_parts, train, validation, queries
    )
    y_train, y_validation, y_test = _standardized(
        features, song_parts, train, candidates, songs
    )
    model = RegularizedCCA(x_train, y_train)
    asked = np.array([post.song for post in validation])
    ridge = ranks_best(
        RIDGES,
        lambda ridge: model.score(x_validation, y_validation, ridge),
        asked[:, None] == np.array([post.song for post in candidates]),
        USUAL_RIDGE,
    )
    return model.score(x_test, y_test, ridge)


def character_matching_scores(
    captions: Sequence[str], lyrics: Sequence[str]
) -> np.ndarray:
    """Score songs by the letters that a caption shares with the lyrics.

    Shows how far cognates and names carry without understanding anything.

    Args:
        captions: Of the queries; empty is missing.
        lyrics: Of the songs.

    Returns:
        ``(queries, songs)``, cosine of TF-IDF weighted character 2- to 4-grams.

    Example:
        >>> scores = character_matching_scores(["Elefant"], ["a dog", "an elephant"])
        >>> scores.argmax(axis=1).tolist()
        [1]
    """
    texts = [*captions, *lyrics]
    if not any(text.strip() for text in texts):
        return np.zeros((len(captions), len(lyrics)))
    vectorizer = character_vectorizer().fit(texts)
    shared = vectorizer.transform(captions) @ vectorizer.transform(lyrics).T
    return shared.toarray()


def _standardized(
    features: SimpleFeatures, parts: Sequence[str], train: Sequence[Post], *others
) -> list[np.ndarray]:
    """Return ``(posts, dim)`` of each list, in units of the training posts."""
    sizes = [len(train), *map(len, others)]
    posts = [post for group in (train, *others) for post in group]
    table = np.hstack([features.part(part, posts) for part in parts])
    reference = table[: len(train)]
    deviation = reference.std(axis=0)
    deviation[deviation < 1e-9] = 1.0
    table = (table - reference.mean(axis=0)) / deviation
    table = np.clip(table, -MAX_DEVIATIONS, MAX_DEVIATIONS)
    return np.split(table, np.cumsum(sizes)[:-1])


def _inner_folds(
    labels: np.ndarray, groups: Sequence[str]
) -> list[tuple[np.ndarray, np.ndarray]]:
    """Return the folds in which both sides have both classes."""
    per_class = [len({groups[i] for i in np.flatnonzero(labels == c)}) for c in (0, 1)]
    if min(per_class) < INNER_FOLDS:
        return []
    splitter = StratifiedGroupKFold(INNER_FOLDS, shuffle=True, random_state=0)
    folds = splitter.split(labels, labels, groups)
    return [
        (fit, judge)
        for fit, judge in folds
        if len(set(labels[fit])) == 2 and len(set(labels[judge])) == 2
    ]


def _fit_and_predict(
    table: np.ndarray,
    labels: np.ndarray,
    new_table: np.ndarray,
    folds: list[tuple[np.ndarray, np.ndarray]],
) -> np.ndarray:
    losses = np.zeros(len(PENALTIES))
    for fit, judge in folds:
        model = LogisticRegression(max_iter=1000, tol=1e-3, warm_start=True)
        for index, penalty in enumerate(PENALTIES):
            model.set_params(C=penalty).fit(table[fit], labels[fit])
            losses[index] += log_loss(labels[judge], model.predict_proba(table[judge]))
    best = PENALTIES[int(np.argmin(losses))] if folds else 1e-2
    model = LogisticRegression(C=best, max_iter=1000, tol=1e-3)
    return model.fit(table, labels).predict_proba(new_table)[:, 1]
