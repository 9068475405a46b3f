import numpy as np
import pytest

from keras_jtav.preparation import load_table
from keras_jtav.serving.song_index import SongIndex
from keras_jtav.serving.song_search import SongSearch

for_retrieval = pytest.mark.parametrize("finished_run", ["retrieval"], indirect=True)


@pytest.fixture(scope="module")
def parts(finished_run, predictor):
    config, _ = finished_run
    posts = load_table(config).posts
    by_song = {post.song: post for post in posts}
    songs, _ = predictor.call_on_posts(
        "encode_song", list(by_song.values()), ("audio", "lyrics")
    )
    queries, _ = predictor.call_on_posts(
        "encode_query", posts[:6], ("image", "caption")
    )
    del songs["audio_ok"], queries["image_ok"]
    index = SongIndex(predictor.fingerprint)
    index.add(list(by_song), songs)
    return predictor, index, list(by_song), songs, queries


@for_retrieval
def test_with_all_songs_as_candidates_it_is_the_full_ranking(parts):
    predictor, index, names, songs, queries = parts
    full = predictor.call("score", **queries, **songs)["logit"]
    order = np.argsort(-full, axis=1, kind="stable")[:, :7]
    ids, scores = SongSearch(predictor, index, 1000).search(queries, 7)
    np.testing.assert_array_equal(ids, np.array(names, object)[order])
    expected = np.take_along_axis(full, order, axis=1)
    np.testing.assert_allclose(scores, expected, atol=1e-5)


@for_retrieval
def test_stage_2_ranks_what_stage_1_found(parts):
    predictor, index, names, songs, queries = parts
    found, _ = index.search(queries["query_tower"], 20)
    ids, scores = SongSearch(predictor, index, 20).search(queries, 20)
    full = predictor.call("score", **queries, **songs)["logit"]
    for query in range(6):
        assert set(ids[query]) == set(found[query])
        by_name = dict(zip(names, full[query], strict=True))
        expected = [by_name[name] for name in ids[query]]
        np.testing.assert_allclose(scores[query], expected, atol=1e-5)
        assert (np.diff(scores[query]) <= 0).all()
    assert (ids != found).any()  # the pair score says more than the towers


@for_retrieval
def test_equal_pair_scores_keep_the_order_of_the_index(parts):
    predictor, _, _, songs, queries = parts
    copies = SongIndex(predictor.fingerprint)
    rows = np.zeros(30, int)
    names = [f"copy{n}" for n in range(30)]
    copies.add(names, {name: array[rows] for name, array in songs.items()})
    ids, scores = SongSearch(predictor, copies, 20).search(queries, 20)
    for found, row in zip(ids, scores, strict=True):
        assert set(found) == set(names[:20])
        # Copies in other places of a batch may differ in the last bit: no ties then.
        assert np.ptp(row) < 1e-5
        places = [names.index(name) for name in found]
        assert np.lexsort((places, -row)).tolist() == list(range(20))


@for_retrieval
def test_an_index_of_another_model_is_refused(parts):
    predictor = parts[0]
    other = SongIndex("0123456789abcdef")
    with pytest.raises(ValueError, match=r"by the model '0123456789abcdef'.*again"):
        SongSearch(predictor, other)
    with pytest.raises(ValueError, match="at least 1; received 0"):
        SongSearch(predictor, SongIndex(predictor.fingerprint), 0)


class StandIn:
    """An exported model as far as it is looked at before it is used."""

    def __init__(self, task, outputs):
        self.task = task
        self._outputs = outputs

    def outputs(self, endpoint):
        return self._outputs


def test_a_model_that_finds_no_songs_by_vectors_is_refused():
    with pytest.raises(ValueError, match="needs a retrieval model; this one is for"):
        SongSearch(StandIn("sentiment", set()), SongIndex())
    without_towers = StandIn("retrieval", {"audio_vector", "audio_ok"})
    with pytest.raises(
        ValueError, match=r"has none\. Train one with --set tower_units"
    ):
        SongSearch(without_towers, SongIndex())
