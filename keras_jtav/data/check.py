"""The manifest doctor: reads every row and every file once and says what is wrong."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path

from keras_jtav.config import MODALITIES, TASKS, DataOptions
from keras_jtav.data.check_media import MediaCheck, check_media
from keras_jtav.data.check_report import CheckReport, Finding, Summary
from keras_jtav.data.check_task import Parts, TaskCheck, files_of
from keras_jtav.data.manifest import column_hints, read_manifest, rows_by_id
from keras_jtav.data.post import TEXT_PARTS, Post, PostTable
from keras_jtav.data.tables import read_table
from keras_jtav.options import TASK_SPLITS


def check_table(
    path: Path | str,
    task: str | None = None,
    data: DataOptions | Mapping[str, DataOptions] | None = None,
    seed: int = 0,
    modalities: Sequence[str] = MODALITIES,
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
        modalities: What the system perceives.
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
    table, problems = _read(path, tasks, may_read)
    if table is None:
        findings = [
            Finding("error", "table", "", problem, "unreadable table")
            for (problem,) in problems.values()
        ]
        findings = list(dict.fromkeys(findings))
        return CheckReport(str(path), findings, Summary(), problems)
    columns, rows = read_table(path, may_read.max_table_bytes)
    places = {id_: f"row {n}" for id_, n in rows_by_id(columns, rows).items()}

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
    splits: dict[str, Parts] = {}
    for name in tasks:
        if name in problems:
            continue
        check = TaskCheck(
            name, table, media, data[name], place, modalities, trains_words
        )
        splits[name] = check.split(seed)
        problems[name], findings = check.problems, [*findings, *check.findings]
    return CheckReport(
        str(path),
        list(dict.fromkeys(findings)),
        _summary(table, media, splits),
        problems,
    )


def _read(
    path: Path | str, tasks: Sequence[str], may_read: DataOptions
) -> tuple[PostTable | None, dict[str, list[str]]]:
    """Read a table for the first task that can use it.

    Returns:
        The table, ``None`` where no task can; and why those before it cannot.
    """
    arguments = (path, "keep", may_read.outside, may_read.max_table_bytes)
    problems = {}
    for task in tasks:
        try:
            return read_manifest(*arguments, task), problems
        except (ValueError, FileNotFoundError) as error:
            problems[task] = [str(error)]
    return None, problems


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
    posts = [post for post in table.posts if not bad & set(files_of(post))]
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
