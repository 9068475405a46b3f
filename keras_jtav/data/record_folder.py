"""A folder of prepared posts: shards of records, a table beside each, and an index.

``train-00000-of-00004.tfrecord.gz`` holds records, one a post (``records.py``).
``train-00000-of-00004.json`` holds the same posts without their features, and those
that had to be left out. ``index.json`` comes last: it counts and names all shards, with
their hashes, and says which settings they were made with. A folder without an index is
not complete.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from keras_jtav.config import Config
from keras_jtav.data import any_path
from keras_jtav.data.media import FEATURE_VERSION
from keras_jtav.data.post import SPLIT_NAMES, Post, PostTable, Rejection

INDEX_FILE = "index.json"
REJECTIONS_FILE = "rejected.csv"
SHAPING = (  # settings of features that media are made with
    "spectrogram",
    "clip_seconds",
    "hop_samples",
    "bins",
    "mel_window_samples",
    "mel_fmax_hz",
    "image_size",
)
FORMAT = 1  # raise it when the layout of records, tables or the index changes


def fixed_settings(config: Config) -> dict[str, Any]:
    """Return the settings that decide what is in shards, by their dotted keys.

    How texts become words is not among them: records hold the texts.
    """
    fixed: dict[str, Any] = {"task": config.task}
    fixed["data.split"] = config.data.split
    fixed["data.split_seed"] = config.split_seed
    fixed["data.fractions"] = list(config.data.fractions)
    for name in ("max_audio_seconds", "max_image_pixels", "max_file_bytes"):
        fixed[f"data.{name}"] = getattr(config.data, name)
    for name in SHAPING:
        fixed[f"features.{name}"] = getattr(config.features, name)
    return fixed


@dataclass(frozen=True)
class RecordFolder:
    """A complete folder.

    Args:
        folder: Where it is.
        index: Content of ``index.json``.
    """

    folder: str
    index: Mapping[str, Any]

    @classmethod
    def open(cls, folder: str) -> RecordFolder:
        """Read the index of a folder.

        Raises:
            FileNotFoundError: There is no index.
            ValueError: One that this version does not read.
        """
        path = any_path.join(folder, INDEX_FILE)
        try:
            text = any_path.read_text(path)
        except FileNotFoundError as error:
            raise FileNotFoundError(
                f"There is no {path}. Give the folder that `keras-jtav prepare --out` "
                "wrote; where it was interrupted or found too many bad posts, run the "
                "same command again."
            ) from error
        index = json.loads(text)
        expected = {"format": FORMAT, "feature_version": FEATURE_VERSION}
        found = {name: index.get(name) for name in expected}
        if found != expected:
            raise ValueError(
                f"{path} is of {found}, and this version reads {expected}. Prepare "
                "the posts again."
            )
        return cls(folder, index)

    @property
    def name(self) -> str:
        """What the content is called: equal names, equal shards."""
        hashes = [shard["sha256"] for shard in self.index["shards"]]
        return hashlib.sha256(json.dumps(hashes).encode()).hexdigest()[:16]

    @property
    def num_posts(self) -> dict[str, int]:
        """Return how many records each shard has, by its name."""
        return {shard["name"]: shard["posts"] for shard in self.index["shards"]}

    def shards(self, split: str) -> list[str]:
        """Return the names of a split's shards."""
        return [s["name"] for s in self.index["shards"] if s["split"] == split]

    def path(self, shard: str) -> str:
        """Return where a shard's records are."""
        return shard_path(self.folder, shard)

    def posts(self) -> Iterator[tuple[str, Post]]:
        """Yield each post with the name of its shard."""
        for shard in self.num_posts:
            table = json.loads(any_path.read_text(table_path(self.folder, shard)))
            for row in table["posts"]:
                yield shard, post_from_json(row)

    def refuse(self, config: Config) -> None:
        """Refuse settings that the shards cannot follow.

        Raises:
            ValueError: The message names the setting, its value in the index and in the
                config.
        """
        asked = fixed_settings(config)
        for key, value in self.index["settings"].items():
            if asked[key] != value:
                raise ValueError(
                    f"{any_path.join(self.folder, INDEX_FILE)} has `{key}={value}` and "
                    f"the config `{key}={asked[key]}`. Give the value of the index, or "
                    "prepare the posts again."
                )
        prepared = self.index["modalities"]
        unread = [m for m in config.modalities if m != "text" and m not in prepared]
        if unread:
            raise ValueError(
                f"{any_path.join(self.folder, INDEX_FILE)} has "
                f"`modalities={','.join(prepared)}` and the config "
                f"`modalities={','.join(config.modalities)}`: the records have no "
                f"{unread[0]}. Leave it out, or prepare the posts again."
            )

    def check(self, shard: str) -> None:
        """Make sure that a shard is the one that the index names.

        Raises:
            ValueError: Another size or another hash.
        """
        (expected,) = [s for s in self.index["shards"] if s["name"] == shard]
        path = self.path(shard)
        is_same = any_path.num_bytes(path) == expected["bytes"]
        if not is_same or any_path.file_digest(path) != expected["sha256"]:
            raise ValueError(
                f"{path} is not the shard that {INDEX_FILE} names: its size or its "
                "hash differ. Copy it again, or remove it and prepare the posts again."
            )


def load_records(folder: str = "") -> PostTable:
    """Return the posts of a prepared folder, with their splits.

    Args:
        folder: Where it is; any path that ``tf.io.gfile`` opens.

    Raises:
        FileNotFoundError: No index there.
        ValueError: No folder given, or an index that this version does not read.
    """
    if not folder:
        raise ValueError(
            "The data set 'records' lies in a folder that `keras-jtav prepare --out` "
            "wrote: give it with --data-dir DIR."
        )
    records = RecordFolder.open(folder)
    return PostTable(
        [post for _, post in records.posts()],
        [Rejection(**rejection) for rejection in records.index["rejections"]],
        tuple(records.index["class_names"]),
        records=records,
    )


def shard_names(split: str, number: int) -> list[str]:
    """Return what the shards of a split are called.

    Example:
        >>> shard_names("test", 2)
        ['test-00000-of-00002', 'test-00001-of-00002']
    """
    return [f"{split}-{shard:05d}-of-{number:05d}" for shard in range(number)]


def shard_path(folder: str, shard: str) -> str:
    """Return where a shard's records are."""
    return any_path.join(folder, f"{shard}.tfrecord.gz")


def table_path(folder: str, shard: str) -> str:
    """Return where a shard's table is."""
    return any_path.join(folder, f"{shard}.json")


def post_to_json(post: Post, digests: Mapping[str, str]) -> dict[str, Any]:
    """Return a post as JSON takes it, its files named by their digests."""
    files = {modality: digests.get(modality) for modality in ("audio", "image")}
    return {**vars(post), "texts": dict(post.texts), **files}


def post_from_json(row: Mapping[str, Any]) -> Post:
    """Return what ``post_to_json`` was given; a file is called by its digest."""
    files = {m: Path(row[m]) if row[m] else None for m in ("audio", "image")}
    return Post(**{**row, **files})


def in_order(rejections: Sequence[Rejection], posts: Sequence[Post]) -> list[Rejection]:
    """Return rejections of posts in the order of the posts, by split and id."""
    places = {
        f"post {post.id}": (SPLIT_NAMES.index(post.split), post.id) for post in posts
    }
    return sorted(rejections, key=lambda rejection: places[rejection.row])
