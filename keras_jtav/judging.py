"""How good a trained model is: on validation after every epoch, on test once.

The test split chooses nothing: the epoch is chosen on validation, and so is the
threshold of sentiment.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import keras
import numpy as np

from keras_jtav.data.pairs import first_rows_of_songs
from keras_jtav.evaluation.classification import classification_metrics
from keras_jtav.evaluation.pair_scores import encode, pair_scores
from keras_jtav.evaluation.ranks import rank_metrics
from keras_jtav.preparation import Prepared
from keras_jtav.training import Validation

BATCH_SIZE = 32


class SentimentJudge:
    """Runs a sentiment model over splits.

    Args:
        models: What ``build_model`` returned.
        prepared: The data of the run.
    """

    def __init__(self, models: Mapping[str, keras.Model], prepared: Prepared) -> None:
        self._model = models["train"]
        self._prepared = prepared
        self.validation = Validation(self._measure, "auc", higher_is_better=True)

    def labels(self, split: str) -> np.ndarray:
        """Return the labels of a split, int ``(posts,)``."""
        return np.array([post.label for post in self._prepared.posts[split]])

    def probabilities(self, split: str) -> np.ndarray:
        """Return the probabilities of class 1, float64 ``(posts,)``."""
        logits = encode(self._model, _batches(self._model, self._prepared, split))
        return 1 / (1 + np.exp(-logits.astype("float64")))

    def _measure(self) -> dict[str, float]:
        labels, probabilities = (
            self.labels("validation"),
            self.probabilities("validation"),
        )
        true = np.where(labels == 1, probabilities, 1 - probabilities)
        loss = -np.log(np.maximum(true, 1e-7)).mean()
        return {
            "loss": loss,
            "auc": classification_metrics(labels, probabilities)["auc"],
        }


class RetrievalJudge:
    """Runs a retrieval model over splits.

    Args:
        models: What ``build_model`` returned.
        prepared: The data of the run.
    """

    def __init__(self, models: Mapping[str, keras.Model], prepared: Prepared) -> None:
        self._models = models
        self._prepared = prepared
        self.validation = Validation(self._measure, "mrr", higher_is_better=True)

    def song_rows(self, split: str) -> np.ndarray:
        """Return the rows of the posts that stand for the songs, int ``(songs,)``."""
        return first_rows_of_songs(self._prepared.posts[split])

    def matches(self, split: str) -> np.ndarray:
        """Return which song is whose, bool ``(queries, songs)``."""
        songs = np.array([post.song for post in self._prepared.posts[split]])
        return songs[:, None] == songs[self.song_rows(split)]

    def scores(self, split: str) -> np.ndarray:
        """Return the logits of a split, float32 ``(queries, songs)``."""
        query_model = self._models["encode_query"]
        song_model = self._models["encode_song"]
        rows = self.song_rows(split)
        queries = encode(query_model, _batches(query_model, self._prepared, split))
        songs = encode(song_model, _batches(song_model, self._prepared, split, rows))
        return pair_scores(self._models, queries, songs)

    def _measure(self) -> dict[str, float]:
        return rank_metrics(self.scores("validation"), self.matches("validation"))


JUDGES = {"sentiment": SentimentJudge, "retrieval": RetrievalJudge}


def _batches(
    model: keras.Model,
    prepared: Prepared,
    split: str,
    rows: np.ndarray | None = None,
) -> Iterable:
    names = [tensor.name for tensor in model.inputs]
    return prepared.features[split].encoding(names, BATCH_SIZE, rows)
