"""Tags: words of the training texts that tell what a post is about."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from keras_jtav.features.text import tokenize_texts
from keras_jtav.features.vocabulary import FIRST_WORD_ROW, Vocabulary

_FEWEST_TEXTS = 2
_LARGEST_SHARE = 0.25


def choose_tags(
    texts: Sequence[str], vocabulary: Vocabulary, limit: int
) -> tuple[int, ...]:
    """Choose the words of a corpus that serve as tags.

    Choice: the words of most texts among those that are in two texts at least and in a
    quarter of them at most. A word of one text ties nothing together, and one of many
    texts (``the``) says little. Equal texts count once, as the posts of a song share
    its lyrics.

    Args:
        texts: Captions and lyrics of the training posts.
        vocabulary: Words of the embedding table; only they can be tags.
        limit: Most tags.

    Returns:
        Their rows of the embedding table, those of most texts first.

    Raises:
        ValueError: A corpus without such a word.

    Example:
        >>> import numpy as np
        >>> words = ["the", "sun", "sea"]
        >>> texts = ["the sun", "the sun up", "the sea", "the the", "the", "", "a", "b"]
        >>> choose_tags(texts, Vocabulary(words, np.zeros((5, 2), "float32")), 9)
        (3,)
    """
    texts = sorted(set(texts))
    counts = Counter(word for words in tokenize_texts(texts) for word in set(words))
    most = _LARGEST_SHARE * len(texts)
    rows = {word: FIRST_WORD_ROW + row for row, word in enumerate(vocabulary.words)}
    chosen = [
        word
        for word, count in counts.items()
        if _FEWEST_TEXTS <= count <= most and word in rows
    ]
    if not chosen:
        raise ValueError(
            f"No word can be a tag: none stands in {_FEWEST_TEXTS} or more and at most "
            f"{_LARGEST_SHARE:.0%} of the {len(texts)} different training texts. Give "
            "more posts, or leave `features.tags` at 0."
        )
    chosen.sort(key=lambda word: (-counts[word], word))
    return tuple(rows[word] for word in chosen[:limit])
