import keras
import numpy as np
import pytest

from keras_jtav.layers import ProtagonistText

LYRICS = np.array([[3, 4, 0], [0, 0, 0], [3, 0, 0], [0, 0, 0]], "int32")[..., None]
CAPTION = np.array([[5, 0], [5, 6], [0, 0], [0, 0]], "int32")[..., None]


def test_the_caption_stands_in_for_lyrics_that_are_not_there():
    words, supporting = ProtagonistText()(LYRICS, CAPTION)
    expected = [[3, 4, 0], [5, 6, 0], [3, 0, 0], [0, 0, 0]]
    np.testing.assert_array_equal(np.asarray(words)[..., 0], expected)
    expected = [[5, 0], [0, 0], [0, 0], [0, 0]]
    np.testing.assert_array_equal(np.asarray(supporting)[..., 0], expected)


@pytest.mark.parametrize(("length", "cut"), [(None, [5, 6]), (1, [5]), (9, [5, 6, 0])])
def test_a_caption_is_as_long_as_the_encoder_wants_it(length, cut):
    words, _ = ProtagonistText(length)(LYRICS[:2, :1], CAPTION[:2])
    assert words.shape == (2, length or 2, 1)
    assert np.asarray(words)[1, : len(cut), 0].tolist() == cut


def test_lyrics_of_any_length_in_one_model():
    inputs = [keras.Input((None, 1), dtype="int32"), keras.Input((2, 1), dtype="int32")]
    model = keras.Model(inputs, ProtagonistText()(*inputs))
    assert model.output[0].shape == (None, None, 1)
    for length in (1, 2, 3):
        words, _ = model.predict_on_batch([LYRICS[:, :length], CAPTION])
        assert words.shape == (4, max(length, 2), 1)
        assert words[1, :2, 0].tolist() == [5, 6]


@pytest.mark.parametrize("length", [None, 3])
def test_contract(check_contract, length):
    check_contract(
        ProtagonistText(length), dtype="int32", lyrics=LYRICS, caption=CAPTION
    )
