import keras
import numpy as np
import pytest
import tensorflow as tf
from materialised import materialised, outer_product

from keras_jtav.layers import AttentivePooling, CrossModalFusion


def random_layer(rng, m_dim, n_dim, **kwargs):
    layer = CrossModalFusion(**kwargs)
    layer.build([(None, m_dim), (None, n_dim)])
    layer.set_weights([rng.normal(0, 0.3, w.shape) for w in layer.get_weights()])
    return layer


@pytest.mark.parametrize(
    ("dim", "batch", "heads", "positional_bias"),
    [(32, 8, 1, False), (32, 8, 1, True), (32, 8, 3, True), (300, 4, 1, False)],
)
def test_rank_one_form_equals_the_materialised_equation(
    rng, dim, batch, heads, positional_bias
):
    layer = random_layer(
        rng, dim, dim, units=dim, heads=heads, positional_bias=positional_bias
    )
    m, n = (tf.constant(rng.normal(size=(batch, dim)), "float32") for _ in "mn")
    m, n = (tf.linalg.l2_normalize(vector, axis=-1) for vector in (m, n))
    weights = [variable.value for variable in layer.trainable_variables]
    outcomes = []
    for form in (lambda: layer([m, n]), lambda: materialised(layer, m, n)):
        with tf.GradientTape() as tape:
            tape.watch([m, n])
            output = form()
            loss = tf.reduce_mean(tf.square(output))
        outcomes.append([output, *tape.gradient(loss, [m, n, *weights])])
    for direct, reference in zip(*outcomes, strict=True):
        np.testing.assert_allclose(direct, reference, atol=1e-6)


def test_hand_worked_pooling():
    pooling = AttentivePooling(units=1, activation="linear")
    pooling.build((None, 1), (None, 2))
    # W = 1, b = 0, u = log(3) / tanh(1), W_hat = 5, b_hat = 1.
    u = np.log(3) / np.tanh(1)
    pooling.set_weights([np.array(w) for w in ([[1]], [0], [[u]], [[5]], [1])])
    # m = 2 and n = (0.5, 0): C = (1, 0), tanh(W C) u = (log 3, 0), alpha = (3/4, 1/4),
    # C alpha = 3/4, m_hat = 5 * 3/4 + 1 = 4.75.
    m_hat = pooling(np.array([[2.0]]), np.array([[0.5, 0.0]]))
    np.testing.assert_allclose(m_hat, [[4.75]], rtol=1e-6)


def test_the_matrix_has_rank_one(rng):
    m, n = rng.normal(size=(4, 6)), rng.normal(size=(4, 9))
    assert np.linalg.matrix_rank(outer_product(m, n)).tolist() == [1] * 4


@pytest.mark.parametrize("heads", [1, 8])
@pytest.mark.parametrize("positional_bias", [False, True])
def test_with_a_shared_bias_the_order_of_the_other_vector_is_not_seen(
    rng, positional_bias, heads
):
    layer = random_layer(
        rng, 6, 9, units=5, heads=heads, positional_bias=positional_bias
    )
    m, n = rng.normal(size=(4, 6)), rng.normal(size=(4, 9))
    for pooling, vector, other in (
        (layer.row_pooling, m, n),
        (layer.column_pooling, n, m),
    ):
        shuffled = other[:, rng.permutation(other.shape[1])]
        difference = np.abs(pooling(vector, other) - pooling(vector, shuffled))
        assert (difference.max() < 1e-6) is not positional_bias


@pytest.mark.parametrize("heads", [1, 8])
def test_of_the_other_vector_each_head_passes_one_number(rng, heads):
    """However many ``n`` are tried, ``m`` comes back in a space of ``heads`` + 1."""
    pooling = random_layer(
        rng, 16, 9, units=5, heads=heads, activation="linear"
    ).row_pooling
    m = np.tile(rng.normal(size=(1, 16)), (40, 1))
    reconstructed = np.asarray(pooling(m, 2 * rng.normal(size=(40, 9))))
    assert np.linalg.matrix_rank(reconstructed, tol=1e-4) == heads + 1


def test_exchanging_the_modalities_exchanges_the_vectors(rng):
    layer = random_layer(rng, 4, 7, units=5)
    m, n = rng.normal(size=(3, 4)), rng.normal(size=(3, 7))
    mirrored = CrossModalFusion(units=5)
    mirrored.build([(None, 7), (None, 4)])
    mirrored.row_pooling.set_weights(layer.column_pooling.get_weights())
    mirrored.column_pooling.set_weights(layer.row_pooling.get_weights())
    swapped = np.asarray(mirrored([n, m]))
    expected = np.concatenate([swapped[:, 7:], swapped[:, :7]], axis=-1)
    np.testing.assert_allclose(layer([m, n]), expected, atol=1e-6)


def test_permuting_the_batch_permutes_the_output(rng):
    layer = random_layer(rng, 4, 7, units=5, heads=2)
    m, n = rng.normal(size=(5, 4)), rng.normal(size=(5, 7))
    order = rng.permutation(5)
    expected = np.asarray(layer([m, n]))[order]
    np.testing.assert_allclose(layer([m[order], n[order]]), expected, atol=1e-6)


def test_half_precision_stays_near(rng):
    with_halves = CrossModalFusion(units=5, dtype="mixed_float16")
    with_halves.build([(None, 8), (None, 8)])
    layer = CrossModalFusion(units=5)
    layer.build([(None, 8), (None, 8)])
    layer.set_weights(with_halves.get_weights())
    m, n = (rng.normal(size=(3, 8)).astype("float32") for _ in "mn")
    halves = with_halves([m, n])
    assert halves.dtype == "float16"
    np.testing.assert_allclose(halves, layer([m, n]), atol=2e-3)


@pytest.mark.parametrize("heads", [1, 3])
def test_contract(check_contract, rng, heads):
    m, n = rng.normal(size=(4, 6)), rng.normal(size=(4, 9))
    inputs = [m.astype("float32"), n.astype("float32")]
    layer = CrossModalFusion(units=5, heads=heads, positional_bias=True)
    check_contract(layer, inputs=inputs)


def test_contract_of_one_pooling(check_contract, rng):
    m, n = rng.normal(size=(4, 6)), rng.normal(size=(4, 9))
    pooling = AttentivePooling(units=5, activation=keras.activations.relu)
    check_contract(pooling, vector=m.astype("float32"), other=n.astype("float32"))
