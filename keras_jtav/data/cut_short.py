"""Recordings that end before their header says so."""

from __future__ import annotations

import io
import re
from typing import BinaryIO

import soundfile

from keras_jtav.data.media_file import DecodeError

COMPLETE = 0.99  # share of the promised frames that a whole file holds
UNKNOWN_SIZE = 0x7FFF0000  # what streaming writers leave in a WAV header, and above


def refuse_cut_short(
    recording: soundfile.SoundFile, stream: BinaryIO, held: int, max_frames: int
) -> None:
    """Raise where a file holds less than its header promises.

    libsndfile corrects the frame count of a WAV or AIFF that ends early and says so in
    its log; of Ogg it counts the pages that are there; the length of an MP3 is an
    estimate unless a Xing or Info header states it.

    Args:
        recording: What libsndfile makes of the file.
        stream: The file.
        held: Frames that could be read.
        max_frames: Frames that were asked for.

    Raises:
        DecodeError: It ends early.
    """
    promised = min(recording.frames, max_frames)
    log = re.search(r"(?:data|SSND) *: (\d+) \(should be (\d+)\)", recording.extra_info)
    if log and 0 < int(log[1]) < UNKNOWN_SIZE:
        held, promised = int(log[2]), int(log[1])
    elif recording.format == "OGG" and not _last_page_is_whole(stream):
        raise DecodeError("ends inside a page of Ogg: fetch the file again")
    elif recording.format == "MP3" and not _states_length(stream):
        return
    if held < COMPLETE * promised:
        raise DecodeError(
            f"ends early, {held / promised:.0%} of it is there: fetch the file again"
        )


def _last_page_is_whole(stream: BinaryIO) -> bool:
    size = stream.seek(0, io.SEEK_END)
    stream.seek(max(0, size - (1 << 17)))  # a page has at most 65,307 bytes
    tail = stream.read()
    page = tail.rfind(b"OggS")
    segments = tail[page + 26] if page + 26 < len(tail) else 0
    body = tail[page + 27 : page + 27 + segments]
    return page + 27 + segments + sum(body) <= len(tail)


def _states_length(stream: BinaryIO) -> bool:
    stream.seek(0)
    head = stream.read(10)
    if head.startswith(b"ID3"):
        tag = head[6:10]  # seven bits a byte
        stream.seek(10 + (tag[0] << 21 | tag[1] << 14 | tag[2] << 7 | tag[3]))
    frame = stream.read(4096)
    return b"Xing" in frame or b"Info" in frame
