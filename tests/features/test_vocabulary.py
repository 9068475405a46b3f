import numpy as np
import pytest

from keras_jtav.features.vocabulary import MAX_PIECES, Vocabulary


def table(rows, dim=2):
    matrix = np.arange(rows * dim, dtype="float32").reshape(rows, dim)
    matrix[0] = 0
    return matrix


def test_pieces_depend_on_subwords():
    assert Vocabulary(["sun"], table(3)).pieces == 1
    assert Vocabulary(["sun"], table(13), 3, 5, 10).pieces == MAX_PIECES


def test_rows_of_buckets_follow_the_words():
    assert Vocabulary(["sun", "moon"], table(14), 3, 5, 10).first_bucket_row == 4


def test_saved_and_loaded_agree(tmp_path):
    path = tmp_path / "new" / "vectors.npz"
    saved = Vocabulary(["sun", "жук", "don't"], table(15), 3, 5, 10)
    saved.save(path)
    loaded = Vocabulary.load(path)
    assert loaded.words == saved.words
    assert (loaded.min_ngram, loaded.max_ngram, loaded.buckets) == (3, 5, 10)
    np.testing.assert_array_equal(loaded.matrix, saved.matrix)
    assert [file.name for file in path.parent.iterdir()] == ["vectors.npz"]


def test_a_failed_save_leaves_the_old_file(tmp_path, monkeypatch):
    path = tmp_path / "vectors.npz"
    Vocabulary(["sun"], table(3)).save(path)
    before = path.read_bytes()

    def fail(*args, **kwargs):
        raise OSError("disk full")

    monkeypatch.setattr(np, "savez", fail)
    with pytest.raises(OSError, match="disk full"):
        Vocabulary(["moon"], table(3)).save(path)
    assert path.read_bytes() == before
    assert list(tmp_path.iterdir()) == [path]


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"No vocabulary at .*gone.npz"):
        Vocabulary.load(tmp_path / "gone.npz")


@pytest.mark.parametrize("content", [b"", b"no archive", b"PK\x03\x04 cut"])
def test_a_damaged_file_is_refused(tmp_path, content):
    path = tmp_path / "vectors.npz"
    path.write_bytes(content)
    with pytest.raises(ValueError, match="is no vocabulary that"):
        Vocabulary.load(path)


def test_another_archive_is_refused(tmp_path):
    path = tmp_path / "vectors.npz"
    np.savez(path, other=np.zeros(3))
    with pytest.raises(ValueError, match="is no vocabulary that"):
        Vocabulary.load(path)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (([], table(2)), "needs at least one word"),
        ((["a b"], table(3)), "without white space; received 'a b'"),
        ((["", "b"], table(4)), "without white space; received ''"),
        ((["a", "b", "a"], table(5)), "must be distinct; 'a' is repeated"),
        ((["a"], table(4)), r"must be \(3, dim\).*received shape \(4, 2\)"),
        ((["a"], table(3)[:, 0]), r"received shape \(3,\)"),
        ((["a"], table(3) + 1), "zero in row 0"),
        ((["a"], np.diag([0, 0, np.inf])), "must be finite"),
        ((["a"], table(13), 5, 3, 10), "1 <= min_ngram <= max_ngram"),
        ((["a"], table(13), 0, 3, 10), "1 <= min_ngram <= max_ngram"),
        ((["a"], table(2), 3, 5, -1), "received 3, 5 and -1 buckets"),
    ],
)
def test_what_does_not_fit_is_refused(arguments, message):
    with pytest.raises(ValueError, match=message):
        Vocabulary(*arguments)
