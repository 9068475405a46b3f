import json

import numpy as np
import pytest

from keras_jtav import SongIndex
from keras_jtav.serving import index_folder, index_rows, song_index

DIM = 16


def songs(count, seed=0):
    rng = np.random.default_rng(seed)
    towers = rng.normal(size=(count, DIM)).astype("float32")
    return {
        "song_tower": towers / np.linalg.norm(towers, axis=1, keepdims=True),
        "words": rng.integers(0, 50, (count, 6, 2)).astype("int32"),
        "audio_present": rng.random(count) < 0.5,
    }


def names(count, first=0):
    return [f"song{n}" for n in range(first, first + count)]


def queries(count=5, seed=9):
    return np.random.default_rng(seed).normal(size=(count, DIM)).astype("float32")


def some(encodings, rows):
    return {name: array[rows] for name, array in encodings.items()}


@pytest.fixture
def index():
    index = SongIndex("model-1")
    index.add(names(40), songs(40))
    return index


def by_plain_sort(ids, towers, asked, k):
    order = np.argsort(-(asked.astype("float64") @ towers.T), axis=1)[:, :k]
    return np.array(ids, object)[order]


def test_search_is_the_best_of_all_products(index):
    ids, scores = index.search(queries(), 7)
    towers = songs(40)["song_tower"]
    np.testing.assert_array_equal(ids, by_plain_sort(names(40), towers, queries(), 7))
    products = np.sort(queries() @ towers.T, axis=1)[:, ::-1]
    np.testing.assert_allclose(scores, products[:, :7], rtol=1e-5)
    assert index.search(queries(), 99)[0].shape == (5, 40)


def test_a_query_alone_finds_what_it_finds_among_others(index, monkeypatch):
    together = index.search(queries(), 9)
    for number, query in enumerate(queries()):
        ids, scores = index.search(query[None], 9)
        np.testing.assert_array_equal(ids[0], together[0][number])
        np.testing.assert_array_equal(scores[0], together[1][number])
    monkeypatch.setattr(song_index, "SCORES_AT_ONCE", 90)  # two queries at a time
    np.testing.assert_array_equal(index.search(queries(), 9)[0], together[0])


def test_among_equal_songs_the_first_one_wins():
    encodings = some(songs(1), np.zeros(3000, int))
    index = SongIndex()
    index.add(names(1000), some(encodings, slice(0, 1000)))
    index.add(names(2000, 1000), some(encodings, slice(1000, 3000)))
    ids, scores = index.search(queries(3), 5)
    assert ids.tolist() == [names(5)] * 3
    assert (scores == scores[:, :1]).all()


def test_songs_added_one_by_one_are_those_added_at_once(index, monkeypatch):
    monkeypatch.setattr(index_rows, "PART_SONGS", 16)
    monkeypatch.setattr(index_rows, "SMALL_PART_SONGS", 4)
    one_by_one = SongIndex()
    for row, name in enumerate(names(40)):
        one_by_one.add([name], some(songs(40), [row]))
    at_once = SongIndex()
    at_once.add(names(40), songs(40))
    for other in (one_by_one, at_once):
        assert other.ids() == names(40)
        np.testing.assert_array_equal(
            other.search(queries(), 8)[0], index.search(queries(), 8)[0]
        )
        for name, array in other.encodings().items():
            np.testing.assert_array_equal(array, songs(40)[name])
    assert [len(part) for part in at_once._rows.parts] == [16, 16, 8]
    assert len(one_by_one._rows.parts) == 10


def test_removed_songs_are_not_found_and_may_return(index):
    best = index.search(queries(1), 3)[0][0].tolist()
    index.remove([best[0], best[2]])
    assert len(index) == 38
    assert best[0] not in index
    assert best[1] in index
    ids = index.search(queries(1), 38)[0][0].tolist()
    assert ids[0] == best[1]
    assert not {best[0], best[2]} & set(ids)
    row = names(40).index(best[0])
    index.add([best[0]], some(songs(40), [row]))
    assert index.search(queries(1), 1)[0][0, 0] == best[0]
    assert index.ids() == [n for n in names(40) if n not in (best[0], best[2])] + [
        best[0]
    ]


def test_a_saved_index_is_mapped_and_goes_on(index, tmp_path):
    index.remove(["song3"])
    index.save(tmp_path / "index")
    loaded = SongIndex.load(tmp_path / "index")
    assert loaded.model == "model-1"
    assert loaded.ids() == [n for n in names(40) if n != "song3"]
    assert not loaded._rows.parts[0].vectors.flags.writeable  # mapped for reading
    loaded.add(names(10, 40), songs(10, seed=1))
    loaded.remove(["song41", "song7"])
    expected = loaded.search(queries(), 9)
    loaded.save(tmp_path / "index")
    for again in (loaded, SongIndex.load(tmp_path / "index")):
        assert len(again) == 47
        np.testing.assert_array_equal(again.search(queries(), 9)[0], expected[0])
        np.testing.assert_array_equal(again.search(queries(), 9)[1], expected[1])


def test_adding_to_a_large_index_leaves_its_files_alone(index, tmp_path, monkeypatch):
    monkeypatch.setattr(index_rows, "SMALL_PART_SONGS", 4)
    index.save(tmp_path / "index")
    before = {path: path.stat().st_mtime_ns for path in tmp_path.rglob("part-*/*.npy")}
    assert before
    index.add(names(2, 40), songs(2, seed=1))
    index.save(tmp_path / "index")
    index.add(names(2, 42), songs(2, seed=2))  # joined with the small part before
    index.remove(["song0"])
    index.save(tmp_path / "index")
    assert {path: path.stat().st_mtime_ns for path in before} == before
    state = json.loads((tmp_path / "index" / "index.json").read_text())
    assert len(state["parts"]) == 2
    found = sorted(path.name for path in (tmp_path / "index").iterdir())
    assert found == sorted(["index.json", *state["parts"], state["removed"]])


