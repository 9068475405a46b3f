"""Which posts and which splits a task can use: said once, for training and doctor."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence

from keras_jtav.data.post import Post


def post_problem(post: Post, task: str) -> str:
    """Return why a task cannot use a post, and what to do; empty if it can.

    For retrieval, the post should have been through ``unify_songs``.

    Example:
        >>> post_problem(Post("p1", {"caption": "so happy"}), "sentiment")
        'has no label; fill `label`'
    """
    if task == "sentiment":
        return "" if post.label is not None else "has no label; fill `label`"
    if not post.song:
        return "names no song; fill `song`"
    if post.audio is None and not post.texts.get("lyrics"):
        return f"its song {post.song!r} has neither audio nor lyrics; add one of them"
    if post.image is None and not post.texts.get("caption"):
        return "has neither image nor caption to search with; add one of them"
    return ""


def split_problem(parts: Mapping[str, Sequence[Post]], task: str) -> str:
    """Return why a task cannot be trained or judged on a split; empty if it can.

    Example:
        >>> parts = {"test": [Post("p1", {"lyrics": "la"}, song="s1")]}
        >>> split_problem(parts, "retrieval")
        'the test split holds 1 song; ranking needs 2 or more: add songs'
    """
    for name, posts in parts.items():
        labels = Counter(post.label for post in posts)
        if task == "sentiment" and not (labels[0] and labels[1]):
            return (
                f"the {name} split holds {labels[0]} negative and {labels[1]} positive "
                "posts: add posts of the absent class, or choose another --seed"
            )
        num_songs = len({post.song for post in posts})
        if task == "retrieval" and num_songs < 2:
            return (
                f"the {name} split holds {num_songs} song{'s' * (num_songs != 1)}; "
                "ranking needs 2 or more: add songs"
            )
    return ""
