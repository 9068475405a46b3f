from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf

from keras_jtav.data.post import Post
from keras_jtav.data.records import (
    COMPRESSION,
    encode_record,
    parse_record,
    write_records,
)

POST = Post(
    "p1",
    {"lyrics": "la la", "caption": "ça va"},
    audio=Path("/somewhere/a.wav"),
    image=Path("/somewhere/a.png"),
    label=0,
    song="s1",
    split="train",
    group="g1",
)
DIGESTS = {"audio": "ab12", "image": "cd34"}
ALL_ARRAYS = ("spectrogram", "picture", "audio_statistics", "image_statistics")


@pytest.fixture
def arrays():
    draw = np.random.default_rng(0)
    return {
        "spectrogram": draw.random((2, 3, 4)).astype("float32"),
        "picture": draw.integers(0, 256, (5, 5, 3), np.uint8),
        "audio_statistics": draw.random(6),
        "image_statistics": draw.random(7),
    }


def test_arrays_come_back_bit_for_bit(arrays):
    found = parse_record(encode_record(POST, DIGESTS, arrays), ALL_ARRAYS)
    assert found["id"] == b"p1"
    assert (found["audio_file"], found["image_file"]) == (b"ab12", b"cd34")
    for name, array in arrays.items():
        assert found[name].dtype == array.dtype
        np.testing.assert_array_equal(found[name], array)


def test_other_programs_find_the_post_under_its_names(arrays):
    record = encode_record(POST, DIGESTS, arrays)
    feature = tf.train.Example.FromString(record).features.feature
    texts = {
        name: feature[name].bytes_list.value[0].decode()
        for name in ("id", "split", "lyrics", "caption", "song", "group")
    }
    assert texts == {
        "id": "p1",
        "split": "train",
        "lyrics": "la la",
        "caption": "ça va",
        "song": "s1",
        "group": "g1",
    }
    assert feature["label"].int64_list.value == [0]
    assert feature["spectrogram_shape"].int64_list.value == [2, 3, 4]


def test_what_a_post_lacks_its_record_lacks():
    record = encode_record(Post("p2", {"lyrics": "", "caption": "la"}), {}, {})
    assert set(tf.train.Example.FromString(record).features.feature) == {
        "id",
        "caption",
    }
    found = parse_record(record, ALL_ARRAYS)
    assert found["audio_file"] == b""
    assert found["spectrogram"].shape == (0, 0, 0)
    assert found["audio_statistics"].shape == (0,)


def test_the_bytes_do_not_depend_on_order_or_on_where_files_lie(arrays):
    moved = Post(**{**vars(POST), "audio": Path("b.wav"), "image": Path("b.png")})
    backwards = dict(reversed(arrays.items()))
    again = encode_record(moved, dict(reversed(DIGESTS.items())), backwards)
    assert again == encode_record(POST, DIGESTS, arrays)
    quieter = {**arrays, "spectrogram": arrays["spectrogram"] * 0.5}
    assert encode_record(POST, DIGESTS, quieter) != again


def test_a_file_of_records_is_a_compressed_tfrecord(tmp_path):
    posts = [Post(f"p{n}", {"caption": "la"}) for n in range(3)]
    records = [encode_record(post, {}, {}) for post in posts]
    for name in ("one.tfrecord.gz", "other.tfrecord.gz"):
        write_records(str(tmp_path / name), iter(records))
    path = tmp_path / "one.tfrecord.gz"
    dataset = tf.data.TFRecordDataset(str(path), COMPRESSION)
    assert list(dataset.as_numpy_iterator()) == records
    assert path.read_bytes()[:2] == b"\x1f\x8b"  # gzip
    assert path.read_bytes() == (tmp_path / "other.tfrecord.gz").read_bytes()
