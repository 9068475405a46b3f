import itertools

import numpy as np
import pytest

from keras_jtav.data.pairs import BatchPlan
from keras_jtav.data.pipeline import PostFeatures
from keras_jtav.data.record_stream import StreamedFeatures
from keras_jtav.preparation import prepare, silent

NAMES = (
    "words",
    "supporting_words",
    "spectrogram",
    "segment_mask",
    "image",
    "image_mask",
)
BATCH = 8


@pytest.fixture(scope="module")
def task(recorded):
    return recorded[0].task


@pytest.fixture(scope="module")
def streamed(recorded):
    return prepare(recorded[1].override(["train.shuffle_buffer=8"]), silent)


@pytest.fixture
def plan(streamed, task):
    negatives = 2 if task == "retrieval" else 0
    return BatchPlan(streamed.posts["train"], BATCH, negatives, seed=5)


@pytest.fixture(scope="module")
def expected(recorded):
    """The features of the training posts, read in order from files of media."""
    prepared = prepare(recorded[0], silent)
    (batch,) = prepared.features["train"].encoding(NAMES, 999).as_numpy_iterator()
    return batch


def arrays(features, plan, names, epoch=0, epochs=1):
    stream = features.training(plan, names, epoch).as_numpy_iterator()
    return list(itertools.islice(stream, epochs * plan.steps_per_epoch))


def row_of(picture, expected):
    """Return which training post a picture is of; pictures differ."""
    (rows,) = np.nonzero((expected["image"] == picture).all(axis=(1, 2, 3)))
    return rows[0]


def check_segment(spectrogram, mask, expected, row):
    num_segments = expected["segment_mask"][row].sum()
    assert mask[0] == (num_segments > 0)
    segments = expected["spectrogram"][row][: max(num_segments, 1)]
    assert any((spectrogram[0] == segment).all() for segment in segments)


def test_only_training_is_streamed(streamed):
    assert isinstance(streamed.features["train"], StreamedFeatures)
    for split in ("validation", "test"):
        assert type(streamed.features[split]) is PostFeatures


def test_an_epoch_has_every_post_once_with_its_own_features(
    streamed, plan, expected, task
):
    posts = streamed.posts["train"]
    seen = []
    for batch, labels in arrays(streamed.features["train"], plan, NAMES):
        assert len(batch["image"]) == BATCH
        for place in range(BATCH):
            if not batch["image_mask"][place]:
                continue
            row = row_of(batch["image"][place], expected)
            seen.append(row)
            np.testing.assert_array_equal(
                batch["supporting_words"][place], expected["supporting_words"][row]
            )
            words, clip, mask = (
                batch[name][place] if task == "sentiment" else batch[name][place, 0]
                for name in ("words", "spectrogram", "segment_mask")
            )
            np.testing.assert_array_equal(words, expected["words"][row])
            check_segment(clip, mask, expected, row)
            label = labels[place] if task == "sentiment" else posts[row].label
            assert label == posts[row].label
    assert len(seen) == len(set(seen)) > 0.7 * len(posts)


def test_false_songs_are_of_other_groups_and_have_their_own_features(
    streamed, plan, expected, task
):
    if task == "sentiment":
        return
    names = (*NAMES, "song_keys")
    posts = streamed.posts["train"]
    drawn = set()
    for batch, labels in arrays(streamed.features["train"], plan, names, epochs=3):
        assert labels.tolist() == [[1, 0, 0]] * BATCH
        keys = batch["song_keys"]
        assert (keys[:, 1:] != keys[:, :1]).all()
        for place, column in np.ndindex(BATCH, 3):
            row = int(np.flatnonzero((plan.keys == keys[place, column]).all(1))[0])
            words = batch["words"][place, column]
            np.testing.assert_array_equal(words, expected["words"][row])
            clip, mask = (
                batch[name][place, column] for name in ("spectrogram", "segment_mask")
            )
            check_segment(clip, mask, expected, row)
            drawn |= {posts[row].song} if column else set()
    assert len(drawn) > 0.8 * len(plan.song_rows)


def test_the_stream_from_an_epoch_is_the_tail_of_the_whole(streamed, plan):
    features = streamed.features["train"]
    whole = arrays(features, plan, NAMES, epochs=3)
    tail = arrays(features, plan, NAMES, epoch=2)
    for (one, labels), (other, other_labels) in zip(
        tail, whole[2 * plan.steps_per_epoch :], strict=True
    ):
        np.testing.assert_array_equal(labels, other_labels)
        for name in NAMES:
            np.testing.assert_array_equal(one[name], other[name])
    assert (whole[0][0]["image"] != tail[0][0]["image"]).any()


def test_posts_in_order_are_fetched_when_they_are_asked_for(
    recorded, expected, tmp_path, monkeypatch
):
    monkeypatch.setenv("KERAS_JTAV_HOME", str(tmp_path))  # nothing was unpacked there
    streamed = prepare(recorded[1].override(["train.shuffle_buffer=8"]), silent)

    def num_pictures():
        return len(list(tmp_path.glob("features/records-*/image-*/*/*.npy")))

    left_out = [post for post in streamed.posts["train"] if post.image is not None]
    unpacked = num_pictures()
    assert 0 < unpacked < len(left_out)
    features = streamed.features["train"]
    rows = np.array([5, 2, 5])
    (batch,) = features.encoding(NAMES, 9, rows).as_numpy_iterator()
    assert num_pictures() == unpacked + 2
    longest = batch["spectrogram"].shape[1]
    for name in NAMES:
        wanted = expected[name][rows]
        if name in ("spectrogram", "segment_mask"):
            wanted = wanted[:, :longest]
        np.testing.assert_array_equal(batch[name], wanted)


def test_only_records_are_streamed(recorded):
    with pytest.raises(ValueError, match="only prepared records are streamed, not"):
        prepare(recorded[0].override(["train.shuffle_buffer=8"]), silent)
