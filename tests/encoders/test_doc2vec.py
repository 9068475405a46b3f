import hashlib
import json
import os
import subprocess
import sys
from dataclasses import replace

import numpy as np
import pytest

from keras_jtav.corpus import build_documents
from keras_jtav.encoders.doc2vec import build_doc2vec
from keras_jtav.evaluation.probe import probe
from keras_jtav.experiments import find_experiment, preset_config
from keras_jtav.features import documents
from keras_jtav.features.documents import document_vectors
from keras_jtav.judging import SentimentJudge
from keras_jtav.model import build_model, check_config
from keras_jtav.preparation import prepare
from keras_jtav.running import run

SEA = "the boat and the wave and the salt of the sea"
LAND = "a field with corn and a tractor and a road"
TRAIN = [SEA, LAND, SEA + " breeze", LAND + " town"] * 5
TEXTS = ["boat on the salt sea", "boat on the salt sea", "tractor on a road", "xyzzy"]


@pytest.fixture
def vectors(tmp_path):
    """Infer vectors without what other tests left behind."""
    pytest.importorskip("gensim")

    def infer(texts, train_texts=TRAIN, seed=0, length=60, folder=tmp_path / "one"):
        return document_vectors(texts, train_texts, 8, seed, length, folder)

    return infer


def test_one_text_has_one_vector(vectors, tmp_path):
    first = vectors(TEXTS)
    np.testing.assert_array_equal(first[0], first[1])
    np.testing.assert_array_equal(vectors(TEXTS[::-1]), first[::-1])
    anew = vectors(TEXTS[::-1], folder=tmp_path / "two")
    np.testing.assert_array_equal(anew, first[::-1])
    assert np.abs(vectors(TEXTS, seed=1) - first)[:3].max() > 1e-3


def test_vectors_tell_topics_apart(vectors):
    draw = np.random.default_rng(0)
    topics = [[f"{letter}{n}" for n in range(30)] for letter in "ab"]
    texts = [" ".join(draw.choice(topics[n % 2], 20)) for n in range(80)]
    inferred = vectors(texts, train_texts=texts[:60])
    (probabilities,) = probe(inferred[:60], np.arange(60) % 2, inferred[60:])
    assert np.mean((probabilities > 0.5) == np.arange(20) % 2) > 0.9


def test_a_text_without_a_known_word_is_zero(vectors):
    assert not vectors(["xyzzy", ""]).any()


def test_only_so_many_words_are_read(vectors):
    short, long, other = vectors(["the boat", "the boat road", "road"], length=2)
    np.testing.assert_array_equal(short, long)
    assert np.abs(short - other).max() > 1e-3


def test_another_process_infers_the_same(vectors, tmp_path):
    """Python's hash, from which gensim's own inference starts, is another there."""
    code = (
        "import hashlib, json, sys; from keras_jtav.features.documents import *;"
        "v = document_vectors(*json.loads(sys.argv[1]), 8, 0, 60, sys.argv[2]);"
        "print(hashlib.sha256(v.tobytes()).hexdigest())"
    )
    arguments = [json.dumps([TEXTS, TRAIN]), str(tmp_path / "other")]
    done = subprocess.run(
        [sys.executable, "-c", code, *arguments],
        capture_output=True,
        text=True,
        check=True,
        env={**os.environ, "PYTHONHASHSEED": "1"},
    )
    assert done.stdout.strip() == hashlib.sha256(vectors(TEXTS).tobytes()).hexdigest()


def test_a_model_is_trained_only_for_texts_that_are_new(vectors, monkeypatch):
    first = vectors(TEXTS)
    monkeypatch.setitem(sys.modules, "gensim.models", None)
    np.testing.assert_array_equal(vectors(TEXTS), first)
    with pytest.raises(ImportError, match=r"pip install 'keras-jtav\[baselines\]'"):
        vectors(["a new text of the boat"])


def test_a_corpus_without_a_repeated_word(vectors):
    with pytest.raises(ValueError, match="2 texts have none"):
        vectors(["boat"], train_texts=["one boat", "two fields"])


@pytest.fixture(scope="module")
def config(tiny_settings):
    row = find_experiment("table1", "sentiment", "small").rows["doc2vec"]
    settings = [*tiny_settings, *row, "dataset.songs=60", "features.document_dim=16"]
    return preset_config("sentiment", "small").override(settings)


def test_the_row_learns_from_training_lyrics_alone(config, monkeypatch):
    pytest.importorskip("gensim")
    prepared = prepare(config, lambda items, total, title: items)
    posts = prepared.posts
    models = build_model(config, prepared.spec, prepared.vocabulary.matrix)
    judged = SentimentJudge(models, prepared).vectors("test")
    own = [post.texts.get("lyrics", "") for post in posts["train"]]
    asked = [post.texts.get("lyrics", "") for post in posts["test"]]
    expected = document_vectors(asked, own, 16, 0, config.features.words)
    with_lyrics = [row for row, lyrics in enumerate(asked) if lyrics]
    np.testing.assert_allclose(judged[with_lyrics], expected[with_lyrics], atol=1e-6)

    seen = []
    monkeypatch.setattr(
        documents, "_train", lambda corpus, dim, seed: seen.append(corpus)
    )
    monkeypatch.setattr(documents, "_infer", lambda *_: np.zeros(16))
    changed = {
        name: [replace(post, texts={"lyrics": f"{name} la"}) for post in split]
        for name, split in posts.items()
    }
    build_documents(config, changed)
    assert {word for corpus in seen for text in corpus for word in text} == {
        "train",
        "la",
    }


def test_it_is_refused_where_it_cannot_work(config, make_spec, tmp_path):
    with pytest.raises(ValueError, match=r"Add `features\.document_dim=100`"):
        build_doc2vec(make_spec())
    with pytest.raises(ValueError, match="reads lyrics and caption apart"):
        check_config(config.override(["task=retrieval", "modalities=text,image"]))
    with pytest.raises(ValueError, match="cannot be exported"):
        run(config, tmp_path / "runs", tmp_path / "exported")
    assert not (tmp_path / "runs").exists()
