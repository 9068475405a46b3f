import keras
import numpy as np
import pytest

from keras_jtav.encoders.att_bigru import (
    build_att_bigru,
    build_bigru,
    build_word_weights,
)
from keras_jtav.features.spec import FeatureSpec


def spec(words=10):
    return FeatureSpec(
        words=words,
        supporting_words=3,
        pieces=2,
        embedding_rows=30,
        embedding_dim=6,
        frames=54,
        bins=96,
        image_size=64,
    )


def posts(rng, words=10, rows=5):
    """Texts of 7 words; the last post has no supporting word, and no word at all."""
    word_ids = np.zeros((rows, words, 2), "int32")
    word_ids[:, :7] = rng.integers(1, 30, (rows, 7, 2))
    supporting = rng.integers(1, 30, (rows, 3, 2), dtype="int32")
    word_ids[-1], supporting[-1], supporting[0, 2] = 0, 0, 0
    return {"words": word_ids, "supporting_words": supporting}


@pytest.fixture
def rng():
    return np.random.default_rng(3)


def test_t_does_not_depend_on_the_length_of_the_padding(rng):
    short, long = build_att_bigru(spec(10)), build_att_bigru(spec(40))
    # Random biases too: with those of a fresh GRU, zero vectors leave no trace.
    weights = [rng.normal(0, 0.3, w.shape) for w in short.get_weights()]
    short.set_weights(weights)
    long.set_weights(weights)
    batch = posts(rng)
    padded = {**batch, "words": np.pad(batch["words"], ((0, 0), (0, 30), (0, 0)))}
    t = short(batch)
    assert t.shape == (5, 100)
    np.testing.assert_allclose(long(padded), t, atol=1e-6)


def test_a_post_without_words_is_zero_and_others_are_not(rng):
    t = np.asarray(build_att_bigru(spec())(posts(rng)))
    np.testing.assert_array_equal(t[-1], np.zeros(100))
    assert np.all(np.abs(t[:-1]).max(axis=1) > 0)


def test_a_gap_between_words_is_left_out_of_the_attention(rng):
    encoder = build_att_bigru(spec(), units=4)
    batch = posts(rng)
    batch["words"][0, 3] = 0
    weights = np.asarray(build_word_weights(encoder)(batch))
    assert weights[0, 3] == 0
    assert np.all(weights[0, [0, 1, 2, 4, 5, 6]] > 0)


def test_word_weights_sum_to_one_over_the_words(rng):
    weights = np.asarray(build_word_weights(build_att_bigru(spec()))(posts(rng)))
    np.testing.assert_allclose(weights.sum(axis=1), [1, 1, 1, 1, 0], rtol=1e-6)
    assert np.all(weights[:, 7:] == 0)


def test_the_caption_counts_for_att_bigru_only(rng):
    batch = posts(rng)
    other = {**batch, "supporting_words": batch["supporting_words"][::-1]}
    with_gate, without = build_att_bigru(spec()), build_bigru(spec())
    without.set_weights(with_gate.get_weights())
    assert np.abs(with_gate(batch) - with_gate(other)).max() > 1e-4
    np.testing.assert_array_equal(without(batch), without(other))
    # Without a caption the gate is 1, and attBiGRU is BiGRU.
    silent = {**batch, "supporting_words": np.zeros_like(batch["supporting_words"])}
    np.testing.assert_allclose(with_gate(silent), without(silent), atol=1e-6)


def test_a_row_does_not_depend_on_its_batch(rng):
    encoder, batch = build_att_bigru(spec()), posts(rng)
    order = rng.permutation(5)
    shuffled = {name: ids[order] for name, ids in batch.items()}
    np.testing.assert_allclose(
        encoder(shuffled), np.asarray(encoder(batch))[order], atol=1e-6
    )
    alone = {name: ids[1:2] for name, ids in batch.items()}
    np.testing.assert_allclose(encoder(alone), encoder(batch)[1:2], atol=1e-6)


@pytest.mark.parametrize("build", [build_att_bigru, build_bigru])
def test_saved_and_loaded(build, rng, tmp_path):
    encoder, batch = build(spec(), units=4, dropout=0.2), posts(rng)
    encoder.save(tmp_path / "encoder.keras")
    loaded = keras.saving.load_model(tmp_path / "encoder.keras")
    np.testing.assert_allclose(loaded(batch), encoder(batch), atol=1e-6)


@pytest.mark.parametrize("trainable_vectors", [False, True])
def test_one_training_step_moves_all_but_a_frozen_table(trainable_vectors, rng):
    encoder = build_att_bigru(
        spec(), units=4, trainable_vectors=trainable_vectors, dropout=0.1
    )
    encoder.compile("adam", "mse", run_eagerly=True)
    before = encoder.get_weights()
    encoder.fit(posts(rng), np.ones((5, 8), "float32"), verbose=0)
    for variable, old, new in zip(
        encoder.weights, before, encoder.get_weights(), strict=True
    ):
        moved = np.any(old != new)
        if variable.path == "word_vectors/table":
            assert moved == trainable_vectors
        elif variable.name != "seed_generator_state":
            assert moved, variable.path


def test_the_paper_sizes_are_the_defaults():
    encoder = build_att_bigru(spec())
    assert encoder.get_layer("bigru").forward_layer.units == 50
    assert encoder.get_layer("word_vectors").get_weights()[0].shape == (30, 6)
