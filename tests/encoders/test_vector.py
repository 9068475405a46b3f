import numpy as np
import pytest

from keras_jtav.encoders.vector import (
    build_audio_vector,
    build_image_vector,
    build_text_vector,
)


def test_words_are_averaged_without_padding(make_spec):
    encoder = build_text_vector(make_spec(embedding_rows=4, embedding_dim=2))
    encoder.set_weights([np.array([[0, 0], [9, 9], [1, 2], [3, 6]], "float32")])
    words = np.array([[2, 3, 0, 0], [0, 0, 0, 0]], "int32")[..., None]
    supporting_words = np.ones((2, 2, 1), "int32")
    t = encoder({"words": words, "supporting_words": supporting_words})
    # ((1, 2) + (3, 6)) / 2, and no word at all
    assert np.asarray(t).tolist() == [[2.0, 4.0], [0.0, 0.0]]
    assert encoder.trainable_weights == []


def test_frames_are_averaged_and_one_frame_is_passed_on(make_spec):
    frames = np.array([[[1.0, 0.0], [3.0, 1.0]]], "float32")
    a = build_audio_vector(make_spec(frames=2, bins=2))(frames)
    assert np.asarray(a).tolist() == [[2.0, 0.5]]
    a = build_audio_vector(make_spec(frames=1, bins=2))(frames[:, :1])
    assert np.asarray(a).tolist() == [[1.0, 0.0]]


def test_image_features_are_passed_on_and_pictures_refused(make_spec):
    features = np.random.default_rng(0).normal(size=(3, 6)).astype("float32")
    v = build_image_vector(make_spec(image_features=6))(features)
    np.testing.assert_array_equal(np.asarray(v), features)
    with pytest.raises(ValueError, match=r"this one has pictures\. Use a network"):
        build_image_vector(make_spec())
