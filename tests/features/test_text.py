import json
import os
import subprocess
import sys
import time

import keras
import numpy as np
import pytest
import tensorflow as tf

from keras_jtav.features.subwords import ngram_buckets
from keras_jtav.features.text import (
    TextIds,
    protagonist_first,
    tokenize,
    tokenize_texts,
)
from keras_jtav.features.vocabulary import MAX_PIECES, Vocabulary

# Words of one to four bytes a character, and shorter and longer than n-grams are.
WORDS = ["a", "é", "né", "sun", "don't", "ñandú", "жук", "черепаха", "日本語", "𐌰𐌱"]
WORDS += ["donaudampfschifffahrt", "x" * 300]


def vocabulary(words, min_ngram=0, max_ngram=0, buckets=0):
    rows = np.zeros((2 + len(words) + buckets, 1), "float32")
    return Vocabulary(words, rows, min_ngram, max_ngram, buckets)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("Hello, WORLD", ["hello", "world"]),
        ("Don't 'stop' the rock''n'roll '", ["don't", "stop", "the", "rock", "n'roll"]),
        ("a' 'b ' c", ["a", "b", "c"]),
        ("it\N{RIGHT SINGLE QUOTATION MARK}s", ["it's"]),
        (
            "\u00a1\u00d1AND\u00da! \u0416\u0423\u041a-42nd_day",
            ["ñandú", "жук", "42nd", "day"],
        ),
        ("e\u0301te\u0301", ["e\u0301te\u0301"]),
        (
            "\u65e5\u672c\u8a9e\u3002\u0939\u093f\u0928\u094d\u0926\u0940",
            ["日本語", "हिन्दी"],
        ),
        ("I \u0130 \u00cc \u00cd \u0128", ["i", "i", "ì", "í", "ĩ"]),
        ("", []),
        ("... '' !", []),
    ],
)
def test_words_are_runs_of_letters_marks_and_digits(text, words):
    assert tokenize_texts([text]) == [words]


def test_invalid_utf8_separates():
    tokens = tokenize(tf.constant([b"ab\xff\xfecd\xc3"])).to_list()
    assert tokens == [[b"ab", b"cd"]]


def test_many_texts_keep_their_order():
    texts = [f"text {number}" for number in range(2500)]
    assert tokenize_texts(texts) == [text.split() for text in texts]


@pytest.mark.slow
def test_the_locale_of_the_process_changes_nothing():
    text = "I \u0130 TITLE \u00cd\u00cc\u0128"
    code = (
        "import json, sys; from keras_jtav.features.text import tokenize_texts; "
        "print(json.dumps(tokenize_texts([sys.argv[1]])))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, text],
        env={**os.environ, "LC_ALL": "tr_TR.UTF-8", "PYTHONUTF8": "1"},
        capture_output=True,
        text=True,
        check=True,
    )
    assert json.loads(done.stdout) == tokenize_texts([text])


def test_the_part_with_most_words_is_the_protagonist():
    parts = tf.constant(
        [
            ["la la la", "verylongsingleword", "so happy"],
            ["one two", "three four", ""],
            ["", "", "only"],
            ["", "", ""],
        ]
    )
    protagonist, supporting = protagonist_first(parts)
    assert [text.decode() for text in protagonist.numpy()] == [
        "la la la",
        "one two",
        "only",
        "",
    ]
    words = tokenize_texts([text.decode() for text in supporting.numpy()])
    assert words == [
        ["verylongsingleword", "so", "happy"],
        ["three", "four"],
        [],
        [],
    ]


def test_ids_are_padded_cut_and_unknown_words_are_row_one():
    layer = TextIds(vocabulary(["sun", "moon"]), length=3)
    ids = layer(tf.constant(["Moon sun", "mars SUN moon sun", ""]))
    assert ids.dtype == "int32"
    assert ids.shape == layer.compute_output_shape((3,)) == (3, 3, 1)
    assert ids.numpy()[..., 0].tolist() == [[3, 2, 0], [1, 2, 3], [0, 0, 0]]


def test_no_texts_give_no_rows():
    layer = TextIds(vocabulary(["sun"], 3, 5, 10), length=3)
    assert layer(tf.zeros((0,), tf.string)).shape == (0, 3, MAX_PIECES)


def fnv1a(text):
    """fastText's hash, byte by byte."""
    state = 2166136261
    for byte in text.encode():
        signed = byte - 256 if byte > 127 else byte
        state = ((state ^ (signed & 0xFFFFFFFF)) * 16777619) & 0xFFFFFFFF
    return state


