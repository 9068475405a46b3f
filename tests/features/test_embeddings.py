import logging
import sys
from types import SimpleNamespace

import numpy as np
import pytest
import tensorflow as tf

from keras_jtav.features import embeddings, vector_files
from keras_jtav.features.embeddings import load_vectors, train_vectors
from keras_jtav.features.text import TextIds

TEXTS = [
    "The sun is shining",
    "the moon and the sun",
    "Жук сидит, sun",
    "",
    "rainy day",
]


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    """A fastText model as its file, and the library's own view of it."""
    fasttext = pytest.importorskip("fasttext")
    folder = tmp_path_factory.mktemp("model")
    corpus = folder / "corpus.txt"
    lines = ["the sun the Sun the moon the", "sun moon rain New-York", "жук the sun"]
    corpus.write_text("\n".join(lines), encoding="utf-8")
    library = fasttext.train_unsupervised(
        str(corpus), dim=12, minn=3, maxn=4, bucket=300, minCount=1, thread=1, verbose=0
    )
    library.save_model(str(folder / "model.bin"))
    return folder / "model.bin", library


def vec_file(path, rows, header=None):
    lines = [header or f"{len(rows)} 2", *rows]
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return path


def mean_vectors(vocabulary, words):
    """What a model makes of words: the mean of the rows of their pieces."""
    ids = TextIds(vocabulary, length=1)(tf.constant(words)).numpy()[:, 0]
    rows = vocabulary.matrix[ids] * (ids > 0)[..., None]
    return rows.sum(axis=1) / (ids > 0).sum(axis=1, keepdims=True)


def test_trained_vectors_are_the_librarys(tmp_path, monkeypatch):
    fasttext = pytest.importorskip("fasttext")
    kept = []
    train = fasttext.train_unsupervised

    def spy(*args, **kwargs):
        kept.append(train(*args, **kwargs))
        return kept[0]

    monkeypatch.setattr(fasttext, "train_unsupervised", spy)
    vocabulary = train_vectors(TEXTS, 16, 0, buckets=400, cache_folder=tmp_path)
    assert set(vocabulary.words) == {
        *["the", "sun", "is", "shining", "moon", "and", "rainy", "day", "жук", "сидит"]
    }
    inputs = kept[0].get_input_matrix()
    words = [*vocabulary.words, "sunshine", "жуки", "unseen"]
    expected = [inputs[kept[0].get_subwords(word)[1]].mean(axis=0) for word in words]
    np.testing.assert_allclose(mean_vectors(vocabulary, words), expected, atol=1e-7)


def test_training_twice_gives_the_same_matrix_and_another_seed_another(tmp_path):
    first, second, other = (
        train_vectors(TEXTS, 16, seed, buckets=400, cache_folder=tmp_path / folder)
        for seed, folder in ((3, "a"), (3, "b"), (4, "b"))
    )
    assert first.words == second.words
    np.testing.assert_array_equal(first.matrix, second.matrix)
    rows = [vocabulary.words.index("sun") + 2 for vocabulary in (first, other)]
    assert not np.allclose(first.matrix[rows[0]], other.matrix[rows[1]])


def test_without_subwords_the_unknown_word_is_the_mean(tmp_path):
    vocabulary = train_vectors(TEXTS, 8, 0, subwords=False, cache_folder=tmp_path)
    assert vocabulary.buckets == 0
    assert vocabulary.pieces == 1
    mean = vocabulary.matrix[2:].mean(axis=0)
    np.testing.assert_allclose(vocabulary.matrix[1], mean, atol=1e-7)
    assert not vocabulary.matrix[0].any()


def test_trained_vectors_are_cached_and_a_damaged_cache_is_made_again(
    tmp_path, monkeypatch, caplog
):
    arguments = (TEXTS, 8, 0, True, 100, tmp_path)
    first = train_vectors(*arguments)
    (file,) = tmp_path.iterdir()
    with monkeypatch.context() as patch:
        patch.setattr(embeddings, "_train", None)
        cached = train_vectors(*arguments)
    np.testing.assert_array_equal(cached.matrix, first.matrix)
    file.write_bytes(b"damaged")
    again = train_vectors(*arguments)
    assert "Training word vectors again" in caplog.text
    np.testing.assert_array_equal(again.matrix, first.matrix)


def test_the_cache_lies_in_the_home_folder(tmp_path, monkeypatch):
    monkeypatch.setenv("KERAS_JTAV_HOME", str(tmp_path))
    train_vectors(TEXTS, 8, 0, buckets=100)
    assert [file.suffix for file in (tmp_path / "vectors").iterdir()] == [".npz"]


