import dataclasses
import json
import os
import pickle
from types import SimpleNamespace

import numpy as np
import pytest
from PIL import Image

from keras_jtav import sharding
from keras_jtav.data.any_path import read_text
from keras_jtav.data.post import Post
from keras_jtav.data.record_folder import shard_path, table_path
from keras_jtav.data.records import UNREAD
from keras_jtav.experiments import preset_config
from keras_jtav.preparation import usable_splits
from keras_jtav.sharding import (
    RecordMaker,
    is_made,
    make_shard,
    plan_shards,
    strange_files,
)


@pytest.fixture(scope="module")
def config(tiny_settings):
    settings = [*tiny_settings, "dataset.songs=12", "dataset.missing=0.0"]
    return preset_config("sentiment", "small").override(settings)


@pytest.fixture(scope="module")
def splits(config):
    return usable_splits(config)[1]


def test_every_post_is_in_one_shard_of_its_split(config, splits):
    shards = plan_shards(config, splits, "d", 3)
    for split, posts in splits.items():
        own = [shard for shard in shards if shard.split == split]
        dealt = [post for shard in own for post in shard.posts]
        assert sorted(post.id for post in dealt) == [post.id for post in posts]
        assert {post.split for post in dealt} == {split}
        sizes = [len(shard.posts) for shard in own]
        assert max(sizes) - min(sizes) <= 1
    assert len([shard for shard in shards if shard.split == "train"]) == 3
    assert len(plan_shards(config, splits, "d")) == 3  # at most 256 posts each


def test_the_plan_ignores_the_order_of_posts_and_neighbours_part(config, splits):
    backwards = {name: posts[::-1] for name, posts in splits.items()}
    plan = plan_shards(config, splits, "d", 3)
    assert plan_shards(config, backwards, "d", 3) == plan
    assert [post.id for post in plan[0].posts] != sorted(p.id for p in plan[0].posts)


def test_fewer_than_one_shard_are_refused(config, splits):
    with pytest.raises(ValueError, match="`--shards` must be at least 1; received 0"):
        plan_shards(config, splits, "d", 0)


def test_a_key_follows_what_decides_the_shard(config, splits, tmp_path):
    (key,) = {shard.key for shard in plan_shards(config, splits, "d", 1)[:1]}

    def other(config=config, **changes):
        posts = [dataclasses.replace(splits["train"][0], **changes)]
        posts += splits["train"][1:]
        shard, *_ = plan_shards(config, {**splits, "train": posts}, "d", 1)
        return shard.key

    assert other() == key
    picture = tmp_path / "a.png"
    picture.write_bytes(splits["train"][0].image.read_bytes())
    keys = [
        other(texts={"lyrics": "ho"}),
        other(label=1 - splits["train"][0].label),
        other(image=picture),
        other(config.override(["features.bins=48"])),
        other(config.override(["modalities=text,image"])),
    ]
    os.utime(picture, ns=(0, 0))
    keys.append(other(image=picture))
    picture.unlink()
    keys.append(other(image=picture))
    assert len({key, *keys}) == 8
    free = ["features.words=7", "train.epochs=9", "data.max_rejected=0.5"]
    assert other(config.override(free)) == key


def test_a_shard_is_made_once_it_is_there_as_a_whole(config, splits, tmp_path):
    *_, shard = plan_shards(config, splits, str(tmp_path))
    assert not is_made(shard)
    assert make_shard(pickle.loads(pickle.dumps(shard))) == shard.name
    assert is_made(shard)
    assert not is_made(dataclasses.replace(shard, key="0"))
    path = shard_path(str(tmp_path), shard.name)
    with open(path, "rb") as file:
        content = file.read()
    os.remove(path)
    assert not is_made(shard)
    make_shard(shard)
    with open(path, "rb") as file:
        assert file.read() == content
    with open(path, "wb") as file:
        file.write(content[:-1])
    assert not is_made(shard)


def test_a_bad_file_is_a_fault_and_spares_the_others(config, splits, tmp_path):
    bad = tmp_path / "bad.png"
    bad.write_bytes(b"<html>404</html>")
    *_, shard = plan_shards(config, splits, str(tmp_path))
    posts = list(shard.posts)
    posts[1] = dataclasses.replace(posts[1], image=bad, audio=tmp_path / "no.wav")
    make_shard(dataclasses.replace(shard, posts=tuple(posts)))
    table = json.loads(read_text(table_path(str(tmp_path), shard.name)))
    kept = [post.id for post in posts if post is not posts[1]]
    assert [row["id"] for row in table["posts"]] == kept
    faults = [(fault["row"], fault["file"]) for fault in table["rejections"]]
    row = f"post {posts[1].id}"
    assert faults == [(row, str(tmp_path / "no.wav")), (row, str(bad))]
    assert "check the path" in table["rejections"][0]["reason"]


def test_files_outside_the_modalities_are_left_alone(config, tmp_path):
    maker = RecordMaker(config.features, config.data, ("text", "image"))
    made = maker(Post("p", {"caption": "la"}, audio=tmp_path / "no.wav", label=1))
    assert not made.faults
    assert made.row["audio"] == UNREAD
    assert made.row["image"] is None


def test_shards_of_another_preparation_are_strange(config, splits, tmp_path):
    shards = plan_shards(config, splits, str(tmp_path), 2)
    make_shard(shards[-1])
    assert strange_files(str(tmp_path), shards) == []
    (tmp_path / "train-00000-of-00009.tfrecord.gz").touch()
    (tmp_path / "notes.txt").touch()
    found = strange_files(str(tmp_path), shards)
    assert found == ["train-00000-of-00009.tfrecord.gz"]


def test_a_file_above_the_limit_is_a_fault(config, splits, tmp_path):
    small = config.override(["data.max_file_bytes=10"])
    (shard, *_) = plan_shards(small, splits, str(tmp_path))
    post = dataclasses.replace(shard.posts[0], audio=None)
    (fault,) = shard.maker(post).faults
    assert fault.file == str(post.image)
    assert "smaller than 10 bytes or raise `data.max_file_bytes`" in fault.reason


def test_a_raised_limit_holds_for_what_baselines_see_too(config, tmp_path, monkeypatch):
    features = SimpleNamespace(read=lambda modality, path: np.zeros((8, 8, 3), "uint8"))
    monkeypatch.setattr(sharding, "_reader", lambda *arguments: features)
    Image.new("L", (7100, 7100), 90).save(tmp_path / "large.png")
    post = Post("p", {"caption": "la"}, image=tmp_path / "large.png", label=1)
    data = dataclasses.replace(config.data, max_image_pixels=7100 * 7100)
    made = RecordMaker(config.features, data, ("text", "image"))(post)
    assert not made.faults
