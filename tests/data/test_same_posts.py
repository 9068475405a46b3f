import json
from dataclasses import replace
from pathlib import Path

import pytest

from keras_jtav.data.post import Post
from keras_jtav.data.same_posts import keep_to_posts, split_hash
from keras_jtav.devices import Processes

POSTS = [Post(f"p{n}", {"caption": "la"}, Path(f"{n}.wav"), label=1) for n in range(6)]
SPLIT = {"train": POSTS[:4], "validation": POSTS[4:5], "test": POSTS[5:]}


def test_a_split_is_named_as_in_the_results_that_are_stored():
    # sha256 of {"train": ["a", "b"], "test": ["c"]}
    posts = {"train": [Post("a", {"caption": "la"}), Post("b", {"caption": "la"})]}
    posts["test"] = [Post("c", {"caption": "la"})]
    assert split_hash(posts) == "0e94efe13872"
    moved = {"train": posts["train"][:1], "test": [posts["train"][1], *posts["test"]]}
    assert split_hash(moved) != split_hash(posts)


def test_the_same_posts_go_on(tmp_path):
    folder = tmp_path / "runs" / "first"
    keep_to_posts(folder, SPLIT)
    kept = (folder / "posts.json").read_bytes()
    turned = {name: split[::-1] for name, split in SPLIT.items()}
    keep_to_posts(folder, turned)
    elsewhere = [replace(post, audio=Path("/media") / post.audio) for post in POSTS[:4]]
    keep_to_posts(folder, {**SPLIT, "train": elsewhere})
    assert (folder / "posts.json").read_bytes() == kept


def test_another_split_is_refused(tmp_path):
    keep_to_posts(tmp_path, SPLIT)
    grown = {**SPLIT, "test": [*SPLIT["test"], Post("p6", {"caption": "la"}, label=0)]}
    with pytest.raises(ValueError, match="begun with other posts") as refused:
        keep_to_posts(tmp_path, grown)
    message = str(refused.value)
    assert message.startswith(str(tmp_path))
    assert f"train 4, validation 1, test 1 (split {split_hash(SPLIT)})" in message
    assert f"train 4, validation 1, test 2 (split {split_hash(grown)})" in message
    assert "another --runs-dir, or delete that folder" in message
    keep_to_posts(tmp_path, SPLIT)  # they were put back


@pytest.mark.parametrize(
    "change",
    [{"label": 0}, {"texts": {"caption": "lo"}}, {"group": "g"}, {"audio": None}],
)
def test_other_content_of_the_same_posts_is_refused(tmp_path, change):
    keep_to_posts(tmp_path, SPLIT)
    test = [replace(SPLIT["test"][0], **change)]
    with pytest.raises(ValueError, match="they have other labels, texts, songs or"):
        keep_to_posts(tmp_path, {**SPLIT, "test": test})


def test_of_several_processes_the_first_one_has_the_folder(tmp_path, monkeypatch):
    keep_to_posts(tmp_path / "first", SPLIT)
    begun = json.loads((tmp_path / "first" / "posts.json").read_text())
    monkeypatch.setattr(Processes, "agree", lambda self, value: begun)
    second = Processes(1, 2)
    keep_to_posts(tmp_path / "second", SPLIT, second)
    assert not (tmp_path / "second").exists()
    with pytest.raises(ValueError, match="begun with other posts"):
        keep_to_posts(tmp_path / "second", {**SPLIT, "test": POSTS[4:]}, second)
