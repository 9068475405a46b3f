import numpy as np
import pytest
import tensorflow as tf

from keras_jtav.service.predict_messages import (
    PredictRequest,
    PredictResponse,
    predict_tensors,
)

for_sentiment = pytest.mark.parametrize("finished_run", ["sentiment"], indirect=True)
for_retrieval = pytest.mark.parametrize("finished_run", ["retrieval"], indirect=True)


def request_of(served, tensors, endpoint="", outputs=()):
    request = PredictRequest()
    request.model_spec.name = served.name
    request.model_spec.signature_name = endpoint
    request.output_filter.extend(outputs)
    for name, tensor in tensors.items():
        request.inputs.add(key=name, value=tensor.SerializeToString())
    return request


def arrays_of(response):
    return {
        item.key: tf.make_ndarray(tf.make_tensor_proto(0).FromString(item.value))
        for item in PredictResponse.FromString(response.SerializeToString()).outputs
    }


def test_tensors_in_and_out(served, predictor, media):
    tensors = {name: tf.make_tensor_proto(array) for name, array in media.items()}
    response = predict_tensors(served, request_of(served, tensors))
    expected = predictor.call("serving_default", **media)
    found = arrays_of(response)
    assert set(found) == set(expected)
    for name, array in expected.items():
        np.testing.assert_array_equal(found[name], array)
    assert response.model_spec.name == served.name
    assert response.model_spec.version.value == int(served.version)
    assert response.model_spec.signature_name == "serving_default"


@for_retrieval
def test_numbers_and_a_filter(served, predictor, media):
    arrays = {}
    for name, parts in (
        ("encode_query", ("image", "caption")),
        ("encode_song", ("audio", "lyrics")),
    ):
        arrays |= predictor.call(name, **{part: media[part][:3] for part in parts})
    arrays = {name: arrays[name] for name in served.endpoint("score").fields}
    tensors = {name: tf.make_tensor_proto(array) for name, array in arrays.items()}
    request = request_of(served, tensors, "score", ["logit"])
    found = arrays_of(predict_tensors(served, request))
    expected = predictor.call("score", **arrays)["logit"]
    np.testing.assert_array_equal(found["logit"], expected)


def giant():
    tensor = tf.make_tensor_proto(["a"])
    tensor.tensor_shape.dim[0].size = 10**12
    return tensor


def packed():
    tensor = tf.make_tensor_proto(["a"])
    tensor.tensor_content = b"strings are never packed"
    return tensor


def crowded():
    tensor = tf.make_tensor_proto(["a"])
    tensor.string_val.append(b"b")
    return tensor


@pytest.mark.parametrize(
    ("name", "tensor", "message"),
    [
        ("pic", tf.make_tensor_proto(["a"]), "`inputs.pic` is no input of"),
        (
            "lyrics",
            tf.make_tensor_proto([1.0]),
            "must be string (rows,); received floa",
        ),
        ("lyrics", tf.make_tensor_proto("a"), "received the shape ()"),
        ("lyrics", giant(), "must have 1 to 4 rows; received 1000000000000"),
        ("lyrics", packed(), "`inputs.lyrics` holds no values of its shape [1]"),
        ("lyrics", crowded(), "`inputs.lyrics` holds no values of its shape [1]"),
    ],
)
@for_sentiment
def test_what_does_not_fit_is_refused_by_name(served, refused, name, tensor, message):
    request = request_of(served, {name: tensor})
    said, status = refused(predict_tensors, served, request)
    assert message in said
    assert status == 400


@for_sentiment
def test_bytes_that_are_no_tensor_are_refused(served, refused):
    for content in (b"\xff\xff", b"", b"\x08\x63"):  # cut; no type; an unknown type
        request = request_of(served, {})
        request.inputs.add(key="lyrics", value=content)
        said, _ = refused(predict_tensors, served, request)
        assert said.startswith("`inputs.lyrics` is no tensor")


@for_sentiment
def test_unknown_outputs_are_refused(served, refused):
    tensors = {"lyrics": tf.make_tensor_proto(["a"])}
    request = request_of(served, tensors, outputs=["mood"])
    said, _ = refused(predict_tensors, served, request)
    assert "`output_filter`: 'mood' is no output of" in said
