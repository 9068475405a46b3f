import numpy as np
import pytest
import tensorflow as tf
from keras import ops

from keras_jtav.layers import AttentivePooling, CrossModalFusion
from keras_jtav.layers.position_logits import (
    NODES,
    TOLERANCE,
    all_position_logits,
    nodes_needed,
    position_logits,
    using_nodes,
)

# 17 nodes are enough, 65 are, none are
STEEPNESS = {"17": 0.3, "65": 2.0, "direct": 40.0}


def arguments(rng, steepness, heads=2):
    """Return x, a, b, u whose largest ``|a x|`` is about the steepness."""
    positions = rng.uniform(-1, 1, size=(3, 200))
    slopes = rng.uniform(-steepness, steepness, size=(3, 30))
    bias, context = rng.normal(size=30), rng.normal(0, 0.1, size=(30, heads))
    return [array.astype("float32") for array in (positions, slopes, bias, context)]


def reference(positions, slopes, bias, context):
    """Eq. 3's attention, term by term."""
    latent = tf.tanh(positions[:, :, None] * slopes[:, None, :] + bias)
    return tf.einsum("bpk,kh->bhp", latent, context)


def test_without_nodes_a_graph_has_no_branches_and_the_same_values():
    given = [tf.constant(a) for a in arguments(np.random.default_rng(0), 0.3)]

    def branches(function):
        graph = function.get_concrete_function(*given).graph
        return [op.type for op in graph.get_operations() if "If" in op.type]

    assert branches(tf.function(position_logits))
    with using_nodes(()):
        direct = tf.function(lambda *tensors: position_logits(*tensors))
        assert branches(direct) == []
        without = direct(*given)
    np.testing.assert_allclose(without, position_logits(*given), atol=1e-5)


def test_nodes_come_back_after_an_error():
    with pytest.raises(KeyError), using_nodes(()):
        raise KeyError
    assert position_logits.__globals__["NODES"] == NODES


@pytest.mark.parametrize(("form", "steepness"), STEEPNESS.items())
def test_the_size_of_the_weights_chooses_the_form(rng, form, steepness):
    positions, slopes, _, context = arguments(rng, steepness)
    count = nodes_needed(positions, slopes, context)
    assert count == (None if form == "direct" else int(form))


@pytest.mark.parametrize("steepness", STEEPNESS.values())
@pytest.mark.parametrize("compiled", [False, True])
def test_values_and_gradients_are_those_of_the_equation(rng, steepness, compiled):
    given = [tf.constant(array) for array in arguments(rng, steepness)]
    weights = tf.constant(rng.normal(size=(3, 2, 200)), "float32")

    def outcome(function):
        with tf.GradientTape() as tape:
            tape.watch(given)
            values = function(*given)
            loss = tf.reduce_sum(weights * values)
        return [values, *tape.gradient(loss, given)]

    run = tf.function(outcome, autograph=False) if compiled else outcome
    for ours, theirs in zip(run(position_logits), outcome(reference), strict=True):
        scale = max(1.0, float(tf.reduce_max(tf.abs(theirs))))
        np.testing.assert_allclose(ours, theirs, atol=5 * TOLERANCE * scale)


def test_a_row_alone_is_what_it_is_among_others(rng):
    given = arguments(rng, STEEPNESS["17"])
    together = np.asarray(position_logits(*given))
    for row in range(3):
        alone = position_logits(given[0][[row]], given[1][[row]], *given[2:])
        np.testing.assert_allclose(alone[0], together[row], atol=2 * TOLERANCE)


def test_zeros_have_logits_too(rng):
    _, slopes, bias, context = arguments(rng, 0.3)
    logits = position_logits(np.zeros((3, 5), "float32"), slopes, bias, context)
    expected = np.tanh(bias) @ context  # tanh(0 a + b)
    np.testing.assert_allclose(
        logits, np.broadcast_to(expected[None, :, None], (3, 2, 5)), atol=TOLERANCE
    )


@pytest.mark.parametrize("form", ["17", "65"])
def test_shared_nodes_give_every_pair_its_own_logits(rng, form):
    positions, slopes, bias, context = arguments(rng, STEEPNESS[form])
    shared = all_position_logits(positions, slopes[:2], bias, context, int(form))
    for row in range(2):
        for other in range(3):
            own = reference(positions[[other]], slopes[[row]], bias, context)[0]
            np.testing.assert_allclose(shared[row, :, other], own, atol=3 * TOLERANCE)


@pytest.mark.parametrize("heads", [1, 3])
def test_fusion_of_all_pairs_is_that_of_each(rng, heads):
    layer = CrossModalFusion(units=12, heads=heads)
    layer.build([(None, 8), (None, 10)])
    layer.set_weights([rng.normal(0, 0.3, w.shape) for w in layer.get_weights()])
    ms, ns = (
        rng.normal(0, 0.3, size=shape).astype("float32") for shape in ((4, 8), (5, 10))
    )
    table = np.asarray(layer.of_all_pairs(ops.convert_to_tensor(ms), ns))
    assert table.shape == (4, 5, 18)
    for row in range(4):
        own = layer([np.repeat(ms[[row]], 5, axis=0), ns])
        np.testing.assert_allclose(table[row], own, atol=1e-6)


@pytest.mark.parametrize(("bias", "scale"), [(True, 0.1), (False, 300.0)])
def test_what_cannot_be_shared_is_not(rng, bias, scale):
    pooling = AttentivePooling(units=6, positional_bias=bias)
    pooling.build((None, 8), (None, 8))
    pooling.set_weights([rng.normal(0, scale, w.shape) for w in pooling.get_weights()])
    vectors = ops.convert_to_tensor(rng.normal(size=(3, 8)).astype("float32"))
    assert pooling.of_all_pairs(vectors, vectors) is None
