import random
from collections import Counter, defaultdict
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from keras_jtav.data.post import SPLIT_NAMES, Post
from keras_jtav.data.splits import split_posts

SEEDS = range(5)


def make_posts(seed, num=240):
    draw = np.random.default_rng(seed)
    posts = []
    for n in range(num):
        posts.append(
            Post(
                f"p{n:03d}",
                {"caption": "la"},
                audio=Path(f"a{draw.integers(80)}.wav")
                if draw.random() < 0.5
                else None,
                label=[0, 1, None][draw.integers(3)],
                song=f"s{draw.integers(60)}" if draw.random() < 0.6 else None,
                group=f"g{draw.integers(50)}" if draw.random() < 0.4 else "",
            )
        )
    return posts


def song_posts(sizes):
    return [
        Post(f"{song}-{n}", {"caption": "la"}, song=song)
        for song, size in sizes.items()
        for n in range(size)
    ]


def ids(parts):
    return {name: [post.id for post in posts] for name, posts in parts.items()}


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("split", ["random", "dagger"])
def test_every_post_lands_once_and_no_group_crosses(split, seed):
    posts = make_posts(seed)
    parts = split_posts(posts, split, seed=seed)
    assert Counter(p.id for part in parts.values() for p in part) == Counter(
        p.id for p in posts
    )
    homes = defaultdict(set)
    for name, part in parts.items():
        for post in part:
            homes[post.group_key].add(name)
            if split == "dagger" and post.song:
                homes["song", post.song].add(name)
    assert all(len(names) == 1 for names in homes.values())


@pytest.mark.parametrize("split", ["random", "dagger", "section"])
def test_order_of_rows_does_not_matter(split):
    posts = make_posts(1)
    expected = ids(split_posts(posts, split, seed=3))
    random.Random(0).shuffle(posts)
    assert ids(split_posts(posts, split, seed=3)) == expected
    assert ids(split_posts(posts, split, seed=4)) != expected


def test_folder_of_the_recordings_does_not_matter():
    def posts(folder):
        return [
            Post(f"p{n}", audio=Path(folder, f"{n // 2}.wav"), label=n % 2)
            for n in range(80)
        ]

    here, there = (split_posts(posts(folder), "random") for folder in "ab")
    assert ids(here) == ids(there)


def test_sizes_are_exact_and_stratified_without_groups():
    posts = [
        Post(f"p{n}", {"caption": "la"}, label=int(n % 10 < 3)) for n in range(300)
    ]
    parts = split_posts(posts, "random", (0.7, 0.2, 0.1), seed=2)
    # 300 posts, 90 of them of class 1: 70, 20 and 10 % of both.
    assert [len(parts[name]) for name in SPLIT_NAMES] == [210, 60, 30]
    assert [sum(p.label for p in parts[name]) for name in SPLIT_NAMES] == [63, 18, 9]


@pytest.mark.parametrize("seed", SEEDS)
def test_sizes_are_as_close_as_one_group_allows(seed):
    draw = np.random.default_rng(seed)
    sizes = {f"s{n}": int(draw.integers(1, 6)) for n in range(100)}
    posts = song_posts(sizes)
    parts = split_posts(posts, "random", seed=seed)
    for name, share in zip(SPLIT_NAMES, (0.8, 0.1, 0.1), strict=True):
        assert abs(len(parts[name]) - share * len(posts)) <= 5
    held_out = Counter(p.song for p in parts["test"] + parts["validation"])
    assert max(held_out.values()) > 2  # big groups are not all in training


def test_a_group_of_half_the_posts_leaves_the_others_for_the_small_parts():
    parts = split_posts(
        song_posts({"hit": 50} | {f"s{n}": 1 for n in range(50)}), "random"
    )
    assert [len(parts[name]) for name in SPLIT_NAMES] == [80, 10, 10]


@pytest.mark.parametrize("seed", SEEDS)
def test_a_class_of_three_groups_is_in_every_part(seed):
    posts = [Post(f"p{n}", {"caption": "la"}, label=int(n < 3)) for n in range(40)]
    parts = split_posts(posts, "random", seed=seed)
    assert [sum(p.label for p in parts[name]) for name in SPLIT_NAMES] == [1, 1, 1]


