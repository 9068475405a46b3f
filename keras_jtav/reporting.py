"""What a run reports: tables beside chance and baselines, and pictures."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from matplotlib.figure import Figure

from keras_jtav.data.record_store import RecordStore
from keras_jtav.evaluation.baselines import (
    cca_baseline,
    character_matching_scores,
    logistic_regression_baseline,
)
from keras_jtav.evaluation.classification import (
    choose_threshold,
    classification_metrics,
    guesses,
)
from keras_jtav.evaluation.examples import mistake_examples, query_examples
from keras_jtav.evaluation.figures import save_figure, training_figure
from keras_jtav.evaluation.figures_retrieval import query_figure, rank_figure
from keras_jtav.evaluation.figures_sentiment import sentiment_figure
from keras_jtav.evaluation.media_statistics import AUDIO_DIM, IMAGE_DIM
from keras_jtav.evaluation.ranks import PROTOCOLS, rank_metrics
from keras_jtav.evaluation.simple_features import SimpleFeatures, kept_measures
from keras_jtav.judging import RetrievalJudge, SentimentJudge
from keras_jtav.preparation import Prepared
from keras_jtav.transfer import BackboneStore

Metrics = dict[str, dict[str, dict[str, float]]]
RECALL_AT = {"random": (1, 5, 10), "dagger": (1, 5, 10), "section": (10, 50, 100)}


class SentimentReport:
    """The test split of sentiment, under both protocols.

    Args:
        judge: Of the trained model.
        prepared: The data of the run.
        history: Metrics of every epoch.
        name: What the model is called in tables.
        baselines_see: What ``simple_features`` returned.

    Attributes:
        metrics: ``{protocol: {row: {metric: value}}}``.
        settings: What an export must know: the threshold chosen on validation.
    """

    def __init__(
        self,
        judge: SentimentJudge,
        prepared: Prepared,
        history: Sequence[Mapping],
        name: str,
        baselines_see: SimpleFeatures,
    ) -> None:
        self._baselines_see = baselines_see
        self._name = name
        self._prepared = prepared
        self._history = history
        self._labels = judge.labels("test")
        self._validation_labels = judge.labels("validation")
        self._probabilities = judge.probabilities("test")
        self._threshold = choose_threshold(
            self._validation_labels, judge.probabilities("validation")
        )
        self.settings = {"threshold": self._threshold}
        self.metrics = self._measure()

    def _measure(self) -> Metrics:
        posts = self._prepared.posts
        train_labels = [post.label for post in posts["train"]]
        guessed = guesses(train_labels, self._labels)
        self._majority = guessed["majority class"]
        rows = {protocol: dict(guessed) for protocol in PROTOCOLS}
        num_validation = len(posts["validation"])
        baselines = logistic_regression_baseline(
            posts["train"],
            [*posts["validation"], *posts["test"]],
            self._prepared.modalities,
            self._baselines_see,
        )
        self._baselines = {}
        judged = {}
        for name, probabilities in baselines.items():
            threshold = choose_threshold(
                self._validation_labels, probabilities[:num_validation]
            )
            self._baselines[name] = probabilities[num_validation:]
            judged[f"logistic {name}"] = (self._baselines[name], threshold)
        judged[self._name] = (self._probabilities, self._threshold)
        for protocol in PROTOCOLS:
            for row, (probabilities, threshold) in judged.items():
                rows[protocol][row] = classification_metrics(
                    self._labels, probabilities, threshold, protocol
                )
        return rows

    def charts(self) -> dict[str, Figure]:
        """Draw curves, ROC and confusion matrix."""
        return {
            "training": training_figure(_columns(self._history), "val_auc"),
            "sentiment": sentiment_figure(
                self._labels,
                self._probabilities,
                self._threshold,
                self._majority,
                self._prepared.class_names,
                self._baselines,
            ),
        }

    def draw(self, charts: Mapping[str, Figure], folder: Path) -> list[Path]:
        """Save charts in a folder; return the files."""
        return _save(charts, folder)

    def examples(self) -> list[dict]:
        """Return the posts that were answered wrong with the most certainty."""
        return mistake_examples(
            self._prepared.posts["test"],
            self._probabilities,
            self._threshold,
            self._prepared.class_names,
        )


class RetrievalReport:
    """The test split of retrieval, under both protocols.

    Args:
        judge: Of the trained model.
        prepared: The data of the run.
        history: Metrics of every epoch.
        name: What the model is called in tables.
        baselines_see: What ``simple_features`` returned.

    Attributes:
        scores: ``{row: (queries, songs)}``: of the model, and of what stands beside it.
        matches: Which song is whose, bool ``(queries, songs)``.
        recall_at: Lengths of the lists that recall is measured on.
        metrics: ``{protocol: {row: {metric: value}}}``.
        settings: What an export must know: nothing more.
    """

    def __init__(
        self,
        judge: RetrievalJudge,
        prepared: Prepared,
        history: Sequence[Mapping],
        name: str,
        baselines_see: SimpleFeatures,
    ) -> None:
        self._baselines_see = baselines_see
        self._name = name
        self._prepared = prepared
        self._history = history
        self.matches = judge.matches("test")
        self._scores = judge.scores("test")
        self._queries = prepared.posts["test"]
        self._songs = [self._queries[row] for row in judge.song_rows("test")]
        self._baselines = self._baseline_scores()
        self.scores = {
            "chance": np.zeros_like(self._scores),
            **self._baselines,
            name: self._scores,
        }
        self.recall_at = RECALL_AT[prepared.split]
        self.settings: dict = {}
        self.metrics = self._measure()

    def _measure(self) -> Metrics:
        ids = [query.id for query in self._queries]
        return {
            protocol: {
                row: rank_metrics(values, self.matches, self.recall_at, protocol, ids)
                for row, values in self.scores.items()
                if (row, protocol) != ("chance", "paper")
            }
            for protocol in PROTOCOLS
        }

    def _baseline_scores(self) -> dict[str, np.ndarray]:
        """Return the scores of CCA and, with texts on both sides, of shared letters.

        The words of features that are made already have no letters.
        """
        posts, modalities = self._prepared.posts, self._prepared.modalities
        query_parts = ["image", *(["caption"] if "text" in modalities else [])]
        song_parts = [
            part
            for modality, part in (("audio", "audio"), ("text", "lyrics"))
            if modality in modalities
        ]
        rows = {
            "CCA": cca_baseline(
                posts["train"],
                posts["validation"],
                self._queries,
                self._songs,
                query_parts,
                song_parts,
                self._baselines_see,
            )
        }
        if "text" in modalities and self._prepared.ready is None:
            rows["shared letters"] = character_matching_scores(
                [query.texts.get("caption", "") for query in self._queries],
                [song.texts.get("lyrics", "") for song in self._songs],
            )
        return rows

    def draw(self, charts: Mapping[str, Figure], folder: Path) -> list[Path]:
        """Save charts and a sheet of queries in a folder; return the files.

        There is no sheet where there are no pictures to show.
        """
        figures = dict(charts)
        if self._prepared.ready is None:
            shown = self._prepared.store.shown
            figures["queries"] = query_figure(
                self._queries, self._songs, self._scores, self.matches, shown
            )
        return _save(figures, folder)

    def charts(self) -> dict[str, Figure]:
        """Draw curves and ranks."""
        return {
            "training": training_figure(_columns(self._history), "val_mrr"),
            "ranks": rank_figure(self._scores, self.matches, self._baselines),
        }

    def examples(self) -> list[dict]:
        """Return queries with their best songs, and those with the worst ranks."""
        return query_examples(self._queries, self._songs, self._scores, self.matches)


def simple_features(
    prepared: Prepared, pictures: BackboneStore | None = None
) -> SimpleFeatures:
    """Return what baselines see: simple features of media, or those that are ready.

    Args:
        prepared: The data of the run.
        pictures: Features of a pretrained backbone. Where the network starts from them,
            so do the baselines: what is compared is what is done with them.
    """
    store = prepared.store
    if prepared.ready is not None:
        measures = prepared.ready.measures()
    elif isinstance(store, RecordStore):  # measured when the records were made
        measures = {
            "audio": (store.audio_statistics, AUDIO_DIM),
            "image": (store.image_statistics, IMAGE_DIM),
        }
    else:
        measures = kept_measures(store)
    if pictures is not None:
        measures = {**measures, "image": (pictures.image, pictures.dim)}
    return SimpleFeatures(prepared.posts["train"], measures)


def _save(figures: Mapping[str, Figure], folder: Path) -> list[Path]:
    return [save_figure(f, folder / f"{name}.png") for name, f in figures.items()]


def _columns(history: Sequence[Mapping]) -> dict[str, list[float]]:
    """Return ``{metric: value of every epoch}``."""
    metrics = [name for name in history[0] if name != "phase"]
    return {name: [epoch[name] for epoch in history] for name in metrics}


REPORTS = {"sentiment": SentimentReport, "retrieval": RetrievalReport}
