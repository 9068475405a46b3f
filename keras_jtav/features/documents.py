"""doc2vec: vectors of whole texts, inferred by paragraph vectors of a corpus."""

from __future__ import annotations

import functools
import hashlib
import logging
from collections.abc import Sequence
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np

from keras_jtav.data.cache import FeatureCache
from keras_jtav.data.home import home_folder
from keras_jtav.features.text import tokenize_texts

_LOG = logging.getLogger(__name__)
_RECIPE = 1  # raise it when the same settings would give other vectors
_TOKENS_SEEN = 2_000_000
_FEWEST_EPOCHS, _MOST_EPOCHS = 10, 100
_START_RATE, _END_RATE = 0.025, 0.0001
_FEWEST_OCCURRENCES = 2


def document_vectors(
    texts: Sequence[str],
    train_texts: Sequence[str],
    dim: int,
    seed: int,
    length: int,
    cache_folder: str | Path | None = None,
) -> np.ndarray:
    """Infer a vector for each text from a model of the training texts.

    A text's vector depends on its words, the training texts, the size and the seed
    alone: one worker trains, and inference starts anew for every text. Results are
    kept under the digest of the words. A text without a known word has the zero vector.

    Choice: PV-DBOW, which reads a text as a bag of words, as lyrics are short and few.
    Words that occur once are left out. Training and inference both read a text as often
    as two million words make, 10 to 100 times.

    Choice: training texts are inferred too, like all others. The vectors that they have
    from training lie elsewhere, and what is learned on those would not carry over.

    Args:
        texts: What to represent.
        train_texts: What the model is trained on.
        dim: Size of a vector.
        seed: Of the training and of every inference.
        length: Words of a text that are read.
        cache_folder: Where results are kept; ``None``: ``features`` in the home folder.

    Returns:
        float32 ``(texts, dim)``.

    Raises:
        ValueError: Training texts in which no word occurs twice.
        ImportError: gensim is absent and a vector is not at hand.

    Source:
        Le and Mikolov 2014, Distributed representations of sentences and documents;
        JTAV Sec. 4.1 (doc2vec).
    """
    corpus = [words[:length] for words in tokenize_texts(train_texts)]
    joined = "\n".join(" ".join(words) for words in corpus)
    settings = {
        "recipe": _RECIPE,
        "dim": dim,
        "seed": seed,
        "corpus": hashlib.sha256(joined.encode()).hexdigest(),
    }
    folder = Path(cache_folder) if cache_folder else home_folder() / "features"
    cache = FeatureCache(folder, "document", settings)
    model = functools.cache(lambda: _train(corpus, dim, seed))
    vectors = np.zeros((len(texts), dim), "float32")
    for row, words in enumerate(tokenize_texts(texts)):
        words = words[:length]
        digest = hashlib.sha256(" ".join(words).encode()).hexdigest()
        if digest not in cache:
            cache.put(digest, _infer(model(), words, seed))
        vectors[row] = cache.get(digest)
    return vectors


def _train(corpus: Sequence[Sequence[str]], dim: int, seed: int) -> Any:
    """Return gensim's model of a corpus."""
    doc2vec = _import_doc2vec()
    num_words = sum(map(len, corpus))
    _LOG.info("Training doc2vec on %d words.", num_words)
    documents = [
        doc2vec.TaggedDocument(words, [row]) for row, words in enumerate(corpus)
    ]
    model = doc2vec.Doc2Vec(
        dm=0,
        vector_size=dim,
        min_count=_FEWEST_OCCURRENCES,
        alpha=_START_RATE,
        min_alpha=_END_RATE,
        epochs=_epochs(num_words),
        seed=seed,
        workers=1,
    )
    model.build_vocab(documents)
    if not model.wv:
        raise ValueError(
            "doc2vec needs words that occur at least twice in the training texts; "
            f"{len(corpus)} texts have none. Use another text encoder."
        )
    model.train(documents, total_examples=len(documents), epochs=model.epochs)
    return model


def _infer(model: Any, words: Sequence[str], seed: int) -> np.ndarray:
    """Return the vector of a text, ``(dim,)``.

    ``model.infer_vector`` would start from Python's hash of the text, which differs
    between processes, and go on with the draws of the text before.
    """
    doc2vec = _import_doc2vec()
    if not any(word in model.wv for word in words):
        return np.zeros(model.vector_size, "float32")
    model.random = np.random.RandomState(seed)
    vector = (model.random.uniform(size=(1, model.vector_size)) - 0.5).astype("float32")
    vector /= model.vector_size
    for rate in np.linspace(_START_RATE, _END_RATE, model.epochs):
        doc2vec.train_document_dbow(
            model,
            words,
            [0],
            rate,
            learn_words=False,
            learn_hidden=False,
            doctag_vectors=vector,
            doctags_lockf=np.ones(1, "float32"),
        )
    return vector[0]


def _epochs(num_words: int) -> int:
    epochs = _TOKENS_SEEN // max(num_words, 1)
    return min(max(epochs, _FEWEST_EPOCHS), _MOST_EPOCHS)


def _import_doc2vec() -> ModuleType:
    try:
        from gensim.models import doc2vec
    except ImportError as error:
        raise ImportError(
            "doc2vec needs gensim: pip install 'keras-jtav[baselines]'"
        ) from error
    return doc2vec