def test_strata_too_small_for_every_part_take_turns():
    posts = [Post(f"p{n}", {"caption": "la"}, label=n % 2) for n in range(4)]
    parts = split_posts(posts, "random", (0.5, 0.25, 0.25))
    # Two strata of two posts: training gets one of each, the others one in turn.
    assert [len(parts[name]) for name in SPLIT_NAMES] == [2, 1, 1]


def test_section_holds_out_one_query_of_a_song():
    posts = song_posts({"five": 5, "three": 3, "two": 2, "one": 1})
    posts.append(Post("none", {"caption": "la"}))
    parts = split_posts(posts, "section", seed=1)
    songs = {name: Counter(p.song for p in part) for name, part in parts.items()}
    assert songs["test"] == {"five": 1, "three": 1, "two": 1}
    assert songs["validation"] == {"five": 1, "three": 1}
    assert songs["train"] == {"five": 3, "three": 1, "two": 1, "one": 1, None: 1}


def test_given_splits_are_kept():
    names = ["train", "test", "validation", "train"]
    posts = [
        Post(f"p{n}", {"caption": "la"}, split=name) for n, name in enumerate(names)
    ]
    assert ids(split_posts(posts, "random")) == {
        "train": ["p0", "p3"],
        "validation": ["p2"],
        "test": ["p1"],
    }


def test_validation_is_taken_from_training_by_group():
    posts = [
        Post(f"p{n:02d}", {"caption": "la"}, song=f"s{n // 2}", split="train")
        for n in range(90)
    ]
    posts += [Post(f"t{n}", {"caption": "la"}, split="test") for n in range(10)]
    parts = split_posts(posts, "random", seed=5)
    assert {post.id for post in parts["test"]} == {f"t{n}" for n in range(10)}
    # 90 posts in pairs, 1 / 9 of them: 10.
    assert len(parts["validation"]) == 10
    songs = [{post.song for post in parts[name]} for name in ("train", "validation")]
    assert not songs[0] & songs[1]


@pytest.mark.parametrize("seed", SEEDS)
def test_dagger_takes_validation_from_training_by_song_and_group(seed):
    posts = [replace(post, split="train") for post in make_posts(seed)]
    posts += [Post("t", {"caption": "la"}, split="test")]
    parts = split_posts(posts, "dagger", seed=seed)
    homes = defaultdict(set)
    for name in ("train", "validation"):
        for post in parts[name]:
            homes["group", post.group_key].add(name)
            if post.song:
                homes["song", post.song].add(name)
    assert all(len(names) == 1 for names in homes.values())


def test_section_takes_validation_from_training_by_song():
    posts = song_posts({"four": 4, "two": 2, "one": 1})
    posts = [replace(post, split="train") for post in posts]
    posts.append(Post("t", {"caption": "la"}, song="two", split="test"))
    parts = split_posts(posts, "section", seed=2)
    songs = {name: Counter(p.song for p in part) for name, part in parts.items()}
    assert songs["validation"] == {"four": 1, "two": 1}
    assert songs["train"] == {"four": 3, "two": 1, "one": 1}
    assert songs["test"] == {"two": 1}


@pytest.mark.parametrize(
    ("posts", "split", "message"),
    [
        (
            song_posts({"a": 9}),
            "none",
            "`split` must be one of random, dagger, section",
        ),
        (
            song_posts({"a": 9}),
            "random",
            r"leaves none for validation and test \(9 for",
        ),
        (song_posts({"a": 9}), "dagger", "Add songs or change"),
        (
            song_posts({"a": 2, "b": 2}),
            "section",
            "Add songs with at least three posts",
        ),
        (
            [],
            "random",
            "split of 0 posts leaves none for train and validation and test",
        ),
        (
            [
                Post("a", {"caption": "la"}, split="train"),
                Post("b", {"caption": "la"}),
            ],
            "random",
            "1 of 2 posts carry a `split` and 1 do not. Fill it for all",
        ),
        (
            [Post(f"{n}", {"caption": "la"}, split="train") for n in range(50)],
            "random",
            "given split of 50 posts leaves none for test .* Fill the `split` column",
        ),
    ],
)
def test_split_refuses(posts, split, message):
    with pytest.raises(ValueError, match=message):
        split_posts(posts, split)