def naive_ngrams(word, min_ngram, max_ngram):
    """fastText's `Dictionary::computeSubwords`."""
    word = f"<{word}>"
    found = []
    for start in range(len(word)):
        for stop in range(start + 1, min(start + max_ngram, len(word)) + 1):
            size = stop - start
            edge = size == 1 and (start == 0 or stop == len(word))
            if size >= min_ngram and not edge:
                found.append(word[start:stop])
    return found


@pytest.mark.parametrize("lengths", [(3, 5), (1, 3), (2, 6), (4, 4), (1, 1)])
def test_ngrams_and_their_hash_equal_a_naive_loop(lengths):
    buckets, exist = ngram_buckets(tf.constant(WORDS), *lengths, 977, limit=40)
    for word, numbers, mask in zip(WORDS, buckets.numpy(), exist.numpy(), strict=True):
        expected = [fnv1a(ngram) % 977 for ngram in naive_ngrams(word, *lengths)]
        assert numbers[mask][:40].tolist() == expected[:40]


def test_pieces_equal_those_of_the_fasttext_library(tmp_path):
    fasttext = pytest.importorskip("fasttext")
    corpus = tmp_path / "corpus.txt"
    corpus.write_text(" ".join(WORDS[:6]), encoding="utf-8")
    model = fasttext.train_unsupervised(
        str(corpus), dim=10, minn=3, maxn=5, bucket=500, minCount=1, thread=1, verbose=0
    )
    known = [word for word in model.get_words() if word != "</s>"]
    # Rows of the library start at its words, `</s>` among them; ours have two in front
    # and no `</s>`.
    shift = 2 + len(known) - len(model.get_words())
    layer = TextIds(vocabulary(known, 3, 5, 500), length=1)
    for word, row in zip(WORDS, layer(tf.constant(WORDS)).numpy()[:, 0], strict=True):
        pieces = [int(piece) for piece in model.get_subwords(word)[1]]
        own = [2 + known.index(word)] if word in known else []
        expected = own + [piece + shift for piece in pieces[len(own) :]]
        assert row[row > 0].tolist() == expected[:MAX_PIECES]
        assert not row[len(expected) :].any()


def test_a_word_of_twelve_letters_fits():
    layer = TextIds(vocabulary(["a" * 12, "b" * 13], 3, 4, 50), length=2)
    ids = layer(tf.constant(["a" * 12 + " " + "a" * 13])).numpy()[0]
    # 14 characters with < and >: 12 + 11 n-grams of 3 and 4, and its own row.
    assert len(naive_ngrams("a" * 12, 3, 4)) + 1 == 24 == MAX_PIECES
    assert (ids > 0).sum(axis=1).tolist() == [24, 24]


def test_a_word_without_ngrams_is_unknown():
    layer = TextIds(vocabulary(["sun"], 5, 6, 50), length=2)
    ids = layer(tf.constant(["a sunny"])).numpy()[0]
    assert ids[0, :2].tolist() == [1, 0]
    assert (ids[1] > 1).any()


def test_a_text_alone_equals_its_row_in_a_batch():
    layer = TextIds(vocabulary(WORDS[:4], 3, 5, 500), length=4)
    texts = tf.constant(["sun черепаха", "", "Sun né moonlight x y z", "sun"])
    together = layer(texts).numpy()
    for row, text in enumerate(texts):
        np.testing.assert_array_equal(layer(text[None]).numpy()[0], together[row])


def test_mapped_and_rebuilt_layers_agree():
    layer = TextIds(vocabulary(WORDS[:4], 3, 5, 500), length=4)
    texts = tf.constant(["sun черепаха", "", "Sun né moonlight x y z"])
    expected = layer(texts).numpy()
    mapped = tf.data.Dataset.from_tensor_slices(texts).batch(3).map(layer)
    np.testing.assert_array_equal(next(iter(mapped)), expected)
    config = keras.saving.serialize_keras_object(layer)
    rebuilt = keras.saving.deserialize_keras_object(json.loads(json.dumps(config)))
    np.testing.assert_array_equal(rebuilt(texts), expected)


def test_thirty_two_posts_of_a_hundred_words_are_fast():
    letters = np.random.default_rng(0).integers(97, 123, (32, 100, 6)).astype("uint8")
    texts = [" ".join(bytes(word).decode() for word in post) for post in letters]
    layer = tf.function(TextIds(vocabulary(["sun"], 3, 5, 20_000), length=100))
    texts = tf.constant(texts)
    layer(texts)
    seconds = []
    for _ in range(5):
        started = time.process_time()
        layer(texts)
        seconds.append(time.process_time() - started)
    assert min(seconds) < 0.2  # of CPU time; about 0.03 on an idle machine


def test_a_length_below_one_is_refused():
    with pytest.raises(
        ValueError, match="`length` must be at least 1 word; received 0"
    ):
        TextIds(vocabulary(["sun"]), length=0)
