"""One post as one ``tf.train.Example``: its texts and the features of its media.

The bytes of a record depend on the post, the content of its files and the settings of
the features alone, not on where the files lie or on who makes the record. A file is
named by the digest of its content.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

import numpy as np
import tensorflow as tf

from keras_jtav.data.post import Post

COMPRESSION = "GZIP"
UNREAD = "unread"  # stands for the digest of a file that the preparation left alone
MEDIA_ARRAYS = {"audio": "spectrogram", "image": "picture"}
STATISTICS_ARRAYS = {"audio": "audio_statistics", "image": "image_statistics"}
ARRAY_TYPES = {
    "spectrogram": tf.float32,  # (segments, frames, bins)
    "picture": tf.uint8,  # (size, size, 3)
    "audio_statistics": tf.float64,  # (dim,)
    "image_statistics": tf.float64,
}
ARRAY_RANKS = {"spectrogram": 3, "picture": 3}  # others are (dim,)


def encode_record(
    post: Post, digests: Mapping[str, str], arrays: Mapping[str, np.ndarray]
) -> bytes:
    """Return a post as a serialised ``tf.train.Example``.

    Args:
        post: With its ``split``; where its files lie is not used.
        digests: Of the files it has, under ``audio`` and ``image``.
        arrays: Of the files that were read, by the names of ``ARRAY_TYPES``:
            ``spectrogram`` and ``picture``, what encoders see, and
            ``audio_statistics`` and ``image_statistics``, what baselines see.

    Returns:
        Equal bytes for equal arguments. What the post lacks, the record lacks.
    """
    values: dict[str, bytes | Sequence[int]] = {
        name: text.encode()
        for name, text in {
            "id": post.id,
            "split": post.split,
            "song": post.song,
            "group": post.group,
            **post.texts,
            **{f"{modality}_file": digest for modality, digest in digests.items()},
        }.items()
        if text
    }
    if post.label is not None:
        values["label"] = [post.label]
    for name, array in arrays.items():
        dtype = np.dtype(ARRAY_TYPES[name].as_numpy_dtype).newbyteorder("<")
        values[name] = np.ascontiguousarray(array, dtype).tobytes()
        if name in ARRAY_RANKS:
            values[f"{name}_shape"] = array.shape
    features = {name: _feature(value) for name, value in values.items()}
    example = tf.train.Example(features=tf.train.Features(feature=features))
    return example.SerializeToString(deterministic=True)


def parse_record(serialized, arrays: Iterable[str] = ()):
    """Return a record's id, the digests of its files and some arrays, in a graph.

    Args:
        serialized: string ``()``.
        arrays: Which arrays; one that the record lacks has no elements.

    Returns:
        Dict of ``id``, ``audio_file`` and ``image_file``, string ``()``, empty where
        there is none, and the arrays.
    """
    names = ["id", *(f"{modality}_file" for modality in MEDIA_ARRAYS)]
    texts = [*names, *arrays]
    wanted = {name: tf.io.FixedLenFeature((), tf.string, "") for name in texts}
    for name in set(arrays) & set(ARRAY_RANKS):
        rank = ARRAY_RANKS[name]
        shape = tf.io.FixedLenFeature((rank,), tf.int64, [0] * rank)
        wanted[f"{name}_shape"] = shape
    parsed = tf.io.parse_single_example(serialized, wanted)
    record = {name: parsed[name] for name in names}
    for name in arrays:
        record[name] = tf.io.decode_raw(parsed[name], ARRAY_TYPES[name])
        if name in ARRAY_RANKS:
            record[name] = tf.reshape(record[name], parsed[f"{name}_shape"])
    return record


def write_records(path: str, records: Iterable[bytes]) -> None:
    """Write records one after another into a compressed TFRecord file."""
    with tf.io.TFRecordWriter(path, COMPRESSION) as writer:
        for record in records:
            writer.write(record)


def _feature(value: bytes | Sequence[int]) -> tf.train.Feature:
    if isinstance(value, bytes):
        return tf.train.Feature(bytes_list=tf.train.BytesList(value=[value]))
    return tf.train.Feature(int64_list=tf.train.Int64List(value=value))
