"""Features of the baselines: counted and summed, nothing learned but a rotation.

They are what one would try in an afternoon, so that a network has something honest to
beat: TF-IDF of words and character n-grams, statistics of MFCCs, histograms of colours
and gradients.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import keras
import numpy as np
from scipy import sparse
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.utils.extmath import randomized_svd

from keras_jtav.config import DataOptions
from keras_jtav.data.cache import FeatureCache
from keras_jtav.data.decode import decode_audio, decode_image
from keras_jtav.data.media import FEATURE_VERSION, MediaStore
from keras_jtav.data.post import TEXT_PARTS, Post
from keras_jtav.data.ready_features import Measure
from keras_jtav.evaluation.media_statistics import (
    AUDIO_DIM,
    IMAGE_DIM,
    audio_statistics,
    picture_statistics,
)

MIN_TEXT_DIM, MAX_TEXT_DIM = 8, 512
ITERATIONS = 4  # of two, which are not normalised, rounding decides the last directions
# Choice: half a minute is the custom of music tagging and bounds the time of a song.
MAX_AUDIO_SECONDS = 30.0
# decoders release Python's lock; few threads, as each holds a whole picture
DECODER_THREADS = 4
PARTS = (*TEXT_PARTS, "audio", "image")


class SimpleFeatures:
    """Vectors of the parts of posts; each file is decoded once in the object's life.

    Text vectors are TF-IDF counts of words and of character 2- to 4-grams, projected
    on the leading singular vectors of the training texts: half as many as there are
    training texts, but 8 to 512.

    Args:
        train_posts: Posts that the text vectors are fitted on.
        measures: For parts, the function from a text or file to its vector, and the
            vector's size; by default those of media files within the default limits.
            Texts that have none are counted.

    Example:
        >>> posts = [Post("a", {"caption": "so happy"}), Post("b", {"lyrics": "la la"})]
        >>> vectors = SimpleFeatures(posts).part("caption", posts)
        >>> vectors.shape, vectors[:, -1].tolist()
        ((2, 2), [0.0, 1.0])
    """

    def __init__(
        self,
        train_posts: Sequence[Post],
        measures: Mapping[str, Measure] | None = None,
    ) -> None:
        self.train_posts = list(train_posts)
        self._measures = media_measures(DataOptions()) if measures is None else measures
        self._text_vectors: dict[str, Callable[[list[str]], np.ndarray]] = {}
        self._measured: dict[tuple[str, str | Path], np.ndarray] = {}

    def part(self, name: str, posts: Sequence[Post]) -> np.ndarray:
        """Return one part's vectors, with a last column that is 1 where it is missing.

        Args:
            name: ``lyrics``, ``caption``, ``audio`` or ``image``.
            posts: Any posts.

        Returns:
            float64 ``(posts, dim + 1)``; zeros where the part is missing.

        Raises:
            ValueError: An unknown name, or a file that cannot be decoded.
        """
        if name not in PARTS:
            raise ValueError(
                f"`name` must be one of {', '.join(PARTS)}; received {name!r}."
            )
        if name in TEXT_PARTS:
            values = [post.texts.get(name) or None for post in posts]
        else:
            values = [getattr(post, name) for post in posts]
        if name in self._measures:
            vectors = self._measure(name, values)
        else:
            vectors = self._of_texts(name, [text or "" for text in values])
        return np.column_stack([vectors, [value is None for value in values]])

    def _of_texts(self, name: str, texts: list[str]) -> np.ndarray:
        if name not in self._text_vectors:
            corpus = [post.texts.get(name, "") for post in self.train_posts]
            self._text_vectors[name] = _fit_text_vectors(corpus)
        return self._text_vectors[name](texts)

    def _measure(self, name: str, values: Sequence[str | Path | None]) -> np.ndarray:
        measure, dim = self._measures[name]
        known = {value for value in values if value is not None}
        new = sorted(value for value in known if (name, value) not in self._measured)
        with ThreadPoolExecutor(DECODER_THREADS) as pool:
            for value, vector in zip(new, pool.map(measure, new), strict=True):
                self._measured[name, value] = vector
        vectors = np.zeros((len(values), dim))
        for row, value in enumerate(values):
            if value is not None:
                vectors[row] = self._measured[name, value]
        return vectors


def character_vectorizer(max_features: int | None = None) -> TfidfVectorizer:
    """Return TF-IDF of the character 2- to 4-grams within words."""
    return TfidfVectorizer(
        analyzer="char_wb",
        ngram_range=(2, 4),
        sublinear_tf=True,
        max_features=max_features,
    )


def _fit_text_vectors(corpus: list[str]) -> Callable[[list[str]], np.ndarray]:
    written = [text for text in corpus if re.search(r"\w", text)]
    if not written:
        return lambda texts: np.zeros((len(texts), 0))
    vectorizers = (
        TfidfVectorizer(token_pattern=r"\w+", sublinear_tf=True, max_features=4000),
        character_vectorizer(max_features=8000),
    )

    def count(texts: list[str]) -> sparse.csr_array:
        return sparse.hstack([v.transform(texts) for v in vectorizers], format="csr")

    for vectorizer in vectorizers:
        vectorizer.fit(written)
    counts = count(written)
    dim = min(MAX_TEXT_DIM, max(MIN_TEXT_DIM, len(written) // 2), *counts.shape)
    _, _, directions = randomized_svd(counts, dim, n_iter=ITERATIONS, random_state=0)
    return lambda texts: count(texts) @ directions.T


def media_measures(data: DataOptions) -> dict[str, Measure]:
    """Return what is measured of recordings and pictures, and the vectors' sizes.

    Args:
        data: Limits on what is decoded. Of a recording half a minute is measured,
            whatever ``max_audio_seconds`` says.
    """

    def audio(path: Path) -> np.ndarray:
        waveform = decode_audio(path, MAX_AUDIO_SECONDS, data.max_file_bytes)
        return audio_statistics(waveform)

    def image(path: Path) -> np.ndarray:
        picture = decode_image(path, data.max_image_pixels, data.max_file_bytes)
        return picture_statistics(picture)

    return {"audio": (audio, AUDIO_DIM), "image": (image, IMAGE_DIM)}


def kept_measures(store: MediaStore) -> dict[str, Measure]:
    """Return ``media_measures``, kept on disk for other rows and runs.

    Args:
        store: Has prepared the files, and says what may be decoded and where features
            are kept.
    """
    # another backend rounds otherwise
    settings = {"version": FEATURE_VERSION, "backend": keras.backend.backend()}

    def kept(name: str, measure: Callable[[Path], np.ndarray]) -> Callable:
        cache = FeatureCache(store.folder, f"{name}-statistics", settings)

        def vector(path: Path) -> np.ndarray:
            digest = store.digest(path)
            if digest not in cache:
                cache.put(digest, measure(path))
            return cache.get(digest)

        return vector

    return {
        name: (kept(name, measure), dim)
        for name, (measure, dim) in media_measures(store.data).items()
    }
