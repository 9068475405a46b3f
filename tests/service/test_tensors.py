import numpy as np
import pytest

from keras_jtav.service.tensors import (
    Tensor,
    TensorRequest,
    describe_fields,
    infer,
    join_strings,
    split_strings,
    to_raw,
    values_of,
)

for_sentiment = pytest.mark.parametrize("finished_run", ["sentiment"], indirect=True)
for_retrieval = pytest.mark.parametrize("finished_run", ["retrieval"], indirect=True)


def raw_tensors(media):
    return [
        Tensor(name, "BYTES", [len(array)], raw=join_strings(array.tolist()))
        for name, array in media.items()
    ]


def test_raw_bytes_are_answered(served, predictor, media):
    answer = infer(served, TensorRequest(raw_tensors(media)))
    expected = predictor.call("serving_default", **media)
    assert set(answer) == set(expected)
    for name, array in expected.items():
        np.testing.assert_array_equal(answer[name], array)


def test_outputs_are_those_that_were_asked_for(served, media, refused):
    tensors = raw_tensors(media)
    answer = infer(served, TensorRequest(tensors, outputs=["image_ok", "logit"]))
    assert list(answer) == ["image_ok", "logit"]
    said, _ = refused(infer, served, TensorRequest(tensors, outputs=["mood"]))
    assert "`outputs`: 'mood' is no output of `serving_default`" in said
    assert "logit" in said


@for_retrieval
def test_numbers_go_in_raw_and_as_values(served, predictor, media):
    arrays = {}
    for name, parts in (
        ("encode_query", ("image", "caption")),
        ("encode_song", ("audio", "lyrics")),
    ):
        arrays |= predictor.call(name, **{part: media[part][:3] for part in parts})
    fields = served.endpoint("score").fields
    arrays = {name: arrays[name] for name in fields}
    expected = predictor.call("score", **arrays)["logit"]
    types = {d["name"]: d["datatype"] for d in describe_fields(fields)}
    for by_value in (False, True):
        tensors = [
            Tensor(
                name,
                types[name],
                list(array.shape),
                array.ravel().tolist() if by_value else None,
                None if by_value else to_raw(array),
            )
            for name, array in arrays.items()
        ]
        answer = infer(served, TensorRequest(tensors, "score"))["logit"]
        np.testing.assert_array_equal(answer, expected)


@pytest.mark.parametrize(
    ("tensor", "message"),
    [
        (Tensor("pic", "BYTES", [1], [""]), "`inputs.pic` is no input of"),
        (Tensor(None, "BYTES", [1], [""]), "`inputs.None` is no input of"),
        (
            Tensor("lyrics", "FP32", [1], [1.0]),
            "must have the datatype BYTES; received",
        ),
        (Tensor("lyrics", "BYTES", 1, [""]), "`inputs.lyrics.shape` must be a list of"),
        (Tensor("lyrics", "BYTES", [True], [""]), "`inputs.lyrics.shape` must be a"),
        (Tensor("lyrics", "BYTES", [1, 1], [""]), "received the shape (1, 1)"),
        (Tensor("lyrics", "BYTES", [9], [""]), "must have 1 to 4 rows; received 9"),
        (Tensor("lyrics", "BYTES", [2], [""]), "takes 2 values; received 1"),
        (Tensor("lyrics", "BYTES", [1], "hi"), "`inputs.lyrics.data` must be a list"),
        (Tensor("lyrics", "BYTES", [1], [3]), "`inputs.lyrics.data[0]` must be a str"),
        (Tensor("image", "BYTES", [1], ["?"]), "`inputs.image.data[0]` is no base64"),
        (Tensor("lyrics", "BYTES", [1], raw=b"\1"), "ends within the length of a str"),
        (
            Tensor("lyrics", "BYTES", [1], raw=b"\5\0\0\0hi"),
            "announces a string of 5 bytes and holds 2 of them",
        ),
        (Tensor("lyrics", "BYTES", [2], raw=b"\0\0\0\0"), "takes 2 values; received 1"),
    ],
)
@for_sentiment
def test_what_does_not_fit_is_refused_by_name(served, refused, tensor, message):
    said, status = refused(infer, served, TensorRequest([tensor], is_base64=True))
    assert message in said
    assert status == 400


@for_retrieval
def test_numbers_that_do_not_fit_are_refused_by_name(served, refused):
    shape = list(served.endpoint("score").fields["image_vector"].shape)
    tensor = Tensor("image_vector", "FP32", [1, shape[1]], raw=b"123")
    said, _ = refused(infer, served, TensorRequest([tensor], "score"))
    assert "`inputs.image_vector` holds 3 bytes, which are no whole number" in said
    tensor = Tensor("image_vector", "FP32", [1, shape[1]], raw=b"1234")
    said, _ = refused(infer, served, TensorRequest([tensor], "score"))
    assert f"takes {shape[1]} values; received 1" in said


@for_sentiment
def test_an_input_is_given_once(served, refused):
    twice = [Tensor("lyrics", "BYTES", [1], [""])] * 2
    said, _ = refused(infer, served, TensorRequest(twice))
    assert said == "`inputs.lyrics` is given twice."


def test_strings_join_and_split():
    strings = [b"", b"a", b"\0" * 300]
    assert list(split_strings(join_strings(strings), "x")) == strings
    array = np.array([[b"a"], [b"bc"]], object)
    assert to_raw(array) == b"\1\0\0\0a\2\0\0\0bc"
    assert values_of(array) == ["a", "bc"]


def test_numbers_are_little_endian():
    assert to_raw(np.array([1], ">i4")) == b"\1\0\0\0"
