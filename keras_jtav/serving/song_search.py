"""Two stages: the index finds candidates, and the model's pair score ranks them."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from keras_jtav.serving.index_part import TOWER
from keras_jtav.serving.predictor import Predictor
from keras_jtav.serving.song_index import SongIndex

QUERY_TOWER = "query_tower"
CANDIDATES = 100


class SongSearch:
    """Finds songs for queries.

    Args:
        predictor: An exported retrieval model with towers.
        index: Songs that this model encoded.
        candidates: Songs that the index gives to the pair score, for each query.

    Raises:
        ValueError: A model or an index that does not fit.
    """

    def __init__(
        self, predictor: Predictor, index: SongIndex, candidates: int = CANDIDATES
    ) -> None:
        check_fit(predictor, index)
        if candidates < 1:
            raise ValueError(f"`candidates` must be at least 1; received {candidates}.")
        self._predictor = predictor
        self._index = index
        self._candidates = candidates

    def search(
        self, queries: Mapping[str, np.ndarray], k: int
    ) -> tuple[np.ndarray, np.ndarray]:
        """Rank the candidates of each query by their pair score.

        Args:
            queries: What ``encode_query`` gave, ``(queries, ...)`` each, without its
                flag.
            k: How many songs each gets, at most the candidates.

        Returns:
            Ids, an array of str, and logits, float32, ``(queries, k)`` each, the best
            first; among equal ones the better candidate.
        """
        rows, _ = self._index.search_rows(queries[QUERY_TOWER], self._candidates)
        scores = np.empty(rows.shape, "float32")
        for number, candidates in enumerate(rows):
            query = {name: array[[number]] for name, array in queries.items()}
            songs = self._index.encodings(candidates)
            scores[number] = self._predictor.call("score", **query, **songs)["logit"]
        order = np.argsort(-scores, axis=1, kind="stable")[:, :k]
        ids = self._index.ids_of(np.take_along_axis(rows, order, axis=1))
        return ids, np.take_along_axis(scores, order, axis=1)


def check_model(predictor: Predictor) -> None:
    """Refuse a model that cannot find songs by vectors.

    Raises:
        ValueError: Another task, or a model without towers.
    """
    if predictor.task != "retrieval":
        raise ValueError(
            f"An index of songs needs a retrieval model; this one is for "
            f"{predictor.task}. Train one: python train.py --task retrieval"
        )
    if TOWER not in predictor.outputs("encode_song"):
        raise ValueError(
            "An index finds songs by the vectors of towers, and this model has none. "
            "Train one with --set tower_units=128, or rank all songs with --songs."
        )


def check_fit(predictor: Predictor, index: SongIndex) -> None:
    """Refuse an index that another model made, and what ``check_model`` refuses.

    Raises:
        ValueError: They do not fit.
    """
    check_model(predictor)
    if index.model != predictor.fingerprint:
        raise ValueError(
            f"The songs of the index were encoded by the model {index.model!r}, and "
            f"this one is {predictor.fingerprint!r}. Use that model, or make the index "
            "again."
        )
