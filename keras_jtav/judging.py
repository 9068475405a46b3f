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
from keras_jtav.evaluation.pair_scores import Encodings, encode, pair_scores
from keras_jtav.evaluation.ranks import rank_metrics
from keras_jtav.preparation import Prepared
from keras_jtav.training_state import Validation

BATCH_SIZE = 32
# After every epoch each of so many queries is scored with every song of the split: the
# fusion runs once a pair, and all pairs of a large split would outlast the epoch.
MAX_VALIDATION_QUERIES = 200


class Judge:
    """Runs models over splits, from datasets that are made once.

    Args:
        models: What ``build_model`` returned.
        prepared: The data of the run.
    """

    def __init__(self, models: Mapping[str, keras.Model], prepared: Prepared) -> None:
        self._models = models
        self._prepared = prepared
        self._datasets: dict[tuple, Iterable] = {}

    def _encode(
        self, model: str, split: str, rows: np.ndarray | None = None
    ) -> Encodings | np.ndarray:
        """Return the outputs of a model for the given posts of a split, or for all."""
        key = (model, split, None if rows is None else rows.tobytes())
        if key not in self._datasets:  # to trace one takes longer than to read it
            names = [tensor.name for tensor in self._models[model].inputs]
            features = self._prepared.features[split]
            self._datasets[key] = features.encoding(names, BATCH_SIZE, rows)
        return encode(self._models[model], self._datasets[key])


class SentimentJudge(Judge):
    """Runs a sentiment model over splits.

    Args:
        models: What ``build_model`` returned.
        prepared: The data of the run.
    """

    def __init__(self, models: Mapping[str, keras.Model], prepared: Prepared) -> None:
        super().__init__(models, prepared)
        self.validation = Validation(self._measure, "auc", True, tie_breaker="loss")

    def labels(self, split: str) -> np.ndarray:
        """Return the labels of a split, int ``(posts,)``."""
        return np.array([post.label for post in self._prepared.posts[split]])

    def vectors(self, split: str) -> np.ndarray:
        """Return the unified vectors ``u`` of a split, float32 ``(posts, units)``."""
        return self._encode("encode", split)

    def probabilities(self, split: str) -> np.ndarray:
        """Return the probabilities of class 1, float64 ``(posts,)``."""
        logits = self._encode("train", split)
        if np.isnan(logits).any():
            post = self._prepared.posts[split][int(np.argmax(np.isnan(logits)))]
            raise ValueError(
                f"The score of post {post.id!r} of the {split} split (the first of "
                f"{np.isnan(logits).sum()}) is not a number: training diverged. Lower "
                "`train.learning_rate`."
            )
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


class RetrievalJudge(Judge):
    """Runs a retrieval model over splits.

    Args:
        models: What ``build_model`` returned.
        prepared: The data of the run.
    """

    def __init__(self, models: Mapping[str, keras.Model], prepared: Prepared) -> None:
        super().__init__(models, prepared)
        self.validation = Validation(self._measure, "mrr", higher_is_better=True)

    def song_rows(self, split: str) -> np.ndarray:
        """Return the rows of the posts that stand for the songs, int ``(songs,)``."""
        return first_rows_of_songs(self._prepared.posts[split])

    def matches(self, split: str, rows: np.ndarray | None = None) -> np.ndarray:
        """Return which song is whose, bool ``(queries, songs)``.

        Args:
            split: Name of the split.
            rows: The posts that are queries; by default all.
        """
        songs = np.array([post.song for post in self._prepared.posts[split]])
        asked = songs if rows is None else songs[rows]
        return asked[:, None] == songs[self.song_rows(split)]

    def scores(self, split: str, rows: np.ndarray | None = None) -> np.ndarray:
        """Return the logits of a split, float32 ``(queries, songs)``; see ``matches``.

        Args:
            split: Name of the split.
            rows: The posts that are queries; by default all.
        """
        queries = self._encode("encode_query", split, rows)
        songs = self._encode("encode_song", split, self.song_rows(split))
        return pair_scores(self._models, queries, songs)

    def validation_rows(self) -> np.ndarray:
        """Return the rows of the validation posts that are asked for."""
        rows = np.random.default_rng(0).permutation(
            len(self._prepared.posts["validation"])
        )
        return np.sort(rows[:MAX_VALIDATION_QUERIES])

    def _measure(self) -> dict[str, float]:
        posts, rows = self._prepared.posts["validation"], self.validation_rows()
        return rank_metrics(
            self.scores("validation", rows),
            self.matches("validation", rows),
            query_ids=[posts[row].id for row in rows],
        )


JUDGES = {"sentiment": SentimentJudge, "retrieval": RetrievalJudge}
