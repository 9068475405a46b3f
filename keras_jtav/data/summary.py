"""What a data set holds, in counts."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence

from keras_jtav.data.post import TEXT_PARTS, Post, Rejection


def summarize(
    posts: Mapping[str, Sequence[Post]],
    rejections: Sequence[Rejection],
    class_names: Sequence[str],
    task: str,
) -> dict[str, dict[str, int]]:
    """Count posts, songs, classes and what is missing.

    Args:
        posts: Usable posts by split.
        rejections: Rows that were left out.
        class_names: Names of label 0 and label 1.
        task: ``sentiment`` counts classes, ``retrieval`` the songs of each split.

    Example:
        >>> posts = {"train": [Post("p", {"caption": "hi"}, label=1)]}
        >>> summarize(posts, [], ("bad", "good"), "sentiment")["classes"]
        {'good': 1}
    """
    everything = [post for split in posts.values() for post in split]
    songs = {post.song for post in everything if post.song}
    counts = {
        "data": {
            "posts": len(everything),
            "songs": len(songs),
            **{split: len(members) for split, members in posts.items()},
        }
    }
    if task == "sentiment":
        counts["classes"] = dict(Counter(class_names[p.label] for p in everything))
    else:
        counts["songs"] = {n: len({p.song for p in s}) for n, s in posts.items()}
    missing = Counter(part for post in everything for part in post.missing)
    parts = (*TEXT_PARTS, "audio", "image")
    counts["missing"] = {part: missing[part] for part in parts}
    counts["rejected"] = {"rows": len(rejections)}
    return counts
