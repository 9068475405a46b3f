import numpy as np
import pytest

from keras_jtav.serving.index_part import IndexPart

IDS = ["blå", "a\nb,c", "red"]


@pytest.fixture
def encodings():
    rng = np.random.default_rng(0)
    lists = rng.integers(0, 9000, (4, 24)).astype("int32")
    return {
        "song_tower": rng.normal(size=(3, 8)).astype("float32"),
        "audio_present": np.array([True, False, True]),
        "words": lists[rng.integers(0, 4, (3, 60))],
    }


@pytest.fixture(params=["in memory", "mapped"])
def part(request, encodings, tmp_path):
    part = IndexPart.from_songs(IDS, encodings)
    if request.param == "in memory":
        return part
    part.write(tmp_path)
    return IndexPart.open(tmp_path)


def test_rows_come_back_as_they_were(part, encodings):
    assert len(part) == 3
    assert part.ids() == IDS
    assert part.ids([2, 0]) == ["red", "blå"]
    found = part.encodings(np.array([2, 0]))
    assert set(found) == set(encodings)
    for name, array in encodings.items():
        np.testing.assert_array_equal(found[name], array[[2, 0]])
        assert found[name].dtype == array.dtype
    np.testing.assert_array_equal(part.vectors, encodings["song_tower"])
    assert part.specs["words"] == ((60, 24), "int32")


def test_lists_of_words_are_kept_once(encodings, tmp_path):
    IndexPart.from_songs(IDS, encodings).write(tmp_path)
    assert np.load(tmp_path / "words.lists.npy").shape == (4, 24)
    numbers = np.load(tmp_path / "words.npy")
    assert (numbers.shape, numbers.dtype) == ((3, 60), np.dtype("uint8"))


def test_parts_are_taken_and_joined(part, encodings):
    some = part.take(np.array([2]))
    assert some.ids() == ["red"]
    both = some.join(part.take(np.array([0, 1])))
    assert both.ids() == ["red", "blå", "a\nb,c"]
    for name, array in both.encodings(np.arange(3)).items():
        np.testing.assert_array_equal(array, encodings[name][[2, 0, 1]])
