import numpy as np
import pytest

from keras_jtav.data.pairs import (
    BatchPlan,
    false_song_problem,
    first_rows_of_songs,
    unify_songs,
)
from keras_jtav.data.post import Post


def make_posts(songs=6, posts_per_song=3, group=""):
    return [
        Post(f"s{song}p{n}", {"caption": "la"}, song=f"s{song}", group=group)
        for song in range(songs)
        for n in range(posts_per_song)
    ]


def test_an_epoch_is_a_function_of_seed_and_epoch():
    posts = make_posts()
    first, again = (list(BatchPlan(posts, 4, 2, seed=7).epoch(3)) for _ in range(2))
    for one, other in zip(first, again, strict=True):
        np.testing.assert_array_equal(one.queries, other.queries)
        np.testing.assert_array_equal(one.songs, other.songs)
        np.testing.assert_array_equal(one.draws, other.draws)
    other_epoch = list(BatchPlan(posts, 4, 2, seed=7).epoch(4))
    assert any(
        (a.queries != b.queries).any() for a, b in zip(first, other_epoch, strict=True)
    )


def test_an_epoch_shows_each_post_once_but_for_the_remainder():
    plan = BatchPlan(make_posts(), 4, 1, seed=0)
    queries = np.concatenate([batch.queries for batch in plan.epoch(0)])
    assert plan.steps_per_epoch == 4  # 18 posts, 2 of them wait
    assert len(queries) == len(set(queries.tolist())) == 16


def test_the_true_song_is_first_and_the_others_are_false():
    posts = make_posts()
    for epoch in range(20):
        for batch in BatchPlan(posts, 9, 3, seed=epoch).epoch(epoch):
            songs = np.array([post.song for post in posts])[batch.songs]
            true = np.array([post.song for post in posts])[batch.queries]
            assert (songs[:, 0] == true).all()
            assert (songs[:, 1:] != true[:, None]).all()


def test_posts_of_one_group_are_no_false_partners():
    posts = [
        Post(f"p{n}", {"caption": "la"}, song=f"s{n}", group=f"g{n % 2}")
        for n in range(8)
    ]
    for batch in BatchPlan(posts, 8, 4, seed=0).epoch(0):
        assert (batch.songs[:, 1:] % 2 != batch.queries[:, None] % 2).all()


def test_posts_of_one_song_are_no_false_partners_where_groups_cross_songs():
    """A song's group is that of its first post; its other posts may have another."""
    posts = [
        Post(f"p{n}", {"caption": "la"}, song=f"s{n % 4}", group=f"author {n % 3}")
        for n in range(24)
    ]
    songs, groups = (
        np.array([getattr(post, name) for post in posts]) for name in ("song", "group")
    )
    for epoch in range(20):
        for batch in BatchPlan(posts, 12, 4, seed=0).epoch(epoch):
            false, own = batch.songs[:, 1:], batch.queries[:, None]
            assert (songs[false] != songs[own]).all()
            assert (groups[false] != groups[own]).all()


def test_a_post_whose_song_and_group_are_all_there_is_has_no_false_song():
    posts = [
        Post("p1", {"caption": "la"}, song="s1", group="a"),
        Post("p2", {"caption": "la"}, song="s2", group="b"),
    ]
    assert false_song_problem(posts) == ""
    posts.append(Post("p3", {"caption": "la"}, song="s1", group="b"))
    assert "'p3'" in false_song_problem(posts)
    with pytest.raises(ValueError, match="cannot be trained: post 'p3'"):
        BatchPlan(posts, 2, 1, seed=0)


def test_posts_without_a_song_are_planned_for_sentiment():
    posts = [Post(f"p{n}", {"caption": "la"}) for n in range(3)]
    (batch,) = BatchPlan(posts, 3, 0, seed=0).epoch(0)
    assert sorted(batch.songs[:, 0]) == [0, 1, 2]


def test_fewer_posts_than_a_batch_make_a_smaller_batch():
    plan = BatchPlan(make_posts(2, 1), 32, 0, seed=0)
    assert [len(batch.queries) for batch in plan.epoch(0)] == [2]


def test_no_posts_and_one_song_are_refused():
    with pytest.raises(ValueError, match="no training post"):
        BatchPlan([], 4, 0, seed=0)
    with pytest.raises(ValueError, match="'s0p0' shares its song or its group"):
        BatchPlan(make_posts(1, 3), 4, 1, seed=0)
    with pytest.raises(ValueError, match="'p' names no song"):
        first_rows_of_songs([Post("p", {"caption": "la"})])


def test_first_rows_of_songs_keep_the_order_of_appearance():
    posts = [Post(str(n), {"caption": "x"}, song=s) for n, s in enumerate("babca")]
    assert first_rows_of_songs(posts).tolist() == [0, 1, 3]


def test_every_post_of_a_song_gets_its_recording_and_lyrics(tmp_path):
    audio = tmp_path / "a.wav"
    posts = [
        Post("1", {"caption": "x"}, song="s"),
        Post("2", {"lyrics": "la"}, audio=audio, song="s"),
        Post("3", {"lyrics": "lo"}),
    ]
    first, second, alone = unify_songs(posts)
    assert first.audio == second.audio == audio
    assert first.texts == {"caption": "x", "lyrics": "la"}
    assert alone == posts[2]


def test_shares_of_a_batch_are_the_batch():
    posts = [Post(f"p{n}", {"caption": "la"}, song=f"s{n}") for n in range(10)]
    (whole, *_) = BatchPlan(posts, 6, 1, seed=3).epoch(2)
    shares = [BatchPlan(posts, 6, 1, 3, share=(n, 3)) for n in range(3)]
    assert [plan.rows_per_step for plan in shares] == [2, 2, 2]
    parts = [next(plan.epoch(2)) for plan in shares]
    for name in ("queries", "songs", "draws"):
        joined = np.concatenate([getattr(part, name) for part in parts])
        np.testing.assert_array_equal(joined, getattr(whole, name))
