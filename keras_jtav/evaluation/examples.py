"""Posts of the test split that a page shows: some of all kinds, and the worst."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from keras_jtav.data.post import Post
from keras_jtav.evaluation.ranks import query_ranks

NUM_QUERIES = 8
NUM_WORST = 4
NUM_MISTAKES = 8
TOP_SONGS = 3


def query_examples(
    queries: Sequence[Post],
    songs: Sequence[Post],
    scores: np.ndarray,
    is_match: np.ndarray,
) -> list[dict]:
    """Return queries with their best songs, as JSON takes them.

    Args:
        queries: Posts in the order of the rows.
        songs: Posts in the order of the columns; each stands for its song.
        scores: ``(queries, songs)``.
        is_match: ``(queries, songs)`` bool.

    Returns:
        Two groups: queries spread evenly from the best rank to the worst, as
        ``query_figure`` draws them, and those with the worst ranks.
    """
    ranks = query_ranks(scores, is_match, query_ids=[post.id for post in queries])
    by_rank = np.argsort(ranks, kind="stable")
    places = np.linspace(0, len(queries) - 1, min(NUM_QUERIES, len(queries)))

    def show(row: int) -> dict:
        order = np.argsort(-scores[row], kind="stable")
        true = int(np.flatnonzero(is_match[row][order])[0])
        places = sorted({*range(min(TOP_SONGS, len(order))), true})
        return {
            **_post(queries[row]),
            "rank": float(ranks[row]),
            "songs": [
                {
                    "place": place + 1,
                    "name": songs[order[place]].song,
                    "audio": _path(songs[order[place]].audio),
                    "lyrics": songs[order[place]].texts.get("lyrics", ""),
                    "score": float(scores[row][order[place]]),
                    "true": bool(is_match[row][order[place]]),
                }
                for place in places
            ],
        }

    return [
        {
            "title": "Queries and their best songs",
            "about": f"{len(places)} of {len(queries)} queries, spread evenly from the "
            "best rank to the worst; the true song of each is marked.",
            "shown": [show(row) for row in by_rank[places.round().astype(int)]],
        },
        {
            "title": "Hardest mistakes",
            "about": "The queries whose true song stands last.",
            "shown": [show(row) for row in by_rank[::-1][:NUM_WORST]],
        },
    ]


def mistake_examples(
    posts: Sequence[Post],
    probabilities: np.ndarray,
    threshold: float,
    class_names: Sequence[str],
) -> list[dict]:
    """Return the posts that were answered wrong with the most certainty.

    Args:
        posts: With labels.
        probabilities: ``(posts,)``, of class 1.
        threshold: From which on a post is called class 1.
        class_names: Of label 0 and label 1.

    Example:
        >>> posts = [Post("a", {"caption": "x"}, label=0)]
        >>> (group,) = mistake_examples(posts, np.array([0.9]), 0.5, ("bad", "good"))
        >>> [(shown["id"], shown["answer"]) for shown in group["shown"]]
        [('a', 'good')]
    """
    labels = np.array([post.label for post in posts])
    answers = (probabilities >= threshold).astype(int)
    sure = np.where(answers == 1, probabilities, 1 - probabilities)
    wrong = np.flatnonzero(answers != labels)
    worst = wrong[np.argsort(-sure[wrong], kind="stable")][:NUM_MISTAKES]
    return [
        {
            "title": "Hardest mistakes",
            "about": f"{len(worst)} of the {len(wrong)} test posts that were answered "
            "wrong: those with the most certainty.",
            "shown": [
                {
                    **_post(posts[row]),
                    "audio": _path(posts[row].audio),
                    "lyrics": posts[row].texts.get("lyrics", ""),
                    "label": class_names[labels[row]],
                    "answer": class_names[answers[row]],
                    "probability": float(sure[row]),
                }
                for row in worst
            ],
        }
    ]


def _post(post: Post) -> dict:
    return {
        "id": post.id,
        "image": _path(post.image),
        "caption": post.texts.get("caption", ""),
    }


def _path(path: object) -> str:
    return "" if path is None else str(path)
