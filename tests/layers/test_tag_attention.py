import numpy as np

from keras_jtav.layers import TagAttention

MASK = np.array([[True, True, False], [False] * 3, [True] * 3, [True, False, False]])


def arrays(rng):
    states = rng.normal(size=(4, 3, 5)).astype("float32")
    return states, rng.uniform(size=(4, 2)).astype("float32")


def test_equals_a_loop(rng):
    states, tags = arrays(rng)
    layer = TagAttention(units=6)
    layer(states, tags, mask=MASK)
    weights = [rng.normal(size=w.shape) for w in layer.get_weights()]
    layer.set_weights(weights)
    kernel, tag_kernel, bias, context = weights
    for row, attended in enumerate(np.asarray(layer(states, tags, mask=MASK))):
        expected = np.zeros(5)
        total = 0.0
        for state, real in zip(states[row], MASK[row], strict=True):
            if real:
                latent = np.tanh(state @ kernel + tags[row] @ tag_kernel + bias)
                expected += np.exp(latent @ context) * state
                total += np.exp(latent @ context).item()
        np.testing.assert_allclose(attended, expected / max(total, 1e-9), atol=1e-5)


def test_the_tags_decide_what_is_attended_to(rng):
    states, tags = arrays(rng)
    layer = TagAttention(units=6)
    layer(states, tags, mask=MASK)
    layer.set_weights([rng.normal(size=w.shape) for w in layer.get_weights()])
    one, other = layer(states, tags, mask=MASK), layer(states, 1 - tags, mask=MASK)
    assert np.abs(one - other)[2].max() > 0.01
    np.testing.assert_allclose(one[3], states[3, 0], atol=1e-6)  # one word only


def test_contract(check_contract, rng):
    states, tags = arrays(rng)
    check_contract(TagAttention(units=6), states=states, tags=tags, mask=MASK)
