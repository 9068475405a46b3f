import sys

import numpy as np
import pytest

from keras_jtav.serving import inverted_lists
from keras_jtav.serving.inverted_lists import InvertedLists
from keras_jtav.serving.song_index import SongIndex

DIM = 16


def towers(count, seed=0):
    """Return unit vectors in thirty clusters."""
    centres = np.random.default_rng(0).normal(size=(30, DIM))
    rng = np.random.default_rng([1, seed])
    vectors = centres[rng.integers(0, 30, count)] + 0.4 * rng.normal(size=(count, DIM))
    return (vectors / np.linalg.norm(vectors, axis=1, keepdims=True)).astype("float32")


def names(count, first=0):
    return [f"song{n}" for n in range(first, first + count)]


@pytest.fixture
def small_limits(monkeypatch):
    """Lists from 500 songs on, of which a search reads a few."""
    pytest.importorskip("faiss")
    monkeypatch.setattr(inverted_lists, "EXACT_SONGS", 500)
    monkeypatch.setattr(inverted_lists, "LISTS_READ", 12)


@pytest.fixture
def saved(small_limits, tmp_path):
    index = SongIndex()
    index.add(names(2000), {"song_tower": towers(2000)})
    index.save(tmp_path / "index")
    return index, tmp_path / "index"


def lists_file(folder):
    (path,) = folder.glob("lists-*.faiss")
    return path


def recall(index, queries, k):
    found = index.search(queries, k)[0]
    exact = index.search(queries, k, exact=True)[0]
    shares = [len(set(a) & set(b)) / k for a, b in zip(found, exact, strict=True)]
    return float(np.mean(shares))


def test_lists_find_nearly_all_and_read_a_part(saved, monkeypatch):
    index, _ = saved
    assert recall(index, towers(40, seed=5), 10) > 0.95
    monkeypatch.setattr(inverted_lists, "LISTS_READ", 2)
    assert recall(index, towers(40, seed=5), 10) < 0.95  # it was approximate before


def test_where_lists_hold_too_few_all_songs_are_compared(saved, monkeypatch):
    index, _ = saved
    monkeypatch.setattr(inverted_lists, "LISTS_READ", 1)
    queries = towers(20, seed=5)
    assert recall(index, queries, 100) == 1.0
    together, _ = index.search(queries, 12)
    alone = [index.search(query[None], 12)[0][0] for query in queries]
    np.testing.assert_array_equal(together, np.array(alone))


def test_scores_are_the_products(saved):
    index, _ = saved
    query = towers(1, seed=5)
    ids, scores = index.search(query, 5)
    rows = [names(2000).index(id_) for id_ in ids[0]]
    np.testing.assert_allclose(scores[0], towers(2000)[rows] @ query[0], rtol=1e-5)


def test_songs_added_since_are_found_without_touching_the_lists(saved):
    index, folder = saved
    before = lists_file(folder).stat()
    new = towers(100, seed=7)
    index.add(names(100, 2000), {"song_tower": new})
    for again in range(2):
        ids, _ = index.search(new, 1)
        assert ids[:, 0].tolist() == names(100, 2000), again
        index.save(folder)
    after = lists_file(folder).stat()
    assert (after.st_ino, after.st_mtime_ns) == (before.st_ino, before.st_mtime_ns)


def test_many_new_songs_go_into_the_same_lists(saved):
    index, folder = saved
    before = InvertedLists.open(lists_file(folder))
    index.add(names(600, 2000), {"song_tower": towers(600, seed=7)})
    index.save(folder)
    after = InvertedLists.open(lists_file(folder))
    assert (len(before), len(after)) == (2000, 2600)
    assert after._index.nlist == before._index.nlist
    np.testing.assert_array_equal(
        after._index.quantizer.reconstruct_n(0, after._index.nlist),
        before._index.quantizer.reconstruct_n(0, before._index.nlist),
    )
    assert recall(SongIndex.load(folder), towers(40, seed=7), 10) > 0.95


def test_removed_songs_are_not_found_in_lists(saved):
    index, folder = saved
    query = towers(1, seed=5)
    gone = index.search(query, 20)[0][0].tolist()
    index.remove(gone)
    index.save(folder)
    found = SongIndex.load(folder).search(query, 20)[0][0].tolist()
    assert not set(gone) & set(found)
    assert len(found) == 20


def test_among_equal_songs_in_lists_the_first_one_wins(small_limits, tmp_path):
    index = SongIndex()
    index.add(names(700), {"song_tower": np.repeat(towers(7), 100, axis=0)})
    index.save(tmp_path / "index")
    for row in range(7):
        ids, _ = index.search(towers(7)[[row]], 100)
        assert ids[0].tolist() == names(100, 100 * row)


def test_the_same_songs_give_the_same_lists(saved, tmp_path):
    index, folder = saved
    index.save(tmp_path / "copy")
    assert lists_file(tmp_path / "copy").read_bytes() == lists_file(folder).read_bytes()


def test_without_faiss_the_extra_is_named(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "faiss", None)
    monkeypatch.setattr(inverted_lists, "EXACT_SONGS", 50)
    index = SongIndex()
    index.add(names(51), {"song_tower": towers(51)})
    found, _ = index.search(towers(51)[:1], 1)  # exact: nothing is missing
    assert found[0, 0] == "song0"
    with pytest.raises(ImportError, match=r"pip install 'keras-jtav\[index\]'"):
        index.save(tmp_path / "index")
    assert not list(tmp_path.iterdir())


def test_without_faiss_lists_are_not_searched(saved, monkeypatch):
    _, folder = saved
    monkeypatch.setitem(sys.modules, "faiss", None)
    index = SongIndex.load(folder)
    with pytest.raises(ImportError, match="needs faiss"):
        index.search(towers(1), 1)
    assert index.search(towers(2000)[:1], 1, exact=True)[0][0, 0] == "song0"


def test_lists_that_are_gone_are_told(saved):
    _, folder = saved
    lists_file(folder).unlink()
    with pytest.raises(FileNotFoundError, match=r"the lists of an index, is not there"):
        SongIndex.load(folder)
