"""The manifest doctor's look at files: each is read and decoded once."""

from __future__ import annotations

import os
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from keras_jtav.config import SAMPLE_RATE_HZ, DataOptions
from keras_jtav.data.cache import content_digest
from keras_jtav.data.check_report import Finding
from keras_jtav.data.decode import decode_audio, decode_image
from keras_jtav.data.media_file import DecodeError, refuse_large
from keras_jtav.data.missing_file import missing_reason
from keras_jtav.data.post import Post

MIN_AUDIO_SECONDS = 0.5
SILENT_PEAK = 1e-4  # -80 dB of full scale
MODALITIES = ("image", "audio")


@dataclass(frozen=True)
class MediaCheck:
    """What the files of a table are like.

    Args:
        findings: What is wrong, once per file.
        absent: Files that are not there.
        unreadable: Files that cannot be decoded.
        digests: Content of the other files, as a hash.
    """

    findings: list[Finding] = field(default_factory=list)
    absent: set[Path] = field(default_factory=set)
    unreadable: set[Path] = field(default_factory=set)
    digests: dict[Path, str] = field(default_factory=dict)


def check_media(
    posts: Sequence[Post],
    place: Callable[[Post], str],
    data: DataOptions,
    progress: Callable[[Sequence], Iterable],
) -> MediaCheck:
    """Decode every distinct file of the posts.

    Args:
        posts: Posts whose files are looked at.
        place: Names a post's row in the findings.
        data: Limits on what is decoded.
        progress: Wraps the list of files.
    """
    users: dict[tuple[str, Path], list[Post]] = defaultdict(list)
    for post in posts:
        for modality in MODALITIES:
            if file := getattr(post, modality):
                users[modality, file].append(post)
    check = MediaCheck()
    judged: dict[tuple[str, str], list[tuple[str, str, str]]] = {}
    for modality, file in progress(list(users)):
        try:
            if not os.path.isfile(file):  # opening a pipe would wait for ever
                raise FileNotFoundError(file)
            refuse_large(file, data.max_file_bytes)
            digest = content_digest(file)
        except DecodeError as error:
            verdicts = [("error", _message(error, file), f"unreadable {modality}")]
        except OSError:
            check.absent.add(file)
            verdicts = [("error", missing_reason(file), "missing file")]
        else:
            check.digests[file] = digest
            if (modality, digest) not in judged:
                judged[modality, digest] = list(_judge(modality, file, data))
            verdicts = judged[modality, digest]
        row = place(users[modality, file][0])
        if len(users[modality, file]) > 1:
            row += f" and {len(users[modality, file]) - 1} more"
        for severity, message, kind in verdicts:
            check.findings.append(Finding(severity, row, str(file), message, kind))
            if kind.startswith("unreadable"):
                check.unreadable.add(file)
    return check


def _judge(
    modality: str, file: Path, data: DataOptions
) -> Iterator[tuple[str, str, str]]:
    """Decode a file; yield severity, message and kind of what is wrong with it."""
    try:
        if modality == "image":
            decode_image(file, data.max_image_pixels, data.max_file_bytes)
            return
        waveform = decode_audio(file, data.max_audio_seconds, data.max_file_bytes)
    except DecodeError as error:
        yield "error", _message(error, file), f"unreadable {modality}"
        return
    seconds = len(waveform) / SAMPLE_RATE_HZ
    if seconds < MIN_AUDIO_SECONDS:
        message = f"lasts {seconds:.2f} s: take a longer recording"
        yield "warning", message, "short audio"
    if np.abs(waveform).max() < SILENT_PEAK:
        yield "warning", "is silent: replace it or empty the cell", "silent audio"


def _message(error: DecodeError, file: Path) -> str:
    return str(error).removeprefix(f"{file}: ").rstrip(".")
