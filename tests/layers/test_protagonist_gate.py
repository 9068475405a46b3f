import numpy as np

from keras_jtav.layers import ProtagonistGate

WORDS = np.array([[[1, 2], [3, 4]], [[1, 2], [3, 4]]], "float32")
SUPPORTING = np.array([[[6, 0], [0, 2], [9, 9]], [[8, 8]] * 3], "float32")
MASK = np.array([[True, True, False], [False, False, False]])


def test_the_gate_is_the_mean_of_the_real_supporting_words():
    gated = ProtagonistGate()(WORDS, SUPPORTING, MASK)
    # t_att = ((6, 0) + (0, 2)) / 2 = (3, 1); without a supporting word it is 1.
    np.testing.assert_allclose(gated, [[[3, 2], [9, 4]], WORDS[1]])


def test_a_rescaled_gate_has_root_mean_square_one():
    gated = ProtagonistGate(rescale=True)(WORDS, SUPPORTING, MASK)
    # (3, 1) has the root mean square sqrt((9 + 1) / 2) = sqrt(5).
    np.testing.assert_allclose(gated[0, 0], [3 / 5**0.5, 2 / 5**0.5], rtol=1e-6)
    np.testing.assert_allclose(gated[1], WORDS[1])


def test_the_size_of_the_supporting_vectors_does_not_matter_when_rescaled():
    small = ProtagonistGate(rescale=True)(WORDS, SUPPORTING / 10, MASK)
    large = ProtagonistGate(rescale=True)(WORDS, SUPPORTING, MASK)
    np.testing.assert_allclose(small, large, rtol=1e-5)


def test_contract(check_contract):
    check_contract(
        ProtagonistGate(rescale=True),
        words=WORDS,
        supporting=SUPPORTING,
        supporting_mask=MASK,
    )
