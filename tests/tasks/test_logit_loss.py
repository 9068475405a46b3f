import keras
import numpy as np
import pytest

from keras_jtav.tasks import LogitLoss


@pytest.mark.parametrize("shape", [(6,), (6, 3)])
def test_it_is_the_mean_cross_entropy_of_all_logits(shape):
    random = np.random.default_rng(0)
    labels = random.integers(0, 2, shape).astype("float32")
    logits = random.normal(size=shape).astype("float32")
    expected = keras.losses.BinaryCrossentropy(from_logits=True)(labels, logits)
    np.testing.assert_allclose(LogitLoss()(labels, logits), expected, rtol=1e-6)
    assert LogitLoss().call(labels, logits).shape == shape  # left to the base class