def test_a_copy_has_no_removed_songs(index, tmp_path):
    index.save(tmp_path / "old")
    index.remove(names(10))
    index.save(tmp_path / "new")
    copy = SongIndex.load(tmp_path / "new")
    assert copy.ids() == names(30, 10)
    assert copy._rows.num_rows == 30
    assert len(SongIndex.load(tmp_path / "old")) == 40


def test_a_kill_while_saving_leaves_the_old_index(index, tmp_path, monkeypatch):
    folder = tmp_path / "index"
    index.save(folder)
    index.add(names(5, 40), songs(5, seed=1))
    with monkeypatch.context() as patch:
        patch.setattr(index_folder.IndexFolder, "write_state", _killed)
        with pytest.raises(KeyboardInterrupt):
            index.save(folder)
    assert SongIndex.load(folder).ids() == names(40)
    index.save(folder)  # sweeps what the first attempt left
    assert SongIndex.load(folder).ids() == names(45)
    assert len(list(folder.iterdir())) == 2
    fresh = SongIndex()
    fresh.add(names(2), songs(2))
    with monkeypatch.context() as patch:
        patch.setattr(index_folder.IndexFolder, "write_state", _killed)
        with pytest.raises(KeyboardInterrupt):
            fresh.save(tmp_path / "fresh")
    assert [path.name for path in tmp_path.iterdir()] == ["index"]


def _killed(*arguments):
    raise KeyboardInterrupt


def test_two_processes_do_not_save_over_each_other(index, tmp_path):
    index.save(tmp_path / "index")
    other = SongIndex.load(tmp_path / "index")
    other.add(names(1, 40), songs(1))
    other.save(tmp_path / "index")
    index.add(names(1, 41), songs(1))
    with pytest.raises(ValueError, match="saved by another process meanwhile"):
        index.save(tmp_path / "index")
    with pytest.raises(ValueError, match=r"is in use\. To change the index in it"):
        SongIndex().save(tmp_path / "index")


@pytest.mark.parametrize(
    ("ids", "message"),
    [
        (["song7", "new", "song8"], "2 of 3 ids are in the index already.*'song7'"),
        (["new", "newer", "new"], "The id 'new' is given twice"),
        (["new", "", "newer"], "not empty; received ''"),
        (["new", 3, "newer"], "not empty; received 3"),
    ],
)
def test_ids_that_cannot_be_added(index, ids, message):
    with pytest.raises(ValueError, match=message):
        index.add(ids, songs(3))
    assert index.ids() == names(40)


def test_an_unknown_id_cannot_be_removed(index):
    with pytest.raises(ValueError, match=r"1 of 2 ids are not in the index.*'nothing'"):
        index.remove(["song1", "nothing"])
    assert len(index) == 40


def test_encodings_that_do_not_fit(index):
    fitting = songs(2)
    without = {"words": fitting["words"]}
    with pytest.raises(ValueError, match=r"`song_tower`; received \['words'\].*towers"):
        index.add(names(2, 40), without)
    with pytest.raises(ValueError, match=r"one row for each of 3 ids; received .*2"):
        index.add(names(3, 40), fitting)
    other = {**fitting, "words": fitting["words"][:, :4]}
    with pytest.raises(ValueError, match="Use the model that made the index"):
        index.add(names(2, 40), other)
    broken = {**fitting, "song_tower": fitting["song_tower"].copy()}
    broken["song_tower"][1, 2] = np.nan
    with pytest.raises(ValueError, match="must be finite; row 1 is not"):
        index.add(names(2, 40), broken)


def test_queries_that_do_not_fit(index):
    with pytest.raises(ValueError, match=r"\(queries, 16\).*received \(2, 3\)"):
        index.search(np.ones((2, 3)), 1)
    with pytest.raises(ValueError, match="must be finite"):
        index.search(np.full((1, DIM), np.nan), 1)
    with pytest.raises(ValueError, match="holds no songs"):
        SongIndex().search(queries(), 1)


def test_folders_that_hold_no_index(index, tmp_path):
    with pytest.raises(FileNotFoundError, match=r"holds no index of songs.*keras-jtav"):
        SongIndex.load(tmp_path)
    (tmp_path / "notes.txt").write_text("mine")
    with pytest.raises(ValueError, match="is in use"):
        index.save(tmp_path)
    index.save(tmp_path / "index")
    state = tmp_path / "index" / "index.json"
    state.write_text(state.read_text().replace('"format": 1', '"format": 7'))
    with pytest.raises(ValueError, match="has format 7, and this version reads"):
        SongIndex.load(tmp_path / "index")


def test_a_reader_follows_a_save_that_comes_between(index, tmp_path, monkeypatch):
    folder = tmp_path / "index"
    index.save(folder)
    read_state = index_folder.IndexFolder.read_state

    def read_before_a_save(self):
        state = read_state(self)
        monkeypatch.undo()
        index.add(names(5, 40), songs(5, seed=1))  # joined: the old part is swept
        index.save(folder)
        return state

    monkeypatch.setattr(index_folder.IndexFolder, "read_state", read_before_a_save)
    assert SongIndex.load(folder).ids() == names(45)


def test_a_damaged_index_is_told(index, tmp_path):
    index.save(tmp_path / "index")
    (file,) = tmp_path.glob("index/part-*/song_tower.npy")
    file.unlink()
    with pytest.raises(FileNotFoundError, match=r"part-.*lacks files\. Make the index"):
        SongIndex.load(tmp_path / "index")
