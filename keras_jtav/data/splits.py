"""Posts become train, validation and test, by a rule that ignores their order.

Every draw is a hash of the seed and of post ids: the same posts and the same seed give
the same split wherever the files lie and however the rows are sorted.
"""

from __future__ import annotations

import hashlib
from collections import defaultdict
from collections.abc import Hashable, Iterable, Iterator, Sequence
from dataclasses import replace

from keras_jtav.config import SPLITS
from keras_jtav.data.pairs import unify_songs
from keras_jtav.data.post import SPLIT_NAMES, Post
from keras_jtav.data.task_rules import post_problem

ADVICE = {
    "random": "Add posts, put fewer of them into one group, or change `data.fractions`",
    "dagger": "Add songs or change `data.fractions`",
    "section": "Add songs with at least three posts, or choose another `data.split`",
    "given": "Fill the `split` column with all of train, validation and test",
}


def split_posts(
    posts: Sequence[Post],
    split: str,
    fractions: Sequence[float] = (0.8, 0.1, 0.1),
    seed: int = 0,
) -> dict[str, list[Post]]:
    """Split posts; where they carry a ``split`` of their own, that one is kept.

    - ``random``: whole groups (``Post.group_key``), stratified by label; a group has
      the label of its first post by id.
    - ``dagger``: as ``random``, and songs of validation and test are unseen in
      training.
    - ``section``: of every song with three posts or more, one is drawn for test and
      one for validation; of two, one for test; the rest is for training. Groups do not
      count here: the posts of one song part by definition.
    - given: kept; without any for validation, it is taken from training: by the rule
      of ``random`` or ``dagger``, with ``section`` one post of every song with two.

    Args:
        posts: With unique ids.
        split: ``random``, ``dagger`` or ``section``.
        fractions: Shares of train, validation and test; sum 1.
        seed: Decides the draw.

    Returns:
        Posts by id under ``train``, ``validation`` and ``test``.

    Raises:
        ValueError: An unknown split, given splits for a part of the posts only, or an
            empty part.

    Source:
        JTAV, Sec. 4.1 (80, 10 and 10 %) and Sec. 4.2 (dagger and section sign).

    Example:
        >>> posts = [Post(f"p{n}", {"caption": "la"}, label=n % 2) for n in range(20)]
        >>> {name: len(part) for name, part in split_posts(posts, "random").items()}
        {'train': 16, 'validation': 2, 'test': 2}
    """
    if split not in SPLITS:
        raise ValueError(
            f"`split` must be one of {', '.join(SPLITS)}; received {split!r}."
        )
    shares = dict(zip(SPLIT_NAMES, fractions, strict=True))
    given = sum(post.split is not None for post in posts)
    if given:
        parts = _given(posts, given, shares, seed, split)
        split = "given"
    elif split == "section":
        parts = _section(posts, seed)
    else:
        parts = _allocate(_inseparable(posts, split), shares, seed)
    empty = [name for name in SPLIT_NAMES if not parts[name]]
    if empty:
        counts = ", ".join(f"{len(parts[name])} for {name}" for name in SPLIT_NAMES)
        raise ValueError(
            f"The {split} split of {len(posts)} posts leaves none for "
            f"{' and '.join(empty)} ({counts}). {ADVICE[split]}."
        )
    return {name: sorted(parts[name], key=_id) for name in SPLIT_NAMES}


def hold_out_songs(posts: Sequence[Post], count: int, seed: int) -> list[Post]:
    """Give all posts of ``count`` songs to test and the others to training.

    Args:
        posts: Of any songs; those without a song go to training. A song that retrieval
            cannot use is not drawn: its posts will be dropped.
        count: Songs for test.
        seed: Decides which.

    Returns:
        The posts with their ``split`` filled, in their order.

    Raises:
        ValueError: No song for test, or too few left to train on and to validate.

    Source:
        JTAV, Sec. 4.2 (dagger: 100 of 620 songs).
    """
    usable = [p for p in unify_songs(posts) if not post_problem(p, "retrieval")]
    songs = {post.song for post in usable}
    if not 1 <= count <= len(songs) - 2:
        raise ValueError(
            "`test_songs` must be at least 1 and leave two songs or more for training "
            f"and validation; received {count} of {len(songs)} songs that can be used. "
            "Lower it, or add songs with audio or lyrics, and with an image or a "
            "caption."
        )
    held_out = set(sorted(songs, key=lambda song: _draw(seed, song))[:count])
    return [
        replace(post, split="test" if post.song in held_out else "train")
        for post in posts
    ]


