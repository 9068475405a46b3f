"""Posts from a folder of files: what belongs together has one name."""

from __future__ import annotations

import os
import unicodedata
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from keras_jtav.data.labels import class_order
from keras_jtav.data.post import Post, PostTable, Rejection
from keras_jtav.data.tables import READERS, read_text

IMAGE_ENDINGS = (".png", ".jpg", ".jpeg", ".gif", ".bmp", ".webp", ".svg")
AUDIO_ENDINGS = (".wav", ".flac", ".ogg", ".opus", ".mp3", ".aif", ".aiff")
TEXT_ENDING = ".txt"
CAPTION_MARK = ".caption"
LYRICS_NAME = "lyrics"
FOLDERS_ARE = ("", "classes", "songs")


def posts_from_folder(folder: Path | str, folders_are: str = "") -> PostTable:
    """Return the posts that lie in a folder as files.

    Files of one name are one post, in whatever folders they lie: ``images/p17.jpg``,
    ``audio/p17.mp3``, ``texts/p17.txt``. A ``.txt`` file holds the lyrics; it holds the
    caption where it is called ``p17.caption.txt`` or lies in a folder ``captions``.

    With ``classes``, the folders right below are the two classes, and a post's id
    begins with its own: ``glad/p17.jpg`` is a picture of ``glad/p17``.

    With ``songs``, the folders right below are songs. A song has one recording; its
    lyrics are ``lyrics.txt``, else the text that is called like the recording. Every
    picture is a post; its caption is ``sea.caption.txt`` (or lies in ``captions``),
    else the text that is called like the picture.

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
    stem = _composed(file.stem)
    if file.suffix.lower() == TEXT_ENDING and stem.lower().endswith(CAPTION_MARK):
        return stem[: -len(CAPTION_MARK)]
    return stem


def _composed(name: str) -> str:
    """Return a name in one of its Unicode forms; macOS writes another than most."""
    return unicodedata.normalize("NFC", name)


def _reject(rejections: list[Rejection], file: Path, why: str, row: str = "") -> None:
    rejections.append(Rejection(row, str(file), why))


def _below(
    folder: Path, files: Iterable[Path], rejections: list[Rejection]
) -> Iterator[tuple[str, Path]]:
    """Yield files with the folder right below that they lie in."""
    for file in files:
        first, *rest = file.relative_to(folder).parts
        if rest:
            yield _composed(first), file
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
        part = _part(Path(*file.relative_to(folder).parts[1:]))
        songs[song][part].append(file)
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
        first = pictures.setdefault(f"{song}/{_name(image)}", image)
        if first != image:
            why = f"{first} has the same name: rename one"
            _reject(rejections, image, why, f"song {song}")
    texts = _texts_of_song(song, files, recording, pictures, rejections)
    if not pictures:
        why = "has no picture, and a picture makes a post: add one"
        rejections.append(Rejection(f"song {song}", "", why))
    posts = []
    for name, image in pictures.items():
        owners = {"lyrics": song, "caption": name}
        own = {part: texts.get((part, owner), "") for part, owner in owners.items()}
        posts += _post(name, own, recording, image, song)
    return posts


def _texts_of_song(
    song: str,
    files: dict[str, list[Path]],
    recording: Path | None,
    pictures: Iterable[str],
    rejections: list[Rejection],
) -> dict[tuple[str, str], str]:
    """Return the lyrics of a song and the captions of its pictures, by part and owner.

    Files whose names say the part go first; others fill what these leave.
    """
    texts: dict[tuple[str, str], str] = {}
    sources: dict[tuple[str, str], Path] = {}
    for part in ("caption", "lyrics"):
        for file in sorted(files[part], key=lambda file: not _is_called_lyrics(file)):
            uses = []
            if part == "lyrics" and _may_be_lyrics(file, recording):
                uses.append((part, song))
            if (picture := f"{song}/{_name(file)}") in pictures:
                uses.append(("caption", picture))
            free = [use for use in uses if use not in texts]
            if not free:
                why = _why_left(part, uses, sources)
                _reject(rejections, file, why, f"song {song}")
            elif text := _text(file, rejections):
                texts[free[0]], sources[free[0]] = text, file
    return texts


def _may_be_lyrics(file: Path, recording: Path | None) -> bool:
    like_recording = recording is not None and _name(file) == _name(recording)
    return like_recording or _is_called_lyrics(file)


def _is_called_lyrics(file: Path) -> bool:
    return _name(file).lower() == LYRICS_NAME


def _why_left(
    part: str,
    uses: Sequence[tuple[str, str]],
    sources: Mapping[tuple[str, str], Path],
) -> str:
    """Return why a text of a song is left out: its uses are taken, or it has none."""
    if uses:
        taken, owner = uses[0]
        return f"{owner} has its {taken} from {sources[uses[0]]} already: rename one"
    if part == "caption":
        return "is a caption and called like no picture: rename it"
    return "is called like no picture, like no recording, and not lyrics.txt: rename it"


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
