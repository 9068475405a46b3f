"""What the texts of the training split teach before the network learns."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np

from keras_jtav.config import Config
from keras_jtav.data.post import Post
from keras_jtav.data.ready_features import ReadyFeatures
from keras_jtav.features.documents import document_vectors
from keras_jtav.features.embeddings import load_vectors, train_vectors
from keras_jtav.features.latent_semantics import with_latent_semantics
from keras_jtav.features.text import protagonist_texts, tokenize_texts
from keras_jtav.features.vocabulary import FIRST_WORD_ROW, Vocabulary
from keras_jtav.options import DataOptions


def build_vocabulary(
    config: Config, train_posts: Sequence[Post], ready: ReadyFeatures | None = None
) -> Vocabulary:
    """Load the vectors of a file, or train them on the texts of the training split.

    A data set that brings its word vectors keeps them. A model that sees no text has
    a vocabulary of one word that no text holds.

    Choice: the table is scaled so that the coordinates of words have a root mean square
    of 1; where a data set brings the words of all splits, those of the training split.
    fastText's are about a tenth of that, and the gate of Sec. 3.1.1, a product of two
    vectors, would shrink the words of a post with a caption once more.

    Choice: the texts of a post are one text to learn from, so that the words of its
    caption and of its lyrics, which may be of two languages, come to lie together.
    """
    texts = [" ".join(post.texts.values()) for post in train_posts]
    options = config.features
    if "text" not in config.modalities:
        width = options.embedding_dim + options.lsa_dim
        return Vocabulary(["-"], np.zeros((FIRST_WORD_ROW + 1, width), "float32"))
    if ready is not None:
        padding = np.zeros((FIRST_WORD_ROW, ready.word_vectors.shape[1]), "float32")
        vocabulary = Vocabulary(ready.words, np.vstack([padding, ready.word_vectors]))
    elif options.fasttext:
        words = sorted(_words_of(texts))
        vocabulary = load_vectors(options.fasttext, words, options.vocabulary_size)
    else:
        vocabulary = train_vectors(
            texts, options.embedding_dim, config.train.seed, options.subwords
        )
    vectors = vocabulary.matrix[FIRST_WORD_ROW:][: len(vocabulary.words)]
    if ready is not None:
        seen = _words_of(texts)
        vectors = vectors[[word in seen for word in vocabulary.words]]
    scale = np.sqrt(np.mean(np.square(vectors))) if len(vectors) else 1.0
    vocabulary = replace(vocabulary, matrix=vocabulary.matrix / max(scale, 1e-6))
    if options.lsa_dim:
        vocabulary = with_latent_semantics(
            vocabulary, all_texts(train_posts), options.lsa_dim, options.words
        )
    return vocabulary


def _words_of(texts: Sequence[str]) -> set[str]:
    return {word for text in tokenize_texts(texts) for word in text}


def build_documents(
    config: Config, splits: Mapping[str, Sequence[Post]]
) -> dict[str, np.ndarray]:
    """Return doc2vec's vectors of all protagonist texts by split, if they are wanted.

    The model behind them is trained on the training split's.
    """
    if not config.features.document_dim or "text" not in config.modalities:
        return {}
    texts = {
        name: protagonist_texts(
            [[post.texts.get(part, "") for part in DataOptions.texts] for post in posts]
        )
        for name, posts in splits.items()
    }
    options, seed = config.features, config.train.seed
    return {
        name: document_vectors(
            own, texts["train"], options.document_dim, seed, options.words
        )
        for name, own in texts.items()
    }


def all_texts(posts: Sequence[Post]) -> list[str]:
    """Return the texts of posts, each on its own."""
    return [text for post in posts for text in post.texts.values()]
