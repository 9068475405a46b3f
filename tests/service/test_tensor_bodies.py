import base64
import json

import numpy as np
import pytest

from keras_jtav.service.tensor_bodies import infer_body
from keras_jtav.service.tensors import join_strings

for_sentiment = pytest.mark.parametrize("finished_run", ["sentiment"], indirect=True)


def read(response, length):
    """Return the arrays of a response, and its JSON."""
    end = len(response) if length is None else length
    text, rest = json.loads(response[:end]), response[end:]
    arrays = {}
    for output in text["outputs"]:
        dtype = {"FP32": "float32", "BOOL": "bool"}[output["datatype"]]
        if "data" in output:
            array = np.array(output["data"], dtype)
        else:
            size = output["parameters"]["binary_data_size"]
            array, rest = np.frombuffer(rest[:size], dtype), rest[size:]
        arrays[output["name"]] = array.reshape(output["shape"])
    assert not rest
    return arrays, text


def json_inputs(media):
    def value(part, content):
        is_media = part in ("image", "audio")
        return (base64.b64encode(content) if is_media else content).decode()

    return [
        {
            "name": name,
            "datatype": "BYTES",
            "shape": [len(array)],
            "data": [value(name, content) for content in array],
        }
        for name, array in media.items()
    ]


def test_json_in_and_out(served, predictor, media):
    request = {"id": "q1", "inputs": json_inputs(media)}
    response, length = infer_body(served, json.dumps(request).encode(), None)
    assert length is None
    arrays, text = read(response, length)
    assert (text["id"], text["model_name"]) == ("q1", served.name)
    assert text["model_version"] == served.version
    for name, array in predictor.call("serving_default", **media).items():
        np.testing.assert_array_equal(arrays[name], array)


@pytest.mark.parametrize("everywhere", [True, False])
def test_binary_in_and_out(served, predictor, media, everywhere):
    inputs, parts = [], []
    for name, array in media.items():
        parts.append(join_strings(array.tolist()))
        size = {"binary_data_size": len(parts[-1])}
        described = {"name": name, "datatype": "BYTES", "shape": [4]}
        inputs.append({**described, "parameters": size})
    request = {"inputs": inputs, "parameters": {"binary_data_output": everywhere}}
    names = ["logit", "image_ok"]
    if not everywhere:
        request["outputs"] = [
            {"name": "logit", "parameters": {"binary_data": True}},
            {"name": "image_ok"},
        ]
    text = json.dumps(request).encode()
    body = b"".join([text, *parts])
    response, length = infer_body(served, body, str(len(text)))
    arrays, answer = read(response, length)
    described = {output["name"]: output for output in answer["outputs"]}
    assert ("data" in described["image_ok"]) != everywhere
    expected = predictor.call("serving_default", **media)
    assert set(arrays) == (set(expected) if everywhere else set(names))
    for name in arrays:
        np.testing.assert_array_equal(arrays[name], expected[name])


def test_the_endpoint_is_a_parameter(served, predictor):
    request = {"parameters": {"signature_name": "settings"}, "inputs": []}
    response, _ = infer_body(served, json.dumps(request).encode(), None)
    (output,) = json.loads(response)["outputs"]
    assert output["shape"] == []
    assert json.loads(output["data"][0]) == predictor.settings


GOOD = {"name": "lyrics", "datatype": "BYTES", "shape": [1], "data": ["a"]}


@pytest.mark.parametrize(
    ("request_", "message"),
    [
        ({}, "`inputs` must be a list; received None"),
        ({"inputs": {}}, "`inputs` must be a list"),
        ({"inputs": [3]}, "`inputs[0]` must be an object; received 3"),
        ({"inputs": [{**GOOD, "parameters": 3}]}, "`inputs[0].parameters` must be an"),
        ({"inputs": [{"name": "lyrics"}]}, "`inputs[0].shape` is missing"),
        (
            {"inputs": [{k: v for k, v in GOOD.items() if k != "data"}]},
            "`inputs[0]` needs `data` or `parameters.binary_data_size`",
        ),
        (
            {"inputs": [{**GOOD, "parameters": {"binary_data_size": 9}}]},
            "`inputs[0].parameters.binary_data_size` must be a size within the 0 bytes",
        ),
        ({"inputs": [GOOD], "outputs": 3}, "`outputs` must be a list"),
        ({"inputs": [GOOD], "outputs": [{}]}, "`outputs[0]` must be an object with"),
        ({"inputs": [GOOD], "outputs": [{"name": "x"}]}, "`outputs`: 'x' is no output"),
        ({"inputs": [GOOD], "parameters": []}, "`parameters` must be an object"),
        (
            {"inputs": [GOOD], "parameters": {"signature_name": "x"}},
            "`signature_name` 'x' is no endpoint",
        ),
    ],
)
@for_sentiment
def test_what_does_not_fit_is_refused_by_name(served, refused, request_, message):
    said, status = refused(infer_body, served, json.dumps(request_).encode(), None)
    assert message in said
    assert status == 400


@pytest.mark.parametrize("length", ["-1", "x", "99999999", "", "٣"])
@for_sentiment
def test_a_wrong_length_of_the_json_is_refused(served, refused, length):
    body = json.dumps({"inputs": [GOOD]}).encode()
    said, _ = refused(infer_body, served, body, length)
    assert "The header Inference-Header-Content-Length must be a length" in said


@for_sentiment
def test_bytes_of_no_input_are_refused(served, refused):
    text = json.dumps({"inputs": [GOOD]}).encode()
    said, _ = refused(infer_body, served, text + b"rest", str(len(text)))
    assert said == "4 bytes of the body belong to no input."
