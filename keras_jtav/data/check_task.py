"""What one task makes of a table: the part of the doctor that knows splits."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path

from keras_jtav.config import DataOptions
from keras_jtav.data.check_media import MediaCheck
from keras_jtav.data.check_report import Finding
from keras_jtav.data.pairs import unify_songs
from keras_jtav.data.post import Post, PostTable
from keras_jtav.data.splits import split_posts
from keras_jtav.data.task_rules import (
    post_problem,
    training_problem,
    with_texts,
    words_problem,
)

MIN_CLASS_SHARE = 0.1
MIN_CLASS_POSTS = MIN_SONGS = 3  # one for each part of a split

Parts = Mapping[str, Sequence[Post]]


class TaskCheck:
    """What one task finds: ``problems`` that stop its training, and ``findings``.

    Args:
        task: ``sentiment`` or ``retrieval``.
        table: The posts, with those whose files are bad.
        media: What was found in their files.
        data: How training would split, and what it accepts.
        place: Names the row of a post.
        modalities: What the system perceives.
        trains_words: Whether word vectors would be trained on the texts.
    """

    def __init__(
        self,
        task: str,
        table: PostTable,
        media: MediaCheck,
        data: DataOptions,
        place: Callable[[Post], str],
        modalities: Sequence[str],
        trains_words: bool,
    ) -> None:
        self.problems: list[str] = []
        self.findings: list[Finding] = []
        self._task = task
        self._table = table
        self._media = media
        self._data = data
        self._place = place
        self._modalities = modalities
        self._trains_words = trains_words

    def split(self, seed: int) -> Parts:
        """Go through the steps of training; return the split, empty where it fails."""
        usable = self._usable()
        if not usable:
            if not self.problems:
                self.problems.append("no post can be used; the findings say why")
            return {}
        try:
            parts = split_posts(usable, self._data.split, self._data.fractions, seed)
        except ValueError as error:
            self.problems.append(str(error))
            parts = {}
        bad = self._media.unreadable
        parts = {
            name: [post for post in posts if not {post.audio, post.image} & bad]
            for name, posts in parts.items()
        }
        readable = [post for post in usable if not {post.audio, post.image} & bad]
        parts, without_content = with_texts(parts, self._data.texts)
        by_row = {f"post {post.id}": post for post in usable}
        for rejection in without_content:
            self._add("warning", by_row[rejection.row], rejection.reason, "no content")
        self._count(readable, len(without_content))
        if parts:
            problem = training_problem(
                parts,
                self._task,
                self._table.class_names,
                self._modalities,
                self._data.max_rejected,
            )
            if not problem and self._trains_words:
                problem = words_problem(parts["train"])
            self.problems += [problem] if problem else []
            self._leaks(parts)
        return parts

    def _usable(self) -> list[Post]:
        """Return the posts of the task, those with unreadable files among them."""
        column = "label" if self._task == "sentiment" else "song"
        absent = self._media.absent
        posts = [
            post
            for post in self._table.posts
            if post.audio not in absent and post.image not in absent
        ]
        if posts and all(getattr(post, column) is None for post in posts):
            self.problems.append(f"no usable row has a {column}: fill `{column}`")
            return []
        if self._task == "retrieval":
            self._other_versions(posts)
            posts = unify_songs(posts)
        usable = []
        for post in posts:
            if problem := post_problem(post, self._task):
                self._add("warning", post, problem, f"not for {self._task}")
            else:
                usable.append(post)
        return usable

    def _other_versions(self, posts: Sequence[Post]) -> None:
        """Warn of recordings and lyrics that are not those of the song's first post."""
        first: dict[tuple[str, str], tuple[str, Post]] = {}
        for post in posts:
            lyrics = post.texts.get("lyrics", "")
            recording = self._media.digests.get(post.audio, "")
            for part, version in (("audio", recording), ("lyrics", lyrics)):
                if not post.song or not version:
                    continue
                told, by = first.setdefault((post.song, part), (version, post))
                if told != version:
                    message = (
                        f"`{part}` is not that of {self._place(by)}, which stands for "
                        f"the song {post.song!r}, and is left out: give another "
                        "version another name in `song`"
                    )
                    self._add("warning", post, message, f"other {part} of a song")

    def _count(self, posts: Sequence[Post], num_without_content: int) -> None:
        """Check that enough rows, classes and songs are left."""
        num_rows = len(self._table.posts) + len(self._table.rejections)
        num_bad = num_rows - len(posts) + num_without_content
        share = num_bad / num_rows
        if share > self._data.max_rejected:
            self.problems.append(
                f"{num_bad} of {num_rows} rows ({share:.1%}) cannot be "
                f"used, more than --max-rejected {self._data.max_rejected} allows"
            )
        if self._task == "sentiment":
            self._count_classes(Counter(post.label for post in posts))
        else:
            self._count_songs(posts)

    def _count_classes(self, counts: Mapping[int | None, int]) -> None:
        for label, name in enumerate(self._table.class_names):
            if counts[label] < MIN_CLASS_POSTS:
                self.problems.append(
                    f"class {name!r} has {counts[label]} usable posts; needs "
                    f"{MIN_CLASS_POSTS} or more"
                )
            elif counts[label] < MIN_CLASS_SHARE * sum(counts.values()):
                message = (
                    f"class {name!r} has {counts[label]} of {sum(counts.values())} "
                    "labelled posts: look at AUC and F1, not at accuracy"
                )
                self._add("warning", None, message, "class balance")

    def _count_songs(self, posts: Sequence[Post]) -> None:
        queries: dict[str | None, list[Post]] = defaultdict(list)
        for post in posts:
            queries[post.song].append(post)
        for song, (first, *others) in queries.items():
            if not others:
                message = f"is the only post of the song {song!r}"
                self._add("info", first, message, "song with one query")
        if len(queries) < MIN_SONGS:
            self.problems.append(
                f"{len(queries)} usable songs; needs {MIN_SONGS} or more"
            )

    def _leaks(self, parts: Parts) -> None:
        """Warn of files and songs on both sides of the split.

        Under the section sign the posts of one song part on purpose.
        """
        section = self._data.split == "section"
        homes: dict[tuple[str, str], list[tuple[str, Post, Path | str]]] = {}
        for name, posts in parts.items():
            for post in posts:
                files = [post.image] if section and post.song else [*files_of(post)]
                shared = [("file", self._media.digests.get(f, ""), f) for f in files]
                if post.song and not section:
                    shared.append(("song", post.song, ""))
                for kind, key, file in shared:
                    if key:
                        homes.setdefault((kind, key), []).append((name, post, file))
        for (kind, key), users in homes.items():
            name, first, file = users[0]
            for other_name, other, other_file in users:
                if other_name != name:
                    what = f"song {key!r}" if kind == "song" else "content"
                    called = f", {other_file}" if other_file != file else ""
                    message = (
                        f"the same {what} is in {name} and, with "
                        f"{self._place(other)}{called}, in {other_name}: give both "
                        "one `group`"
                    )
                    kind = f"same {kind} on both sides of a split"
                    self._add("warning", first, message, kind, str(file))
                    break

    def _add(
        self, severity: str, post: Post | None, message: str, kind: str, file: str = ""
    ) -> None:
        row = "table" if post is None else self._place(post)
        self.findings.append(Finding(severity, row, file, message, kind))


def files_of(post: Post) -> Iterator[Path]:
    """Yield the picture and the recording of a post."""
    yield from (file for file in (post.image, post.audio) if file is not None)
