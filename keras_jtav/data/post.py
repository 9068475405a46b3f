"""The one schema of a post: what every source yields and everything else reads."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from keras_jtav.data.ready_features import ReadyFeatures
    from keras_jtav.data.record_folder import RecordFolder

TEXT_PARTS = ("lyrics", "caption")
# By modality.
PARTS_OF = {"text": TEXT_PARTS, "audio": ("audio",), "image": ("image",)}
SPLIT_NAMES = ("train", "validation", "test")


@dataclass(frozen=True)
class Post:
    """One post: text parts, a recording and a picture, any of which may be missing.

    Args:
        id: Unique name of the post.
        texts: Text parts by name (``lyrics``, ``caption``); absent or empty is missing.
        audio: File of the recording.
        image: File of the picture.
        label: Sentiment, 1 positive and 0 negative; ``None`` where unknown.
        song: Name of the song the post's picture belongs to (retrieval): posts that
            share a song are its queries. Its audio and lyrics are the song's.
        split: ``train``, ``validation`` or ``test`` where the source decides it.
        group: Posts of one group never part over a split and are never false partners
            of each other. Empty: the song, else the recording, else the id.

    Raises:
        ValueError: An empty id, no content at all, or a label or split of another kind.

    Example:
        >>> post = Post("p1", {"caption": "so happy"}, image=Path("p1.png"), label=1)
        >>> post.missing
        ('lyrics', 'audio')
    """

    id: str
    texts: Mapping[str, str] = field(default_factory=dict)
    audio: Path | None = None
    image: Path | None = None
    label: int | None = None
    song: str | None = None
    split: str | None = None
    group: str = ""

    def __post_init__(self) -> None:
        if not self.id:
            raise ValueError("A post needs an `id`; received an empty one.")
        unknown = sorted(set(self.texts) - set(TEXT_PARTS))
        if unknown:
            raise ValueError(
                f"Post {self.id!r}: `texts` may have {', '.join(TEXT_PARTS)}; received "
                f"{unknown[0]!r}."
            )
        if self.audio is None and self.image is None and not any(self.texts.values()):
            raise ValueError(
                f"Post {self.id!r} has no text, no audio and no image. Fill at least "
                "one of them or drop the row."
            )
        if self.label not in (None, 0, 1):
            raise ValueError(
                f"Post {self.id!r}: `label` must be 0 or 1; received {self.label!r}."
            )
        if self.split not in (None, *SPLIT_NAMES):
            raise ValueError(
                f"Post {self.id!r}: `split` must be {', '.join(SPLIT_NAMES)} or empty; "
                f"received {self.split!r}."
            )

    @property
    def missing(self) -> tuple[str, ...]:
        """Names of the absent parts among lyrics, caption, audio and image."""
        texts = [part for part in TEXT_PARTS if not self.texts.get(part)]
        media = [name for name in ("audio", "image") if getattr(self, name) is None]
        return (*texts, *media)

    @property
    def group_key(self) -> str:
        """What groups the post when posts are split or false partners are drawn."""
        return self.group or self.song or str(self.audio or "") or self.id


@dataclass(frozen=True)
class Rejection:
    """A row that cannot be used, and why.

    Args:
        row: Where it stands, such as ``row 17`` or a post's id.
        file: The file at fault; empty where the row itself is.
        reason: What was wrong and what to do.
    """

    row: str
    file: str
    reason: str

    @classmethod
    def of_file(cls, post: Post, path: Path, error: Exception | str) -> Rejection:
        """Return what a post's file is rejected for, its path said once."""
        reason = str(error).removeprefix(f"{path}: ").removesuffix(".")
        return cls(f"post {post.id}", str(path), reason)

    def __str__(self) -> str:
        place = f"{self.row} {self.file}".rstrip()
        return f"{place}: {self.reason}"


@dataclass(frozen=True)
class PostTable:
    """What a source yields: usable posts, and the rows that are not.

    Args:
        posts: In the source's order.
        rejections: Rows left out, each with its reason.
        class_names: Names of label 0 and label 1.
        features: What the posts have in place of media and words, if they do.
        records: The shards that hold the features of their media, if some do.
    """

    posts: list[Post]
    rejections: list[Rejection] = field(default_factory=list)
    class_names: tuple[str, str] = ("negative", "positive")
    features: ReadyFeatures | None = None
    records: RecordFolder | None = None
