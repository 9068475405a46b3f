"""Which rows make a training batch: shuffled posts, or queries with false songs.

A plan is a pure function of the seed and the epoch, so that a resumed run draws the
same batches as an undisturbed one.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from keras_jtav.data.post import Post


@dataclass(frozen=True)
class Batch:
    """Rows of one training step.

    Args:
        queries: Indices of posts, ``(batch,)``.
        songs: Indices of posts whose song is the candidate, ``(batch, candidates)``;
            the true song first. Sentiment: ``(batch, 1)``, the posts themselves.
        draws: Uniform numbers in [0, 1) that choose each candidate's audio segment,
            ``(batch, candidates)``.
    """

    queries: np.ndarray
    songs: np.ndarray
    draws: np.ndarray


class BatchPlan:
    """Draws the batches of every epoch (Sec. 3.3).

    Args:
        posts: The training posts.
        batch_size: Rows per step; fewer posts make smaller batches.
        negatives: False songs per query; 0 for sentiment.
        seed: Of all draws.
        share: Which of how many equal parts of every batch is read, where several
            processes train together.

    Raises:
        ValueError: No posts, or one without a false song where these are wanted.

    Attributes:
        keys: As ``song_keys`` returns them.
        song_rows: Posts that stand for the songs, of which false songs are drawn.
    """

    def __init__(
        self,
        posts: Sequence[Post],
        batch_size: int,
        negatives: int,
        seed: int,
        share: tuple[int, int] = (0, 1),
    ) -> None:
        if not posts:
            raise ValueError(
                "There is no training post. Check the table and its split."
            )
        self.num_posts = len(posts)
        self.batch_size = min(batch_size, self.num_posts)
        self.negatives = negatives
        self.seed = seed
        self._share = share
        self.keys = song_keys(posts)
        self.song_rows = first_rows_of_songs(posts) if negatives else np.arange(0)
        if negatives and (problem := false_song_problem(posts)):
            raise ValueError(f"Retrieval cannot be trained: {problem}.")

    @property
    def steps_per_epoch(self) -> int:
        """Full batches in an epoch; the remainder waits for the next shuffle."""
        return self.num_posts // self.batch_size

    @property
    def rows_per_step(self) -> int:
        """Rows of a batch that are read here."""
        return self.batch_size // self._share[1]

    def epoch(self, epoch: int) -> Iterator[Batch]:
        """Yield the batches of one epoch, or this process's share of them."""
        first = self._share[0] * self.rows_per_step
        own = slice(first, first + self.rows_per_step)
        random = np.random.default_rng([self.seed, epoch])
        order = random.permutation(self.num_posts)
        for step in range(self.steps_per_epoch):
            queries = order[step * self.batch_size :][: self.batch_size]
            songs = np.column_stack([queries, *self._false_songs(queries, random)])
            draws = random.random(songs.shape)
            yield Batch(queries[own], songs[own], draws[own])

    def _false_songs(
        self, queries: np.ndarray, random: np.random.Generator
    ) -> Iterator[np.ndarray]:
        """Yield one column of false songs, ``(batch,)``, for each negative."""
        for _ in range(self.negatives):
            drawn = random.choice(self.song_rows, len(queries))
            while (same := (self.keys[drawn] == self.keys[queries]).any(-1)).any():
                drawn[same] = random.choice(self.song_rows, int(same.sum()))
            yield drawn


def song_keys(posts: Sequence[Post]) -> np.ndarray:
    """Return a number of each post's group and one of its song, int ``(posts, 2)``.

    Posts that share one of them are no false partners of each other.
    """
    names = (
        [post.group_key for post in posts],
        [post.song or "" for post in posts],
    )
    return np.column_stack([np.unique(n, return_inverse=True)[1] for n in names])


def false_song_problem(posts: Sequence[Post]) -> str:
    """Return which post has no false song to be told from; empty if all have one.

    Example:
        >>> false_song_problem([Post("p1", {"caption": "so happy"}, song="s1")])
        "post 'p1' shares its song or its group with all songs: add other songs"
    """
    keys, rows = song_keys(posts), first_rows_of_songs(posts)
    groups, songs = keys.T
    songs_of_group = np.bincount(groups[rows], minlength=groups.max() + 1)
    group_of_song = np.empty(len(rows), int)
    group_of_song[songs[rows]] = groups[rows]
    shared = songs_of_group[groups] + (group_of_song[songs] != groups)
    if (shared < len(rows)).all():
        return ""
    lone = posts[int(np.argmax(shared))]
    return (
        f"post {lone.id!r} shares its song or its group with all songs: add other songs"
    )


def first_rows_of_songs(posts: Sequence[Post]) -> np.ndarray:
    """Return the index of the first post of every song, in order of appearance.

    Raises:
        ValueError: A post without a song.
    """
    first: dict[str, int] = {}
    for row, post in enumerate(posts):
        if not post.song:
            raise ValueError(
                f"Post {post.id!r} names no song. Retrieval needs `song` in every row."
            )
        first.setdefault(post.song, row)
    return np.fromiter(first.values(), dtype=np.int64)


def groups_of_songs(posts: Sequence[Post]) -> list[str]:
    """Return the group of each post's song: that of the song's first post.

    What depends on each other has one name, so that statistics can keep it together.

    Example:
        >>> posts = [Post("p1", {"caption": "la"}, song="s1", group="album")]
        >>> groups_of_songs([*posts, Post("p2", {"caption": "la"}, song="s1")])
        ['album', 'album']
    """
    group_of = {post.song: post.group_key for post in reversed(posts)}
    return [group_of[post.song] for post in posts]


def unify_songs(posts: Sequence[Post]) -> list[Post]:
    """Give every post of a song the song's recording and lyrics.

    A song's recording is the first one among its posts, and so are its lyrics.
    """
    audio: dict[str, Path] = {}
    lyrics: dict[str, str] = {}
    for post in posts:
        if post.song and post.audio is not None:
            audio.setdefault(post.song, post.audio)
        if post.song and post.texts.get("lyrics"):
            lyrics.setdefault(post.song, post.texts["lyrics"])
    return [
        replace(
            post,
            audio=audio.get(post.song, post.audio),
            texts={**post.texts, "lyrics": lyrics.get(post.song, "")},
        )
        if post.song
        else post
        for post in posts
    ]
