"""The manifest doctor: reads every row and every file once and says what is wrong."""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path

from keras_jtav.config import TASKS, DataOptions
from keras_jtav.data.check_media import MediaCheck, check_media
from keras_jtav.data.check_report import CheckReport, Finding, Summary
from keras_jtav.data.manifest import column_hints, read_manifest
from keras_jtav.data.pairs import unify_songs
from keras_jtav.data.post import TEXT_PARTS, Post, PostTable
from keras_jtav.data.splits import split_posts
from keras_jtav.data.tables import read_table
from keras_jtav.data.task_rules import post_problem, split_problem, words_problem
from keras_jtav.options import TASK_SPLITS

MIN_CLASS_SHARE = 0.1
MIN_CLASS_POSTS = MIN_SONGS = 3  # one for each part of a split

Parts = Mapping[str, Sequence[Post]]


def check_table(
    path: Path | str,
    task: str | None = None,
    data: DataOptions | Mapping[str, DataOptions] | None = None,
    seed: int = 0,
    trains_words: bool = True,
    progress: Callable[[Sequence], Iterable] = iter,
) -> CheckReport:
    """Look at a table of posts the way training would, and further.

    Args:
        path: What ``read_manifest`` reads; a table it cannot read is a finding too.
        task: ``sentiment`` or ``retrieval``; ``None`` looks at both.
        data: How training would split, and what it accepts and may read: for all
            tasks, or for each by its name; ``None``: the defaults of each.
        seed: Of the split.
        trains_words: Whether word vectors would be trained on the texts.
        progress: Wraps the list of files while they are decoded, such as ``tqdm``.

    Raises:
        ValueError: An unknown task.
    """
    if task not in (None, *TASKS):
        raise ValueError(
            f"`task` must be one of {', '.join(TASKS)}; received {task!r}."
        )
    tasks = TASKS if task is None else (task,)
    if data is None:
        data = {name: DataOptions(split=TASK_SPLITS[name]) for name in tasks}
    elif isinstance(data, DataOptions):
        data = dict.fromkeys(tasks, data)
    may_read = data[tasks[0]]
    try:
        columns, rows = read_table(path, may_read.max_table_bytes)
        table = read_manifest(path, "keep", may_read.outside, may_read.max_table_bytes)
    except (ValueError, FileNotFoundError) as error:
        finding = Finding("error", "table", "", str(error), "unreadable table")
        problems = {name: [str(error)] for name in tasks}
        return CheckReport(str(path), [finding], Summary(), problems)
    places = {
        str(row.get("id", f"row-{number}")).strip(): f"row {number}"
        for number, row in reversed(list(enumerate(rows, 1)))
    }

    def place(post: Post) -> str:
        return f"{places.get(post.id, 'post')} ({post.id})"

    media = check_media(table.posts, place, may_read, progress)
    findings = [
        Finding("warning", "table", "", hint, "ignored column")
        for hint in column_hints(columns)
    ]
    findings += [
        Finding("error", row.row, row.file, row.reason, "unusable row")
        for row in table.rejections
    ]
    findings += [*media.findings, *_texts(table.posts, place)]
    problems, splits = {}, {}
    for name in tasks:
        check = _TaskCheck(name, table, media, data[name], place, trains_words)
        splits[name] = check.split(seed)
        problems[name], findings = check.problems, [*findings, *check.findings]
    return CheckReport(
        str(path),
        list(dict.fromkeys(findings)),
        _summary(table, media, splits),
        problems,
    )


class _TaskCheck:
    """What one task finds: ``problems`` that stop its training, and ``findings``."""

    def __init__(
        self,
        task: str,
        table: PostTable,
        media: MediaCheck,
        data: DataOptions,
        place: Callable[[Post], str],
        trains_words: bool,
    ) -> None:
        self.problems: list[str] = []
        self.findings: list[Finding] = []
        self._task = task
        self._table = table
        self._media = media
        self._data = data
        self._place = place
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
        self._count([post for post in usable if not {post.audio, post.image} & bad])
        if parts:
            problem = split_problem(parts, self._task, self._table.class_names)
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
        if all(getattr(post, column) is None for post in posts):
            self.problems.append(f"no usable row has a {column}: fill `{column}`")
            return []
        posts = unify_songs(posts) if self._task == "retrieval" else posts
        usable = []
        for post in posts:
            if problem := post_problem(post, self._task):
                self._add("warning", post, problem, f"not for {self._task}")
            else:
                usable.append(post)
        return usable

    def _count(self, posts: Sequence[Post]) -> None:
        """Check that enough rows, classes and songs are left."""
        num_rows = len(self._table.posts) + len(self._table.rejections)
        share = 1 - len(posts) / num_rows
        if share > self._data.max_rejected:
            self.problems.append(
                f"{num_rows - len(posts)} of {num_rows} rows ({share:.1%}) cannot be "
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
                files = [post.image] if section and post.song else [*_files(post)]
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


def _files(post: Post) -> Iterator[Path]:
    yield from (file for file in (post.image, post.audio) if file is not None)


def _texts(posts: Sequence[Post], place: Callable[[Post], str]) -> Iterator[Finding]:
    any_text = any(post.texts for post in posts)
    for post in posts:
        for part, text in post.texts.items():
            if not re.search(r"\w", text):
                message = f"`{part}` holds no word: {text[:20]!r}"
                yield Finding("warning", place(post), "", message, "text without words")
        if any_text and not post.texts:
            message = f"has neither {' nor '.join(TEXT_PARTS)}, unlike other rows"
            yield Finding("info", place(post), "", message, "no text")


def _summary(
    table: PostTable, media: MediaCheck, splits: Mapping[str, Parts]
) -> Summary:
    bad = media.absent | media.unreadable
    posts = [post for post in table.posts if not bad & set(_files(post))]
    labels = Counter(post.label for post in posts)
    classes = {name: labels[label] for label, name in enumerate(table.class_names)}
    return Summary(
        rows=len(table.posts) + len(table.rejections),
        posts=len(posts),
        songs=len({post.song for post in posts if post.song}),
        missing=Counter(part for post in posts for part in post.missing),
        classes=classes if any(classes.values()) else {},
        splits={
            task: {name: len(part) for name, part in parts.items()}
            for task, parts in splits.items()
        },
    )
