import base64
import json
import re

import numpy as np
import pytest

from keras_jtav.service.fields import STRING, Field
from keras_jtav.service.json_values import (
    bytes_of,
    from_base64,
    numbers_of,
    parse_json,
    to_json,
)

IMAGE = Field("image", STRING, (None,))
CAPTION = Field("caption", STRING, (None,))
VECTOR = Field("vector", np.dtype("float32"), (None, 2))
WORDS = Field("words", np.dtype("int32"), (None, 2))
MASK = Field("mask", np.dtype("bool"), (None,))


def test_a_body_is_an_object():
    assert parse_json(b'{"a": [1]}') == {"a": [1]}


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (b"", "the body is no JSON"),
        (b"{", "the body is no JSON"),
        (b"\xff\xfe", "the body is no JSON"),
        (b"[1]", r"must be a JSON object; received a list \[1\]"),
        (b"null", "must be a JSON object; received null"),
        (b'{"a": NaN}', "NaN is no number of JSON"),
        (b'{"a": ' + b"9" * 10_000 + b"}", "the body is no JSON"),
        (b"[" * 200_000, "the body is nested too deep"),
    ],
)
def test_other_bodies_are_refused(refused, text, message):
    said, status = refused(parse_json, text)
    assert status == 400
    assert re.search(message, said)


def test_texts_and_media():
    assert bytes_of("grüße", CAPTION, "x") == "grüße".encode()
    encoded = {"b64": base64.b64encode(b"\x89PNG").decode()}
    assert bytes_of(encoded, IMAGE, "x") == b"\x89PNG"
    assert bytes_of(encoded, CAPTION, "x") == b"\x89PNG"
    assert bytes_of("", IMAGE, "x") == b""


@pytest.mark.parametrize(
    ("value", "field", "message"),
    [
        (None, CAPTION, '`here` must be a string or {"b64": "..."}; received null'),
        (3, CAPTION, "received a number 3"),
        (True, CAPTION, "received a truth value True"),
        ([1], IMAGE, '`here` must be {"b64": "..."}; received a list [1]'),
        ({"b65": ""}, IMAGE, "received an object {'b65': ''}"),
        ("aGk=", IMAGE, "`here` must be the file's bytes in base64"),
        ({"b64": 3}, IMAGE, "`here.b64` must be a string of base64; received a number"),
        ({"b64": "a"}, IMAGE, "`here.b64` is no base64"),
        ({"b64": "ä"}, IMAGE, "`here.b64` is no base64"),
        ({"b64": "aGk=\n"}, IMAGE, "`here.b64` is no base64"),
        (json.loads('"\\ud800"'), CAPTION, "`here` holds half a character"),
    ],
)
def test_other_values_are_refused_by_name(refused, value, field, message):
    said, status = refused(bytes_of, value, field, "here")
    assert message in said
    assert status == 400


def test_base64_takes_nothing_else():
    assert from_base64("aGk=", "x") == b"hi"


def test_numbers_take_the_type_of_the_input():
    array = numbers_of([[1, 2.5], [3, 4]], VECTOR, "x")
    assert array.dtype == "float32"
    assert array.tolist() == [[1.0, 2.5], [3.0, 4.0]]
    assert numbers_of([[1, 2]], WORDS, "x").dtype == "int32"
    assert numbers_of([True, False], MASK, "x").dtype == "bool"


@pytest.mark.parametrize(
    ("value", "field", "message"),
    [
        ([[1, 2], [3]], VECTOR, "received lists of unequal lengths"),
        ([["a", "b"]], VECTOR, "must be float32 (rows, 2); received a string 'a'"),
        ([[None, 1.0]], VECTOR, "received null"),
        ([[True, 1.0]], VECTOR, "received a truth value"),
        ([[1.5, 1]], WORDS, "must be int32 (rows, 2); received a number 1.5"),
        ([1], MASK, "must be bool (rows,); received a number 1"),
        ([[2**31, 0]], WORDS, "a number that int32 has no place for"),
        ([[10**400, 0]], VECTOR, "a number that float32 has no place for"),
        ([[1e39, 0]], VECTOR, "a number that float32 has no place for"),
        ({"a": 1}, VECTOR, "received an object"),
    ],
)
def test_other_numbers_are_refused_by_name(refused, value, field, message):
    said, _ = refused(numbers_of, value, field, "here")
    assert said.startswith("`here`")
    assert message in said


def test_floats_survive_json():
    array = np.random.default_rng(0).normal(size=(50, 3)).astype("float32")
    again = np.array(json.loads(json.dumps(to_json(array))), "float32")
    np.testing.assert_array_equal(again, array)


def test_what_json_cannot_say():
    assert to_json(np.array([1.0, np.inf], "float32")) == [1.0, None]
    assert to_json(np.array([[b"so", b"\xff"]], object)) == [["so", {"b64": "/w=="}]]
    assert to_json(np.array(b"x", object)) == "x"
    assert to_json(np.array([True])) == [True]
