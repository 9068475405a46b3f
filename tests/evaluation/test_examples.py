import numpy as np

from keras_jtav.data.post import Post
from keras_jtav.evaluation.examples import mistake_examples, query_examples


def posts_of(number, **more):
    return [
        Post(f"p{i}", {"caption": f"caption {i}"}, song=f"s{i}", **more)
        for i in range(number)
    ]


def test_queries_run_from_the_best_rank_to_the_worst():
    queries = songs = posts_of(20)
    scores = np.random.default_rng(0).normal(size=(20, 20))
    spread, worst = query_examples(queries, songs, scores, np.eye(20, dtype=bool))
    ranks = [shown["rank"] for shown in spread["shown"]]
    assert ranks == sorted(ranks)
    assert worst["shown"][0]["rank"] == ranks[-1]
    for shown in (*spread["shown"], *worst["shown"]):
        true = [song for song in shown["songs"] if song["true"]]
        assert [song["name"] for song in true] == ["s" + shown["id"][1:]]
        assert true[0]["place"] == shown["rank"]
        places = [song["place"] for song in shown["songs"]]
        assert places[:3] == [1, 2, 3]
        by_place = [song["score"] for song in shown["songs"]]
        assert by_place == sorted(by_place, reverse=True)


def test_mistakes_are_the_most_certain_wrong_answers():
    posts = posts_of(4, label=0)
    probabilities = np.array([0.2, 0.9, 0.6, 0.4])
    (group,) = mistake_examples(posts, probabilities, 0.5, ("bad", "good"))
    shown = [(s["id"], s["label"], s["answer"]) for s in group["shown"]]
    assert shown == [("p1", "bad", "good"), ("p2", "bad", "good")]


def test_without_a_mistake_none_is_shown():
    (group,) = mistake_examples(posts_of(2, label=1), np.ones(2), 0.5, ("bad", "good"))
    assert group["shown"] == []