def test_training_prints_nothing(tmp_path, capfd):
    train_vectors(TEXTS, 8, 0, buckets=100, cache_folder=tmp_path)
    assert capfd.readouterr() == ("", "")


def test_a_corpus_without_words_is_refused(tmp_path):
    with pytest.raises(ValueError, match="received no word in 2 texts"):
        train_vectors(["", "!?"], 8, 0, cache_folder=tmp_path)


def test_a_library_that_starts_from_undefined_values_is_refused(tmp_path, monkeypatch):
    def train(*args, dim, **kwargs):
        inputs = np.full((40, dim), 0.5 / dim, "float32")
        inputs[30:] = 1e-20
        return SimpleNamespace(
            get_words=lambda: ["sun"],
            get_input_matrix=lambda: inputs,
            get_subwords=lambda word: ([word], np.array([0])),
        )

    def fail(*args, **kwargs):
        raise RuntimeError("Encountered NaN.")

    for broken in (train, fail):
        library = SimpleNamespace(train_unsupervised=broken)
        monkeypatch.setitem(sys.modules, "fasttext", library)
        with pytest.raises(RuntimeError, match="pip install fasttext-community"):
            train_vectors(["sun"], 8, 0, buckets=39, cache_folder=tmp_path)
    assert not list(tmp_path.iterdir())


def test_an_absent_library_gives_the_line_to_install_it(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "fasttext", None)
    with pytest.raises(ImportError, match="pip install fasttext-community"):
        train_vectors(TEXTS, 8, 0, cache_folder=tmp_path)


def test_bin_vectors_are_the_librarys_also_of_unseen_words(model):
    path, library = model
    vocabulary = load_vectors(path, ["sun", "sunny", "жуки"], 3)
    # The file's words by frequency: the, sun, moon, ...; `Sun` and `New-York` are no
    # words of our rule.
    assert vocabulary.words[:3] == ("sun", "sunny", "жуки")
    assert set(vocabulary.words[3:5]) <= {"the", "moon", "rain", "жук"}
    assert vocabulary.words[3] == "the"
    assert len(vocabulary.words) == 6
    inputs = library.get_input_matrix()
    expected = [
        inputs[library.get_subwords(word)[1]].mean(axis=0) for word in vocabulary.words
    ]
    np.testing.assert_allclose(vocabulary.matrix[2:], expected, atol=1e-7)
    np.testing.assert_allclose(
        vocabulary.matrix[1], np.mean(expected, axis=0), atol=1e-7
    )


def test_a_bin_file_without_ngrams_has_its_own_words_only(tmp_path):
    fasttext = pytest.importorskip("fasttext")
    corpus = tmp_path / "corpus.txt"
    corpus.write_text("the sun the moon", encoding="utf-8")
    library = fasttext.train_unsupervised(
        str(corpus), dim=10, maxn=0, minCount=1, thread=1, verbose=0
    )
    library.save_model(str(tmp_path / "model.bin"))
    vocabulary = load_vectors(tmp_path / "model.bin", ["moon", "moonlight"], 1)
    assert vocabulary.words == ("moon", "the")
    row = library.get_word_id("moon")
    np.testing.assert_array_equal(vocabulary.matrix[2], library.get_input_vector(row))


@pytest.mark.parametrize(
    ("kept_bytes", "reason"),
    [
        (0, "cannot mmap"),
        (3, "unpack_from requires"),
        (70, "unpack_from requires"),
        (110, "ends amid its words"),
        (3000, "ends amid its vectors"),
    ],
)
def test_a_cut_bin_file_is_refused(model, tmp_path, kept_bytes, reason):
    cut = tmp_path / "cut.bin"
    cut.write_bytes(model[0].read_bytes()[:kept_bytes])
    with pytest.raises(ValueError, match=rf"cut.bin is no whole fastText .*{reason}"):
        load_vectors(cut, ["sun"], 3)


def test_another_bin_file_is_refused(tmp_path):
    other = tmp_path / "other.bin"
    other.write_bytes(bytes(1000))
    with pytest.raises(ValueError, match="another kind of file"):
        load_vectors(other, ["sun"], 3)


def test_a_bin_file_of_another_layout_is_refused(model, tmp_path):
    later = bytearray(model[0].read_bytes())
    later[4] = 13
    (tmp_path / "later.bin").write_bytes(later)
    with pytest.raises(ValueError, match="its layout is number 13"):
        load_vectors(tmp_path / "later.bin", ["sun"], 3)


