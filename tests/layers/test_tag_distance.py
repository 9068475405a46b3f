import numpy as np

from keras_jtav.layers import TagDistance


def test_it_is_the_mean_squared_error_on_a_line(rng):
    first, second = rng.uniform(size=(2, 7, 5)).astype("float32")
    layer = TagDistance()
    layer(first, second)
    layer.set_weights([np.float32(1.5), np.float32(0.25)])
    expected = [
        0.25
        - np.exp(1.5) * sum((a - b) ** 2 for a, b in zip(one, other, strict=True)) / 5
        for one, other in zip(first, second, strict=True)
    ]
    np.testing.assert_allclose(layer(first, second), expected, rtol=1e-5)


def test_contract(check_contract, rng):
    first, second = rng.uniform(size=(2, 7, 5)).astype("float32")
    check_contract(TagDistance(), first=first, second=second)
