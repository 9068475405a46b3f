"""Real pictures, texts and voices: the Debian package ``tuxpaint-stamps-default``.

Every stamp of the drawing program Tux Paint is a picture with its name in many
languages and recordings of that name, one voice a language. The package (2022.06.04-1)
has 950 stamps. ``tuxpaint_groups.csv`` (made once for this loader) holds their names, a
class and a group: recolours, mirror images and stamps that share a name or a recording
have one group. The 158 letters and digits take part in no task.

Two tasks are made of them:

- ``sentiment``, here the two classes of ``kind``: 0 living nature, 1 man-made. 529
  stamps (462 groups) with recordings in French, Spanish and Russian. Caption = English
  line, lyrics = the lines of twelve languages, recording = Spanish.
- ``retrieval``. 662 stamps (555 groups) with recordings and lines in Spanish, Russian,
  Romanian, Bulgarian and Belarusian.

  - ``dagger``, songs unseen in training: a song is a stamp's Spanish recording and
    English line, a query its picture and Russian caption. 100 groups drawn at random
    are for test, 60 for validation, one stamp of each (the group's others are left
    out, as they would be right answers that count as wrong); all other stamps are for
    training.
  - ``section``, songs whose siblings were seen: one stamp of every group (555), five
    songs of every stamp, namely its recording and line in each language. The query is
    the picture and the English line. One song of every stamp, drawn at random, is for
    test, another for validation, three for training.
  - ``random``: songs and queries as in ``dagger``, one stamp of every group, no split
    decided here.

Choice: recordings in French and Catalan are not used, as their loudness gives the class
away (AUC .75; two recording sessions), and captions in Latin script are no default, as
they match the English line letter by letter. Known weak leaks that stay: caption length
(AUC .73), length of the Spanish recording (.68), PNG or SVG (.67). The folder names
give the class away entirely: they stay in ids and file paths, which no model reads.
Sound effects (four of them silent) and one misnamed Danish recording are not used.

The package is GPL-2+ with single items under other free licences; nothing of its media
is part of this repository.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import numpy as np

from keras_jtav.data.post import Post, PostTable
from keras_jtav.data.tuxpaint_stamps import Stamp, read_stamps

STAMPS_FOLDER = "/usr/share/tuxpaint/stamps"
TASKS = ("sentiment", "retrieval")
SPLITS = ("dagger", "section", "random")
CLASS_NAMES = ("living", "man-made")
KIND_CLIPS = ("fr", "es", "ru")
KIND_LINES = ("de", "es", "it", "pt", "nl", "sv", "pl", "fi", "hu", "tr", "eo", "hr")
KIND_LINE_WORDS = 10
RETRIEVAL_LANGUAGES = ("es", "ru", "ro", "bg", "be")


def load_tuxpaint(
    task: str = "sentiment",
    split: str = "dagger",
    split_seed: int = 0,
    folder: str | Path = STAMPS_FOLDER,
    caption_language: str | None = None,
    test_songs: int = 100,
    validation_songs: int = 60,
) -> PostTable:
    """Make posts of the installed stamps (see the module for the two tasks).

    Args:
        task: ``sentiment`` (the task ``kind``) or ``retrieval``.
        split: Of retrieval: ``dagger``, ``section`` or ``random``. Posts of sentiment
            and of ``random`` carry no split, only their group.
        split_seed: Decides which stamps and songs are held out.
        folder: The package's folder of stamps.
        caption_language: Language of the queries' captions in retrieval; ``None`` is
            ``ru``, in ``section`` ``en``. It cannot be a language of the songs.
        test_songs: Groups of ``dagger`` held out for test.
        validation_songs: Groups of ``dagger`` held out for validation.

    Returns:
        The posts; stamps of the list whose picture or text is not in the folder are
        rejections.

    Raises:
        FileNotFoundError: No stamp in the folder.
        ValueError: An unknown task, split or language, or too few groups.
    """
    _check_name("task", task, TASKS)
    _check_name("split", split, SPLITS)
    stamps, rejections = read_stamps(folder)
    if task == "sentiment":
        return PostTable(_kind_posts(stamps), rejections, CLASS_NAMES)
    stamps = _spoken_stamps(stamps)
    caption_language = caption_language or ("en" if split == "section" else "ru")
    song_languages = RETRIEVAL_LANGUAGES if split == "section" else ("en",)
    _check_caption_language(caption_language, song_languages, stamps)
    generator = np.random.default_rng(split_seed)
    if split == "section":
        posts = _section_posts(stamps, caption_language, generator)
    elif split == "dagger":
        held_out = {"test": test_songs, "validation": validation_songs}
        posts = _dagger_posts(stamps, caption_language, held_out, generator)
    else:
        posts = [
            _query(stamp, caption_language, None)
            for stamp in _one_of_each_group(stamps, generator)
        ]
    return PostTable(posts, rejections)


def _check_name(name: str, value: str, valid: Iterable[str]) -> None:
    if value not in valid:
        raise ValueError(
            f"`{name}` must be one of {', '.join(valid)}; received {value!r}."
        )


def _check_caption_language(
    language: str, song_languages: tuple[str, ...], stamps: list[Stamp]
) -> None:
    if language in song_languages:
        raise ValueError(
            f"`caption_language` {language!r} is the language of a song's text, so the "
            "caption would be the answer. Choose another one."
        )
    known = sorted({known for stamp in stamps for known in stamp.lines})
    _check_name("caption_language", language, known)


def _kind_posts(stamps: list[Stamp]) -> list[Post]:
    """Make the posts of the task ``kind``."""
    return [
        Post(
            id=stamp.stem,
            texts={
                "lyrics": " ".join(
                    word
                    for language in KIND_LINES
                    for word in stamp.lines.get(language, "").split()[:KIND_LINE_WORDS]
                ),
                "caption": stamp.lines.get("en", ""),
            },
            audio=stamp.clip("es"),
            image=stamp.image,
            label=stamp.kind,
            group=stamp.group,
        )
        for stamp in stamps
        if stamp.kind is not None and stamp.speaks(KIND_CLIPS)
    ]


def _spoken_stamps(stamps: list[Stamp]) -> list[Stamp]:
    """Keep the stamps with recording and line in all languages of retrieval."""
    return [
        stamp
        for stamp in stamps
        if stamp.speaks(RETRIEVAL_LANGUAGES)
        and all(language in stamp.lines for language in RETRIEVAL_LANGUAGES)
    ]


def _dagger_posts(
    stamps: list[Stamp],
    caption_language: str,
    held_out: dict[str, int],
    generator: np.random.Generator,
) -> list[Post]:
    """Make posts whose test and validation groups are unseen in training."""
    candidates = _one_of_each_group(stamps, generator)
    if min(held_out.values()) < 1 or sum(held_out.values()) >= len(candidates):
        raise ValueError(
            "`test_songs` and `validation_songs` must be at least 1 and leave groups "
            f"for training; received {held_out['test']} and "
            f"{held_out['validation']} of {len(candidates)} groups."
        )
    names = [split for split, count in held_out.items() for _ in range(count)]
    drawn = generator.permutation(len(candidates))[: len(names)]
    split_of = {
        candidates[index].group: name for index, name in zip(drawn, names, strict=True)
    }
    kept = {stamp.stem for stamp in candidates}
    return [
        _query(stamp, caption_language, split_of.get(stamp.group, "train"))
        for stamp in stamps
        if stamp.group not in split_of or stamp.stem in kept
    ]


def _section_posts(
    stamps: list[Stamp], caption_language: str, generator: np.random.Generator
) -> list[Post]:
    """Make posts of five songs a stamp, one for test and one for validation."""
    posts = []
    for stamp in _one_of_each_group(stamps, generator):
        drawn = generator.permutation(RETRIEVAL_LANGUAGES).tolist()
        split_of = dict.fromkeys(drawn, "train")
        split_of |= {drawn[0]: "test", drawn[1]: "validation"}
        posts += [
            Post(
                id=f"{stamp.stem}:{language}",
                texts={
                    "lyrics": stamp.lines[language],
                    "caption": stamp.lines.get(caption_language, ""),
                },
                audio=stamp.clip(language),
                image=stamp.image,
                song=f"{stamp.stem}:{language}",
                split=split_of[language],
                group=stamp.group,
            )
            for language in RETRIEVAL_LANGUAGES
        ]
    return posts


def _query(stamp: Stamp, caption_language: str, split: str | None) -> Post:
    """Make the post of a stamp whose song is Spanish sound and English text."""
    return Post(
        id=stamp.stem,
        texts={
            "lyrics": stamp.lines.get("en", ""),
            "caption": stamp.lines.get(caption_language, ""),
        },
        audio=stamp.clip("es"),
        image=stamp.image,
        song=stamp.stem,
        split=split,
        group=stamp.group,
    )


def _one_of_each_group(
    stamps: list[Stamp], generator: np.random.Generator
) -> list[Stamp]:
    """Draw one stamp of every group, in the order of the list."""
    drawn: dict[str, Stamp] = {}
    for index in generator.permutation(len(stamps)):
        drawn.setdefault(stamps[index].group, stamps[index])
    kept = {stamp.stem for stamp in drawn.values()}
    return [stamp for stamp in stamps if stamp.stem in kept]