def _id(post: Post) -> str:
    return post.id


def _draw(seed: int, name: str) -> bytes:
    """Return a random key of a post's id or a song: what the draw sorts by."""
    return hashlib.sha256(f"{seed}:{name}".encode()).digest()


def _collect(pairs: Iterable[tuple[Hashable, Post]]) -> list[list[Post]]:
    """Return the posts of each key, in the order of ids."""
    collected: dict[Hashable, list[Post]] = defaultdict(list)
    for key, post in sorted(pairs, key=lambda pair: pair[1].id):
        collected[key].append(post)
    return list(collected.values())


def _inseparable(posts: Sequence[Post], split: str) -> list[list[Post]]:
    """Return what may not part: groups, and with ``dagger`` songs too."""
    if split == "dagger":
        return _linked(posts)
    return _collect((post.group_key, post) for post in posts)


def _linked(posts: Sequence[Post]) -> list[list[Post]]:
    """Return what hangs together through a song or a group."""
    parents: dict[Hashable, Hashable] = {}

    def root(key: Hashable) -> Hashable:
        while parents.setdefault(key, key) != key:
            parents[key] = parents[parents[key]]
            key = parents[key]
        return key

    for post in posts:
        if post.song:
            parents[root(("song", post.song))] = root(("group", post.group_key))
    return _collect((root(("group", post.group_key)), post) for post in posts)


def _allocate(
    groups: list[list[Post]], shares: dict[str, float], seed: int
) -> dict[str, list[Post]]:
    """Give whole groups to the parts that lack most posts, one label after another.

    Groups come in random order; only those too big for the smallest part come first,
    so that no part overflows at the end. The last groups of a label go to parts that
    have none of it: a class of three groups is in all three.
    """
    strata: dict[int, list[list[Post]]] = defaultdict(list)
    for group in groups:
        label = group[0].label
        strata[-1 if label is None else label].append(group)
    parts: dict[str, list[Post]] = {name: [] for name in shares}
    lack_in_all = dict.fromkeys(shares, 0.0)
    for label in sorted(strata):
        num_posts = sum(len(group) for group in strata[label])
        wanted = {name: share * num_posts for name, share in shares.items()}
        lack = dict(wanted)
        for name in shares:
            lack_in_all[name] += lack[name]
        for num_left, group in _countdown(strata[label], wanted, seed):
            bare = [name for name in shares if lack[name] == wanted[name] > 0]
            name = max(
                bare if num_left <= len(bare) else shares,
                key=lambda name: (round(lack[name], 6), lack_in_all[name]),
            )
            parts[name] += group
            lack[name] -= len(group)
            lack_in_all[name] -= len(group)
    return parts


def _countdown(
    groups: list[list[Post]], wanted: dict[str, float], seed: int
) -> Iterator[tuple[int, list[Post]]]:
    """Yield the groups in the order of the draw, with the number of those left."""
    big = min(value for value in wanted.values() if value > 0) / 2
    order = sorted(
        groups,
        key=lambda group: (-max(len(group) - big, 0.0), _draw(seed, group[0].id)),
    )
    yield from zip(range(len(order), 0, -1), order, strict=True)


def _section(posts: Iterable[Post], seed: int) -> dict[str, list[Post]]:
    parts: dict[str, list[Post]] = {name: [] for name in SPLIT_NAMES}
    for song in _collect((post.song or ("no song", post.id), post) for post in posts):
        drawn = sorted(song, key=lambda post: _draw(seed, post.id))
        num_test, num_validation = len(drawn) > 1, len(drawn) > 2
        parts["test"] += drawn[:num_test]
        parts["validation"] += drawn[num_test : num_test + num_validation]
        parts["train"] += drawn[num_test + num_validation :]
    return parts


def _given(
    posts: Sequence[Post], given: int, shares: dict[str, float], seed: int, split: str
) -> dict[str, list[Post]]:
    if given < len(posts):
        raise ValueError(
            f"{given} of {len(posts)} posts carry a `split` and "
            f"{len(posts) - given} do not. Fill it for all of them or for none."
        )
    parts = {name: [p for p in posts if p.split == name] for name in SPLIT_NAMES}
    if not parts["validation"] and split == "section":
        drawn = _section(parts["train"], seed)
        parts["train"] = drawn["train"] + drawn["validation"]
        parts["validation"] = drawn["test"]
    elif not parts["validation"]:
        names = ("train", "validation")
        total = sum(shares[name] for name in names)
        kept = {name: shares[name] / total for name in names}
        parts |= _allocate(_inseparable(parts["train"], split), kept, seed)
    return parts
