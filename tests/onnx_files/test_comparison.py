import numpy as np
import pytest

from keras_jtav.data.decode import decode_audio, decode_image
from keras_jtav.onnx_files.comparison import ROWS, _difference, random_media


def test_random_posts_are_real_media_and_some_parts_are_missing():
    media = random_media(np.random.default_rng(3), clip_seconds=0.5)
    assert set(media) == {"image", "audio", "lyrics", "caption"}
    for column in media.values():
        assert len(column) == ROWS
        assert sum(content == b"" for content in column) == ROWS // 4
    for content in media["image"]:
        assert not content or decode_image(content).ndim == 3
    for content in media["audio"]:
        assert not content or len(decode_audio(content)) >= 1000
    assert all(content.decode().islower() for content in media["lyrics"] if content)
    again = random_media(np.random.default_rng(3), clip_seconds=0.5)
    assert all((again[name] == media[name]).all() for name in media)


def test_a_difference_is_relative_to_numbers_above_1():
    expected = np.array([0.5, 100.0], "float32")
    found = expected + np.array([2e-6, 4e-4], "float32")
    # 2e-6 / 1 and 4e-4 / 100; float32 near 100 has steps of 7.6e-6
    assert _difference("x", expected, found) == pytest.approx(4e-6, rel=0.05)
    for wrong in (expected + 1e-4, np.array([np.nan, 100.0])):
        with pytest.raises(ValueError, match="`x` otherwise than the SavedModel"):
            _difference("x", expected, wrong)
    with pytest.raises(ValueError, match=r"`x` in the shape \(1, 2\)"):
        _difference("x", expected, expected[None])
