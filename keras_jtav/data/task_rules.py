"""Which posts and which splits a task can use: said once, for training and doctor."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import replace

from keras_jtav.data.pairs import false_song_problem
from keras_jtav.data.post import PARTS_OF, Post, Rejection

SIDES = {
    "song": (("audio", "audio"), ("text", "lyrics")),
    "query": (("image", "image"), ("text", "caption")),
}


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


def split_problem(
    parts: Mapping[str, Sequence[Post]],
    task: str,
    class_names: Sequence[str] = ("negative", "positive"),
) -> str:
    """Return why a task cannot be trained or judged on a split; empty if it can.

    Args:
        parts: Posts of each split.
        task: ``sentiment`` or ``retrieval``.
        class_names: Of label 0 and label 1.

    Example:
        >>> parts = {"test": [Post("p1", {"lyrics": "la"}, song="s1")]}
        >>> split_problem(parts, "retrieval")
        'the test split holds 1 song; ranking needs 2 or more: add songs'
    """
    if task == "sentiment":
        totals = Counter(post.label for posts in parts.values() for post in posts)
        for label, name in enumerate(class_names):
            if totals[label] < len(parts):
                return (
                    f"the class {name!r} has {totals[label]} "
                    f"post{'s' * (totals[label] != 1)}, and each of {', '.join(parts)} "
                    "needs one: add posts of this class"
                )
    for name, posts in parts.items():
        labels = Counter(post.label for post in posts)
        if task == "sentiment" and not (labels[0] and labels[1]):
            return (
                f"the {name} split holds {labels[0]} {class_names[0]} and {labels[1]} "
                f"{class_names[1]} posts: add posts of the absent class, or choose "
                "another --seed"
            )
        num_songs = len({post.song for post in posts})
        if task == "retrieval" and num_songs < 2:
            return (
                f"the {name} split holds {num_songs} song{'s' * (num_songs != 1)}; "
                "ranking needs 2 or more: add songs"
            )
    if task == "retrieval" and parts.get("train"):
        return false_song_problem(parts["train"])
    return ""


def training_problem(
    parts: Mapping[str, Sequence[Post]],
    task: str,
    class_names: Sequence[str],
    modalities: Sequence[str],
    max_share: float,
) -> str:
    """Return why a system cannot be trained on a split; empty if it can.

    Args:
        parts: As of ``split_problem``, with the texts that the system reads.
        task: ``sentiment`` or ``retrieval``.
        class_names: Of label 0 and label 1.
        modalities: What the system perceives.
        max_share: As of ``modality_problem``.
    """
    problem = split_problem(parts, task, class_names)
    problem = problem or perception_problem(parts, modalities)
    if problem or task == "sentiment":
        return problem
    posts = [post for part in parts.values() for post in part]
    return modality_problem(posts, modalities, max_share)


def with_texts(
    splits: Mapping[str, Sequence[Post]], parts: Sequence[str]
) -> tuple[dict[str, list[Post]], list[Rejection]]:
    """Return the posts with some of their texts, and those that have nothing else.

    This comes after the split, so that systems which read different texts share it.
    """
    kept: dict[str, list[Post]] = {name: [] for name in splits}
    rejections = []
    for name, split in splits.items():
        for post in split:
            texts = {part: text for part, text in post.texts.items() if part in parts}
            if post.audio or post.image or any(texts.values()):
                kept[name].append(replace(post, texts=texts))
            else:
                why = f"has nothing but texts that `data.texts={','.join(parts)}` drops"
                rejections.append(Rejection(f"post {post.id}", "", why))
    return kept, rejections


def words_problem(posts: Sequence[Post]) -> str:
    """Return why word vectors cannot be trained on posts; empty if they can.

    Example:
        >>> words_problem([Post("p1", {"caption": "so happy"})])
        ''
    """
    texts = [text for post in posts for text in post.texts.values()]
    if any(re.search(r"[^\W_]", text) for text in texts):
        return ""
    return (
        f"word vectors need text to be trained on, and the {len(posts)} posts of the "
        "training split hold no word: fill `lyrics` or `caption`, give --fasttext a "
        "vector file, or leave text out with --set modalities=audio,image"
    )


def perception_problem(
    parts: Mapping[str, Sequence[Post]], modalities: Sequence[str]
) -> str:
    """Return in which split a system perceives nothing at all; empty if in none.

    Single posts of which it perceives nothing are judged by what it learned of absence.

    Example:
        >>> parts = {"train": [Post("p1", {"caption": "so happy"})]}
        >>> perception_problem(parts, ["text"])
        ''
        >>> perception_problem(parts, ["audio"]).split(",")[0]
        'no post of the train split has audio'
    """
    perceived = [part for m in modalities for part in PARTS_OF[m]]
    for name, posts in parts.items():
        if all(set(perceived) <= set(post.missing) for post in posts):
            return (
                f"no post of the {name} split has {' or '.join(perceived)}, and "
                f"modalities={','.join(modalities)} perceive nothing else: add what is "
                "missing, or choose other modalities"
            )
    return ""


def modality_problem(
    posts: Sequence[Post], modalities: Sequence[str], max_share: float
) -> str:
    """Return why songs cannot be found by what a system perceives; empty if they can.

    A song of which it perceives nothing is no better than any other such song, and so
    is a query. A few are borne: they are candidates and queries like all others, and
    the ranks tell what was lost.

    Args:
        posts: Of retrieval, after ``unify_songs``.
        modalities: What the system perceives.
        max_share: Largest share of posts that may be so, 0 to 1.

    Example:
        >>> post = Post("p1", {"caption": "so happy", "lyrics": "la"}, song="s1")
        >>> modality_problem([post], ["audio", "text"], 0)
        ''
        >>> modality_problem([post], ["audio"], 0).split(",")[0]
        "the song 's1' of post 'p1' has no audio"
    """
    for side, parts in SIDES.items():
        perceived = [part for modality, part in parts if modality in modalities]
        lacking = [post for post in posts if set(perceived) <= set(post.missing)]
        if len(lacking) > max_share * len(posts):
            first = lacking[0]
            what = {"song": f"song {first.song!r} of post {first.id!r}"}
            return (
                f"the {what.get(side, f'query of post {first.id!r}')} has no "
                f"{' and no '.join(perceived)}, and modalities={','.join(modalities)} "
                f"perceive nothing else of it; so it is with {len(lacking)} of "
                f"{len(posts)} posts. Add what is missing, leave these posts out, or "
                "raise --max-rejected"
            )
    return ""
