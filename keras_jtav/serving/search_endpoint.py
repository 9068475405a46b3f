"""A SavedModel with an index inside: image and caption in, songs and scores out."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import tensorflow as tf

from keras_jtav.serving.best_rows import MARGIN
from keras_jtav.serving.endpoints import STRINGS
from keras_jtav.serving.export import write_version
from keras_jtav.serving.index_part import LISTS, TOWER, pack
from keras_jtav.serving.inverted_lists import EXACT_SONGS
from keras_jtav.serving.predictor import Predictor
from keras_jtav.serving.raw_media import Features
from keras_jtav.serving.song_index import SongIndex
from keras_jtav.serving.song_search import CANDIDATES, QUERY_TOWER, SongSearch

IDS = "id"


def export_with_index(
    predictor: Predictor, index: SongIndex, candidates: int = CANDIDATES
) -> Path:
    """Write a SavedModel again, as the next version, with an index inside.

    Its endpoint ``search`` takes ``image`` and ``caption``, string (queries,), and
    answers ``song``, string (queries, candidates), and ``score``, float32, the best
    first, as ``SongSearch`` does; and ``image_ok``. All other endpoints stay.

    Args:
        predictor: An exported retrieval model with towers; an index that is inside it
            is replaced.
        index: Songs that it encoded.
        candidates: Songs that are scored for each query, and returned.

    Returns:
        The folder of the new version.

    Raises:
        ValueError: A model or index that does not fit, no songs, or more than
            ``EXACT_SONGS``.
    """
    SongSearch(predictor, index, candidates)  # refuses what does not fit
    if not 0 < len(index) <= EXACT_SONGS:
        raise ValueError(
            f"A SavedModel takes 1 to {EXACT_SONGS} songs, as it compares a query with "
            f"each; the index holds {len(index)}. Use keras-jtav predict --index."
        )
    inside = {"songs": len(index), "candidates": min(candidates, len(index))}
    settings = json.dumps(
        {**predictor.settings, "index": inside}, indent=1, sort_keys=True
    )
    model = predictor.saved_model
    module = ModelWithIndex(getattr(model, "model", model), index, candidates, settings)
    return write_version(module, module.signatures(), settings, predictor.folder.parent)


class ModelWithIndex(tf.Module):
    """The graph functions of a loaded model, and of the search.

    Args:
        model: What ``tf.saved_model.load`` gave.
        index: The songs.
        candidates: Songs that are scored for each query.
        settings: JSON text that the endpoint ``settings`` returns.
    """

    def __init__(
        self, model: Any, index: SongIndex, candidates: int, settings: str
    ) -> None:
        super().__init__()
        self.model = model  # tracked, for its variables and tables
        songs = {**pack(index.encodings()), IDS: np.array(index.ids())}
        with tf.device("CPU"):  # strings and lookups live there
            self.songs = {
                name: tf.Variable(array, trainable=False, name=f"index_{name}")
                for name, array in songs.items()
            }
        self._candidates = min(candidates, len(index))
        self._settings = settings

    def signatures(self) -> dict[str, Any]:
        """Return the traced endpoints by name."""
        kept = dict(self.model.signatures)
        kept["settings"] = tf.function(self._answer_settings, input_signature=[])
        return kept | {"search": tf.function(self._search, (STRINGS,) * 2)}

    def _answer_settings(self) -> Features:
        return {"settings": tf.constant(self._settings)}

    def _search(self, image: tf.Tensor, caption: tf.Tensor) -> Features:
        queries = dict(
            self.model.signatures["encode_query"](image=image, caption=caption)
        )
        image_ok = queries.pop("image_ok")
        answer = tf.map_fn(
            self._find,
            queries,
            fn_output_signature={"song": tf.string, "score": tf.float32},
        )
        return {**answer, "image_ok": image_ok}

    def _find(self, query: Features) -> Features:
        """Return the songs and scores of one query."""
        rows = self._best_rows(query[QUERY_TOWER])
        songs = self._encodings(rows)
        ids = tf.gather(self.songs[IDS], rows)
        one = {name: tensor[None] for name, tensor in query.items()}
        logits = self.model.signatures["score"](**one, **songs)["logit"][0]
        score, order = tf.math.top_k(logits, self._candidates)  # ties: the lower first
        return {"song": tf.gather(ids, order), "score": score}

    def _encodings(self, rows: tf.Tensor) -> Features:
        found = {}
        for name, table in self.songs.items():
            if name == IDS or name.endswith(LISTS):
                continue
            found[name] = tf.gather(table, rows)
            if name + LISTS in self.songs:
                numbers = tf.cast(found[name], tf.int32)
                found[name] = tf.gather(self.songs[name + LISTS], numbers)
        return found

    def _best_rows(self, query: tf.Tensor) -> tf.Tensor:
        """Return the candidates as ``SongIndex.search`` ranks them (best_rows.py)."""
        scores = tf.linalg.matvec(self.songs[TOWER], query)
        least = tf.math.top_k(scores, self._candidates).values[-1]
        likely = tf.where(scores >= least - MARGIN * tf.norm(query))[:, 0]
        vectors = tf.cast(tf.gather(self.songs[TOWER], likely), tf.float64)
        summed = tf.reduce_sum(vectors * tf.cast(query, tf.float64), axis=-1)
        return tf.gather(likely, tf.math.top_k(summed, self._candidates).indices)
