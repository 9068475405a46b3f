"""Posts from a folder of files: what belongs together has one name."""

from __future__ import annotations

import os
from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import replace
from pathlib import Path

from keras_jtav.data.manifest import class_order
from keras_jtav.data.post import Post, PostTable, Rejection
from keras_jtav.data.tables import READERS, read_text

IMAGE_ENDINGS = (".png", ".jpg", ".jpeg", ".gif", ".bmp", ".webp", ".svg")
AUDIO_ENDINGS = (".wav", ".flac", ".ogg", ".opus", ".mp3", ".aif", ".aiff")
TEXT_ENDING = ".txt"
CAPTION_MARK = ".caption"
FOLDERS_ARE = ("", "classes", "songs")


def posts_from_folder(folder: Path | str, folders_are: str = "") -> PostTable:
    """Return the posts that lie in a folder as files.

    Files of one name are one post, in whatever folders they lie: ``images/p17.jpg``,
    ``audio/p17.mp3``, ``texts/p17.txt``. A ``.txt`` file holds the lyrics; it holds the
    caption where it is called ``p17.caption.txt`` or lies in a folder ``captions``.

    With ``classes``, the folders right below are the two classes, and a post's id
    begins with its own: ``glad/p17.jpg`` is a picture of ``glad/p17``.

    With ``songs``, the folders right below are songs. A song has one recording; the
    text that is called like it, or ``lyrics.txt``, is its lyrics. Every picture is a
    post, and the text that is called like the picture is its caption.

    Hidden files, tables and links that lead out of the folder are not read.

    Args:
        folder: Where the files are, at any depth.
        folders_are: ``classes``, ``songs``, or empty where they only keep order.

    Returns:
        Posts in the order of their names; the files that belong to none of them; the
        names of the classes.

    Raises:
        FileNotFoundError: There is no such folder.
        ValueError: Another ``folders_are``, no post, or not two classes.
    """
    if folders_are not in FOLDERS_ARE:
        raise ValueError(
            f"`folders_are` must be classes, songs or empty; received {folders_are!r}."
        )
    folder = Path(folder)
    if not folder.is_dir():
        raise FileNotFoundError(f"There is no folder {folder}. Check the path.")
    table = PostTable([])
    files = list(_usable_files(folder, table.rejections))
    if folders_are == "songs":
        table.posts.extend(_posts_of_songs(folder, files, table.rejections))
    else:
        in_classes = folders_are == "classes"
        table.posts.extend(_posts_by_name(folder, files, in_classes, table.rejections))
    if not table.posts:
        raise ValueError(
            f"{folder} holds no post. Expected files that end in "
            f"{', '.join((*IMAGE_ENDINGS, *AUDIO_ENDINGS, TEXT_ENDING))}"
            f"{f', inside folders of {folders_are}' if folders_are else ''}."
        )
    return _labelled(table, folder) if folders_are == "classes" else table


def _usable_files(folder: Path, rejections: list[Rejection]) -> Iterator[Path]:
    """Yield pictures, recordings and texts in the order of their paths."""
    found = []
    for place, below, names in os.walk(folder):
        below[:] = [name for name in below if not name.startswith(".")]
        found += [Path(place, name) for name in names if not name.startswith(".")]
    inside = folder.resolve()
    for file in sorted(found):
        if file.suffix.lower() in READERS:
            continue  # such as the table that an earlier call wrote
        if not _part(file):
            _reject(rejections, file, "is no picture, recording or .txt: leave it out")
        elif not file.resolve().is_relative_to(inside):
            _reject(rejections, file, "is a link out of the folder: copy the file")
        else:
            yield file


def _part(file: Path) -> str:
    """Return what a file is: image, audio, lyrics, caption, or nothing of ours.

    Example:
        >>> _part(Path("p1.JPG")), _part(Path("captions/p1.txt")), _part(Path("p1.pdf"))
        ('image', 'caption', '')
    """
    ending = file.suffix.lower()
    if ending == TEXT_ENDING:
        folders = {"caption", "captions"} & {part.lower() for part in file.parts[:-1]}
        is_caption = file.stem.lower().endswith(CAPTION_MARK) or folders
        return "caption" if is_caption else "lyrics"
    if ending in IMAGE_ENDINGS:
        return "image"
    return "audio" if ending in AUDIO_ENDINGS else ""


def _name(file: Path) -> str:
    """Return the name that a file shares with the others of its post.

    Example:
        >>> _name(Path("images/p1.jpg")), _name(Path("p1.caption.txt"))
        ('p1', 'p1')
    """
    stem = file.stem
    if file.suffix.lower() == TEXT_ENDING and stem.lower().endswith(CAPTION_MARK):
        return stem[: -len(CAPTION_MARK)]
    return stem


