import numpy as np

from keras_jtav.layers import masked_mean


def test_only_real_steps_count():
    values = np.array([[[1.0, 2.0], [3.0, 6.0]], [[5.0, 5.0], [9.0, 9.0]]])
    mask = np.array([[True, True], [False, False]])
    # (1 + 3) / 2, (2 + 6) / 2; and no real step at all.
    np.testing.assert_allclose(masked_mean(values, mask), [[2, 4], [0, 0]])
