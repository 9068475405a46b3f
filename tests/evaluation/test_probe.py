import numpy as np
import pytest

from keras_jtav.evaluation.probe import probe


def test_it_finds_the_direction_that_tells_the_classes():
    rng = np.random.default_rng(0)
    labels = np.arange(200) % 2
    vectors = rng.normal(size=(200, 5)) + np.outer(labels, [0, 3, 0, 0, 0])
    # The scale of a coordinate must not matter.
    vectors *= [1, 0.01, 1, 100, 1]
    first, second = probe(vectors[:100], labels[:100], vectors[100:], vectors[:3])
    assert np.mean((first > 0.5) == labels[100:]) > 0.85
    assert second.shape == (3,)


def test_constant_vectors_give_the_share_of_the_classes():
    labels = np.array([0, 0, 0, 1])
    (probabilities,) = probe(np.ones((4, 3)), labels, np.ones((2, 3)))
    np.testing.assert_allclose(probabilities, 0.25, atol=1e-3)


@pytest.mark.parametrize(
    ("vectors", "labels", "message"),
    [
        ([[0.0], [np.nan]], [0, 1], "NaN or infinity"),
        ([[0.0], [1.0]], [1, 1], "class 0 and of class 1"),
    ],
)
def test_errors(vectors, labels, message):
    with pytest.raises(ValueError, match=message):
        probe(np.array(vectors), labels, np.zeros((1, 1)))