def _reject(rejections: list[Rejection], file: Path, why: str, row: str = "") -> None:
    rejections.append(Rejection(row, str(file), why))


def _below(
    folder: Path, files: Iterable[Path], rejections: list[Rejection]
) -> Iterator[tuple[str, Path]]:
    """Yield files with the folder right below that they lie in."""
    for file in files:
        first, *rest = file.relative_to(folder).parts
        if rest:
            yield first, file
        else:
            _reject(rejections, file, "lies in no folder of its own: move it into one")


def _posts_by_name(
    folder: Path, files: Iterable[Path], in_classes: bool, rejections: list[Rejection]
) -> list[Post]:
    if in_classes:
        placed = [(f"{c}/", file) for c, file in _below(folder, files, rejections)]
    else:
        placed = [("", file) for file in files]
    by_name: dict[str, dict[str, Path]] = defaultdict(dict)
    for prefix, file in placed:
        name, part = prefix + _name(file), _part(file.relative_to(folder))
        first = by_name[name].setdefault(part, file)
        if first != file:
            why = f"{name} has its {part} from {first} already: rename one"
            _reject(rejections, file, why, f"post {name}")
    posts = []
    for name, parts in sorted(by_name.items()):
        texts = {
            part: _text(parts[part], rejections)
            for part in ("lyrics", "caption")
            if part in parts
        }
        posts += _post(name, texts, parts.get("audio"), parts.get("image"))
    return posts


def _posts_of_songs(
    folder: Path, files: Iterable[Path], rejections: list[Rejection]
) -> list[Post]:
    songs: dict[str, dict[str, list[Path]]] = defaultdict(lambda: defaultdict(list))
    for song, file in _below(folder, files, rejections):
        part = _part(file)
        songs[song][part if part in ("image", "audio") else "text"].append(file)
    posts = []
    for song, parts in sorted(songs.items()):
        posts += _posts_of_song(song, parts, rejections)
    return posts


def _posts_of_song(
    song: str, files: dict[str, list[Path]], rejections: list[Rejection]
) -> list[Post]:
    recording, *others = files["audio"] or [None]
    for other in others:
        why = f"{song} has its recording from {recording} already: rename or remove one"
        _reject(rejections, other, why, f"song {song}")
    pictures: dict[str, Path] = {}
    for image in files["image"]:
        if pictures.setdefault(image.stem, image) != image:
            why = f"{pictures[image.stem]} has the same name: rename one"
            _reject(rejections, image, why, f"song {song}")
    texts, lyrics = {}, ""
    for file in files["text"]:
        name = _name(file)
        if name.lower() == "lyrics" or (recording and name == recording.stem):
            lyrics = lyrics or _text(file, rejections)
        elif name in pictures:
            texts[name] = _text(file, rejections)
        else:
            why = "is called like no picture, like no recording, and not lyrics.txt"
            _reject(rejections, file, why, f"song {song}")
    if not pictures:
        why = "has no picture, and a picture makes a post: add one"
        rejections.append(Rejection(f"song {song}", "", why))
    posts = []
    for name, image in pictures.items():
        own = {"lyrics": lyrics, "caption": texts.get(name, "")}
        posts += _post(f"{song}/{name}", own, recording, image, song)
    return posts


def _text(file: Path, rejections: list[Rejection]) -> str:
    """Return a text; empty, and rejected, where it cannot be read."""
    try:
        text = read_text(file).strip()
    except ValueError as error:
        _reject(rejections, file, str(error))
        return ""
    if not text:
        _reject(rejections, file, "is empty: fill it or remove it")
    return text


def _post(
    name: str,
    texts: dict[str, str],
    audio: Path | None,
    image: Path | None,
    song: str | None = None,
) -> list[Post]:
    """Return one post, or none where its texts were all that it had."""
    texts = {part: text for part, text in texts.items() if text}
    if not (texts or audio or image):
        return []
    return [Post(name, texts, audio, image, song=song)]


def _labelled(table: PostTable, folder: Path) -> PostTable:
    """Return the table with the class of each post, the first part of its id."""
    names = dict.fromkeys(post.id.partition("/")[0] for post in table.posts)
    if len(names) != 2:
        raise ValueError(
            f"{folder} must hold two folders of posts, one for each class; it holds "
            f"{len(names)}: {', '.join(list(names)[:8])}."
        )
    classes = class_order(*names)
    posts = [
        replace(post, label=classes.index(post.id.partition("/")[0]))
        for post in table.posts
    ]
    return replace(table, posts=posts, class_names=classes)
