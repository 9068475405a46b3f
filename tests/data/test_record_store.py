import shutil

import numpy as np
import pytest

from keras_jtav.data.any_path import names_in
from keras_jtav.data.pairs import BatchPlan
from keras_jtav.data.record_folder import RecordFolder, shard_path
from keras_jtav.data.record_store import SHARDS_AT_ONCE, read_shards
from keras_jtav.evaluation.simple_features import media_measures
from keras_jtav.preparation import prepare, silent

NAMES = (
    "words",
    "supporting_words",
    "spectrogram",
    "segment_mask",
    "image",
    "image_mask",
)


@pytest.fixture(scope="module")
def both(recorded):
    """The same data, from files of media and from records."""
    return [prepare(config, silent) for config in recorded]


def test_the_features_of_every_post_are_equal_bit_for_bit(both, recorded):
    direct, records = both
    measures = media_measures(recorded[0].data)
    seen = {"audio": 0, "image": 0}
    for split, posts in direct.posts.items():
        for post, found in zip(posts, records.posts[split], strict=True):
            for modality, feature in (("audio", "spectrogram"), ("image", "image")):
                path, name = getattr(post, modality), getattr(found, modality)
                if path is None:
                    assert name is None
                    continue
                expected = getattr(direct.store, feature)(path)
                given = getattr(records.store, feature)(name)
                assert given.dtype == expected.dtype
                np.testing.assert_array_equal(given, expected)
                statistics = getattr(records.store, f"{modality}_statistics")(name)
                np.testing.assert_array_equal(statistics, measures[modality][0](path))
                seen[modality] += 1
    assert min(seen.values()) > 40


def test_batches_of_training_and_encoding_are_equal_bit_for_bit(both, recorded):
    negatives = 2 if recorded[0].task == "retrieval" else 0
    batches = []
    for prepared in both:
        features = prepared.features["train"]
        plan = BatchPlan(prepared.posts["train"], 8, negatives, seed=3)
        stream = features.training(plan, NAMES).take(5)
        batches.append(
            [
                *(batch for batch, _ in stream.as_numpy_iterator()),
                *features.encoding(NAMES, 7).as_numpy_iterator(),
            ]
        )
    for one, other in zip(*batches, strict=True):
        for name in NAMES:
            np.testing.assert_array_equal(one[name], other[name], err_msg=name)
    np.testing.assert_array_equal(both[0].vocabulary.matrix, both[1].vocabulary.matrix)


def test_what_was_unpacked_is_not_read_again(recorded, both, tmp_path):
    folder = tmp_path / "copy"
    shutil.copytree(recorded[1].dataset.kwargs["folder"], folder)
    for name in names_in(str(folder)):
        if name.endswith(".tfrecord.gz"):
            (folder / name).unlink()
    config = recorded[1].override([f"dataset.folder={folder}"])
    prepared = prepare(config, silent)
    post = next(post for post in prepared.posts["test"] if post.image is not None)
    np.testing.assert_array_equal(
        prepared.store.image(post.image), both[1].store.image(post.image)
    )


def test_modalities_that_are_not_wanted_are_not_unpacked(recorded, monkeypatch):
    config = recorded[1].override(["modalities=text,image"])
    prepared = prepare(config, silent)
    posts = prepared.posts["test"]
    assert any(post.audio for post in posts)
    assert not any(prepared.store.has(post.audio) for post in posts)
    (batch,) = prepared.features["test"].encoding(NAMES, 99).as_numpy_iterator()
    assert not batch["segment_mask"].any()


def test_shards_are_read_in_one_order_that_the_seed_changes(recorded):
    records = RecordFolder.open(recorded[1].dataset.kwargs["folder"])
    paths = [records.path(shard) for shard in records.shards("train")]
    assert len(paths) < SHARDS_AT_ONCE

    def ids(paths, *shuffling):
        return [record["id"] for record in read_shards(paths, (), *shuffling)]

    in_turn = ids(paths)
    assert len(set(in_turn)) == records.index["counts"]["train"]
    alone = [ids([path]) for path in paths]
    assert in_turn[:3] == [shard[0] for shard in alone]  # interleaved
    assert ids(paths) == in_turn
    shuffled = ids(paths, 8, 1)
    assert shuffled == ids(paths, 8, 1)
    assert sorted(shuffled) == sorted(in_turn)
    assert len({tuple(o) for o in (shuffled, ids(paths, 8, 2), in_turn)}) == 3


def test_no_shards_are_no_records():
    assert list(read_shards([], ())) == []


def test_a_broken_shard_is_an_os_error(tmp_path):
    path = shard_path(str(tmp_path), "test-00000-of-00001")
    with pytest.raises(OSError, match=r"A shard cannot be read: .*test-00000-of-00001"):
        list(read_shards([path], ()))
    with open(path, "wb") as file:
        file.write(b"\x1f\x8b no gzip")
    with pytest.raises(OSError, match=r"A shard cannot be read: .*Copy it again"):
        list(read_shards([path], ()))