def test_a_bin_file_of_the_first_layout_gives_the_same(model, tmp_path):
    # It had no magic number, no layout, no count of pruned n-grams and no flag before
    # the matrix.
    content = model[0].read_bytes()
    words_start = 8 + 56 + 28
    words_end = words_start
    for _ in range(int.from_bytes(content[64:68], "little")):
        words_end = content.index(0, words_end) + 10
    parts = [content[8:84], content[words_start:words_end], content[words_end + 1 :]]
    (tmp_path / "first.bin").write_bytes(b"".join(parts))
    words = ["sun", "sunny", "жуки"]
    first = load_vectors(tmp_path / "first.bin", words, 3)
    np.testing.assert_array_equal(first.matrix, load_vectors(model[0], words, 3).matrix)


def test_quantised_and_pruned_bin_files_are_refused(model, tmp_path):
    content = bytearray(model[0].read_bytes())
    pruned = content.copy()
    pruned[8 + 56 + 20 : 8 + 56 + 28] = (7).to_bytes(8, "little")
    words = [b"the", b"sun"]
    start = 8 + 56 + 28
    num_entries = int.from_bytes(content[8 + 56 : 8 + 60], "little")
    assert content[start:].startswith(words[0])
    for _ in range(num_entries):
        start = content.index(0, start) + 10
    content[start] = 1
    for name, data in (("quantised", content), ("pruned", pruned)):
        (tmp_path / f"{name}.bin").write_bytes(data)
        with pytest.raises(ValueError, match=rf"{name}\)\. Give a complete"):
            load_vectors(tmp_path / f"{name}.bin", ["sun"], 3)


def test_vec_rows_are_read_where_they_are_needed(tmp_path, monkeypatch):
    monkeypatch.setattr(vector_files, "_LINES_PER_CALL", 2)
    rows = ["the 1 2", "London 3 4", "sun 5 6", "moon 7 8", "rare 9 10", "жук 1 0"]
    path = vec_file(tmp_path / "few.vec", rows)
    vocabulary = load_vectors(path, ["жук", "absent", "sun"], 2)
    assert vocabulary.words == ("жук", "sun", "the", "moon")
    assert vocabulary.matrix[2:].tolist() == [[1, 0], [5, 6], [1, 2], [7, 8]]
    # Unknown: ((1, 0) + (5, 6) + (1, 2) + (7, 8)) / 4 = (3.5, 4).
    assert vocabulary.matrix[1].tolist() == [3.5, 4.0]
    assert vocabulary.pieces == 1


def test_broken_vec_rows_are_left_out_and_counted(tmp_path, caplog):
    rows = ["sun 1", "moon 1 x", "rain 1 nan", "day 3 4", "day 5 6", ""]
    path = vec_file(tmp_path / "broken.vec", rows, header="9 2")
    with caplog.at_level(logging.WARNING):
        vocabulary = load_vectors(path, ["sun"], 10)
    assert vocabulary.words == ("day",)
    assert vocabulary.matrix[2].tolist() == [3, 4]
    assert "left out 3 broken rows; 6 of the 9 rows" in caplog.text


def test_a_whole_vec_file_is_read_without_a_warning(tmp_path, caplog):
    load_vectors(vec_file(tmp_path / "whole.vec", ["sun 1 2"]), ["sun"], 0)
    assert not [record for record in caplog.records if record.levelname == "WARNING"]


@pytest.mark.parametrize("header", ["sun 1 2", "2", "0 2", "2 0", "a b"])
def test_a_vec_file_needs_its_first_line(tmp_path, header):
    path = vec_file(tmp_path / "glove.vec", ["moon 1 2"], header=header)
    with pytest.raises(
        ValueError, match=r"first line of .*glove.vec must be the number"
    ):
        load_vectors(path, ["moon"], 3)


def test_a_file_without_a_usable_word_is_refused(tmp_path):
    path = vec_file(tmp_path / "cased.vec", ["London 1 2", "New-York 1 2"])
    with pytest.raises(ValueError, match="no vector for any word of the corpus"):
        load_vectors(path, ["sun"], 3)


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"No fastText file at .*gone.vec"):
        load_vectors(tmp_path / "gone.vec", ["sun"], 3)


@pytest.mark.parametrize("name", ["cc.en.300.bin.gz", "vectors.txt"])
def test_another_suffix_is_refused(tmp_path, name):
    with pytest.raises(ValueError, match=rf"ends in .bin or .vec; received '{name}'"):
        load_vectors(tmp_path / name, ["sun"], 3)
