import json
import shutil

import pytest

from keras_jtav.config import Component
from keras_jtav.data import load_posts
from keras_jtav.data.record_folder import (
    RecordFolder,
    post_from_json,
    post_to_json,
    shard_path,
)
from keras_jtav.preparation import usable_splits


@pytest.fixture
def copy(recorded, tmp_path):
    """Return a copy of a folder of records that a test may spoil."""
    folder = tmp_path / "copy"
    shutil.copytree(recorded[1].dataset.kwargs["folder"], folder)
    return folder


def test_posts_and_splits_are_those_of_the_data_set(recorded):
    direct, splits = usable_splits(recorded[0])
    table, from_records = usable_splits(recorded[1])
    assert table.class_names == direct.class_names
    assert table.rejections == direct.rejections
    for name, posts in splits.items():
        assert len(posts) > 3
        for post, found in zip(posts, from_records[name], strict=True):
            assert list(found.texts.items()) == list(post.texts.items())
            assert found.missing == post.missing
            for key in ("id", "label", "song", "group"):
                assert getattr(found, key) == getattr(post, key)


def test_the_index_counts_and_hashes_every_shard(recorded):
    records = RecordFolder.open(recorded[1].dataset.kwargs["folder"])
    _, splits = usable_splits(recorded[0])
    assert len(records.shards("train")) == 3
    for split, posts in splits.items():
        assert records.index["counts"][split] == len(posts)
        shards = records.shards(split)
        assert sum(records.num_posts[shard] for shard in shards) == len(posts)
        for shard in shards:
            records.check(shard)


@pytest.mark.parametrize(
    ("setting", "message"),
    [
        ("features.clip_seconds=3.0", r"clip_seconds=2\.0.*clip_seconds=3\.0"),
        ("features.image_size=64", r"image_size=32.*image_size=64"),
        ("train.seed=7", r"data\.split_seed=0.*data\.split_seed=7"),
        ("data.fractions=0.8,0.1,0.1", r"\[0\.6, 0\.2, 0\.2\].*\[0\.8, 0\.1, 0\.1\]"),
        ("data.max_audio_seconds=9", r"max_audio_seconds=600\.0.*seconds=9\.0"),
    ],
)
def test_a_setting_that_the_index_contradicts_is_refused(recorded, setting, message):
    with pytest.raises(ValueError, match=message):
        usable_splits(recorded[1].override([setting]))


def test_another_task_is_refused(recorded):
    other = {"sentiment": "retrieval", "retrieval": "sentiment"}[recorded[1].task]
    config = recorded[1].override([f"task={other}", "data.split=random"])
    with pytest.raises(ValueError, match=f"`task={recorded[1].task}`.*`task={other}`"):
        usable_splits(config)


def test_settings_of_words_and_training_are_free(recorded):
    settings = ["features.words=3", "train.epochs=1", "modalities=text,image"]
    usable_splits(recorded[1].override(settings))


def test_a_modality_that_was_not_read_is_refused(recorded, copy):
    path = copy / "index.json"
    index = json.loads(path.read_text())
    path.write_text(json.dumps({**index, "modalities": ["text", "image"]}))
    records = RecordFolder.open(str(copy))
    records.refuse(recorded[1].override(["modalities=text,image"]))
    with pytest.raises(ValueError, match=r"text,image.*text,audio.*have no audio"):
        records.refuse(recorded[1].override(["modalities=text,audio"]))


def test_a_folder_without_an_index_is_not_complete(copy):
    (copy / "index.json").unlink()
    with pytest.raises(FileNotFoundError, match="run the same command again"):
        RecordFolder.open(str(copy))


def test_an_index_of_another_format_is_refused(copy):
    path = copy / "index.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), "format": 0}))
    with pytest.raises(ValueError, match=r"'format': 0.*'format': 1"):
        RecordFolder.open(str(copy))


@pytest.mark.parametrize("spoil", [lambda data: data[:-9], lambda data: data[::-1]])
def test_a_shard_that_was_changed_is_found(copy, spoil):
    records = RecordFolder.open(str(copy))
    (shard,) = records.shards("test")
    path = shard_path(str(copy), shard)
    with open(path, "rb") as file:
        content = file.read()
    with open(path, "wb") as file:
        file.write(spoil(content))
    with pytest.raises(ValueError, match=r"is not the shard that index\.json names"):
        records.check(shard)


def test_the_name_follows_the_content(copy):
    name = RecordFolder.open(str(copy)).name
    path = copy / "index.json"
    index = json.loads(path.read_text())
    index["shards"][0]["sha256"] = "0" * 64
    path.write_text(json.dumps(index))
    assert RecordFolder.open(str(copy)).name != name


def test_a_folder_must_be_given():
    with pytest.raises(ValueError, match="give it with --data-dir DIR"):
        load_posts(Component("records"), {})


def test_a_post_survives_json(recorded):
    _, splits = usable_splits(recorded[1])
    for post in splits["test"]:
        files = {m: path.name for m in ("audio", "image") if (path := vars(post)[m])}
        row = json.loads(json.dumps(post_to_json(post, files)))
        assert post_from_json(row) == post
