"""Which post goes into which shard, and the one function that makes its record.

Both depend on the data and the settings alone: whoever makes a shard, and after however
many interruptions, its bytes are the same.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path

import numpy as np

from keras_jtav.config import Config, DataOptions, FeatureOptions
from keras_jtav.data.any_path import (
    file_digest,
    names_in,
    num_bytes,
    read_text,
    write_text,
    written_aside,
)
from keras_jtav.data.cache import content_digest
from keras_jtav.data.media import FEATURE_VERSION
from keras_jtav.data.media_file import DecodeError, refuse_large
from keras_jtav.data.media_reader import MediaReader
from keras_jtav.data.post import Post, Rejection
from keras_jtav.data.record_folder import (
    FORMAT,
    fixed_settings,
    post_to_json,
    shard_names,
    shard_path,
    table_path,
)
from keras_jtav.data.records import (
    MEDIA_ARRAYS,
    STATISTICS_ARRAYS,
    UNREAD,
    encode_record,
    write_records,
)
from keras_jtav.evaluation.simple_features import media_measures
from keras_jtav.features.preprocessor import Preprocessor
from keras_jtav.features.vocabulary import FIRST_WORD_ROW, Vocabulary

POSTS_PER_SHARD = 256


@dataclass(frozen=True)
class Shard:
    """What a worker must know to make a shard.

    Args:
        folder: Where it is written.
        name: What it is called.
        split: Of its posts.
        posts: In the order of its records.
        key: Digest of all that decides its content, and of the times and sizes of the
            posts' files: a shard with the same key need not be made again.
        maker: What makes its records.
    """

    folder: str
    name: str
    split: str
    posts: tuple[Post, ...]
    key: str
    maker: RecordMaker


@dataclass(frozen=True)
class RecordMaker:
    """Makes the record of one post. It is the same object in every runner.

    Args:
        features: Settings of the features.
        data: Limits on what is decoded.
        modalities: What is read of posts; other files are left alone.
    """

    features: FeatureOptions
    data: DataOptions
    modalities: tuple[str, ...]

    def __call__(self, post: Post) -> MadeRecord:
        """Return the record of a post, or why it cannot be made."""
        digests, arrays, faults = {}, {}, []
        for modality, array in MEDIA_ARRAYS.items():
            path = getattr(post, modality)
            if path is None:
                continue
            if modality not in self.modalities:
                digests[modality] = UNREAD
                continue
            measure, _ = media_measures(self.data)[modality]
            reader = _reader(self.features, self.data)
            try:
                refuse_large(path, self.data.max_file_bytes)
                digests[modality] = content_digest(path)
                arrays[array] = reader.read(modality, path)
                arrays[STATISTICS_ARRAYS[modality]] = measure(path)
            except OSError as error:
                fault = f"cannot be read ({error.strerror}); check the path"
                faults.append(Rejection.of_file(post, path, fault))
            except DecodeError as error:
                faults.append(Rejection.of_file(post, path, error))
        if faults:
            return MadeRecord(b"", {}, tuple(faults))
        record = encode_record(post, digests, arrays)
        return MadeRecord(record, post_to_json(post, digests))


@dataclass(frozen=True)
class MadeRecord:
    """A record, or the faults in its place.

    Args:
        record: The serialised record.
        row: The post's row in the table of the shard.
        faults: One rejection for each file that cannot be read.
    """

    record: bytes
    row: Mapping
    faults: tuple[Rejection, ...] = ()


def plan_shards(
    config: Config,
    splits: Mapping[str, Sequence[Post]],
    folder: str,
    num_shards: int | None = None,
) -> list[Shard]:
    """Deal the posts of each split out to shards, in the order of a hash of their ids.

    Args:
        config: What to prepare.
        splits: Its usable posts.
        folder: Where the shards will be.
        num_shards: Shards of the training split; those of others hold as many posts.
            By default a shard holds at most 256 posts.

    Raises:
        ValueError: Fewer than one shard.
    """
    per_shard = POSTS_PER_SHARD
    if num_shards is not None:
        if num_shards < 1:
            raise ValueError(f"`--shards` must be at least 1; received {num_shards}.")
        per_shard = -(-len(splits["train"]) // num_shards)
    maker = RecordMaker(config.features, config.data, config.modalities)
    settings = {
        "format": FORMAT,
        "feature_version": FEATURE_VERSION,
        "modalities": config.modalities,
        **fixed_settings(config),
    }
    shards = []
    for split, posts in splits.items():
        dealt = sorted((replace(post, split=split) for post in posts), key=_draw)
        names = shard_names(split, -(-len(dealt) // per_shard))
        for number, name in enumerate(names):
            own = tuple(dealt[number :: len(names)])
            content = json.dumps([settings, [_identity(post) for post in own]])
            key = hashlib.sha256(content.encode()).hexdigest()
            shards.append(Shard(folder, name, split, own, key, maker))
    return shards


def is_made(shard: Shard) -> bool:
    """Return whether a shard is there as a whole and as it should be."""
    try:
        table = read_table(shard)
        size = num_bytes(shard_path(shard.folder, shard.name))
    except FileNotFoundError:
        return False
    return (table["key"], table["bytes"]) == (shard.key, size)


def read_table(shard: Shard) -> dict:
    """Return the table beside a shard."""
    return json.loads(read_text(table_path(shard.folder, shard.name)))


def make_shard(shard: Shard) -> str:
    """Make the records of a shard and write it; return its name."""
    write_shard(shard.folder, shard.name, shard.key, map(shard.maker, shard.posts))
    return shard.name


def write_shard(folder: str, name: str, key: str, made: Iterable[MadeRecord]) -> None:
    """Write a shard, and then its table: a shard without one is not complete.

    Args:
        folder: Where.
        name: Of the shard.
        key: See ``Shard``.
        made: What was made of its posts, in their order.
    """
    path = shard_path(folder, name)
    rows, faults = [], []

    def records() -> Iterable[bytes]:
        for one in made:
            faults.extend(vars(fault) for fault in one.faults)
            if not one.faults:
                rows.append(one.row)
                yield one.record

    with written_aside(path) as aside:
        write_records(aside, records())
        size, digest = num_bytes(aside), file_digest(aside)
    table = {"key": key, "bytes": size, "sha256": digest}
    table |= {"posts": rows, "rejections": faults}
    write_text(table_path(folder, name), json.dumps(table, ensure_ascii=False))


def strange_files(folder: str, shards: Sequence[Shard]) -> list[str]:
    """Return the names of shards in a folder that belong to another preparation."""
    own = {os.path.basename(shard_path(folder, shard.name)) for shard in shards}
    ending = Path(shard_path("", "")).name
    return [
        name for name in names_in(folder) if name.endswith(ending) and name not in own
    ]


def _draw(post: Post) -> bytes:
    return hashlib.sha256(post.id.encode()).digest()


def _identity(post: Post) -> list:
    """Return what decides a post's record, as far as it is known without reading."""
    files = []
    for path in (post.audio, post.image):
        try:
            found = None if path is None else path.stat()
        except OSError:
            files.append("missing")
        else:
            files.append(found and [found.st_size, found.st_mtime_ns])
    return [post_to_json(post, {}), files]


@cache
def _reader(features: FeatureOptions, data: DataOptions) -> MediaReader:
    """Return this process's reader: what it builds first takes longer than a record.

    Words are not part of a record, so that any vocabulary will do.
    """
    nothing = np.zeros((FIRST_WORD_ROW + 1, 1), "float32")
    features = replace(features, lsa_dim=0)
    return MediaReader(Preprocessor(features, Vocabulary(["-"], nothing)), data)
