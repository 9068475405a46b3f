import base64
import json

import numpy as np
import pytest

from keras_jtav.service.rows_and_columns import predict

for_retrieval = pytest.mark.parametrize("finished_run", ["retrieval"], indirect=True)


def as_json(part, value):
    if part in ("image", "audio"):
        return {"b64": base64.b64encode(value).decode()} if value else ""
    return value.decode()


def rows_of(media):
    number = len(media["image"])
    rows = [{n: as_json(n, a[row]) for n, a in media.items()} for row in range(number)]
    return [{n: value for n, value in row.items() if value != ""} for row in rows]


def columns_of(media):
    return {n: [as_json(n, value) for value in array] for n, array in media.items()}


def ask(served, **request):
    return json.loads(predict(served, json.dumps(request).encode()))


def test_rows_are_answered_row_by_row(served, predictor, media):
    expected = predictor.call("serving_default", **media)
    answer = ask(served, instances=rows_of(media))
    assert list(answer) == ["predictions"]
    assert len(answer["predictions"]) == 4
    for name, array in expected.items():
        found = np.array([row[name] for row in answer["predictions"]], array.dtype)
        np.testing.assert_array_equal(found, array)


def test_columns_are_answered_by_columns(served, predictor, media):
    expected = predictor.call("serving_default", **media)
    answer = ask(served, inputs=columns_of(media), signature_name="serving_default")
    assert set(answer["outputs"]) == set(expected)
    for name, array in expected.items():
        found = np.array(answer["outputs"][name], array.dtype)
        np.testing.assert_array_equal(found, array)


def test_a_row_may_lack_all(served):
    (row,) = ask(served, instances=[{}])["predictions"]
    assert np.isfinite(row["logit"])


def test_the_only_output_stands_without_its_name(served, predictor):
    text = ask(served, signature_name="settings", inputs={})["outputs"]
    assert json.loads(text) == predictor.settings


@for_retrieval
def test_encodings_come_out_and_go_in_again(served, predictor, media):
    query = {part: media[part][:2] for part in ("image", "caption")}
    song = {part: media[part][:2] for part in ("audio", "lyrics")}
    sides = [
        ask(served, signature_name=name, inputs=columns_of(given))["outputs"]
        for name, given in (("encode_query", query), ("encode_song", song))
    ]
    encodings = {n: v for side in sides for n, v in side.items() if n[-3:] != "_ok"}
    columns = ask(served, signature_name="score", inputs=encodings)["outputs"]
    arrays = predictor.call("encode_query", **query)
    arrays |= predictor.call("encode_song", **song)
    expected = predictor.call("score", **{n: arrays[n] for n in encodings})["logit"]
    np.testing.assert_array_equal(np.array(columns, "float32"), expected)
    rows = [{n: v[row] for n, v in encodings.items()} for row in range(2)]
    rows = ask(served, signature_name="score", instances=rows)["predictions"]
    np.testing.assert_array_equal(np.array(rows, "float32"), expected)
    said = json.dumps({"signature_name": "score", "instances": [{}]}).encode()
    with pytest.raises(Exception, match=r"`instances\[0\]\.audio_present` is missing"):
        predict(served, said)


@pytest.mark.parametrize(
    ("request_", "message"),
    [
        ({}, "Give one of `instances` (rows) and `inputs` (columns)"),
        ({"instances": [{}], "inputs": {}}, "Give one of `instances`"),
        ({"instances": [{}], "picture": 1}, "`picture` is no key of a request"),
        ({"instances": {}}, "`instances` must be a list of rows; received {}"),
        ({"instances": []}, "`instances` must have 1 to 4 rows; received 0"),
        ({"instances": [{}] * 5}, "`instances` must have 1 to 4 rows; received 5"),
        ({"instances": [{}, "hi"]}, "`instances[1]` must be an object with any of"),
        ({"instances": [{}, {"pic": ""}]}, "`instances[1].pic` is no input of"),
        ({"instances": [{"lyrics": 3}]}, "`instances[0].lyrics` must be a string"),
        ({"instances": [{"image": "x"}]}, "`instances[0].image` must be the file's"),
        (
            {"instances": [{"audio": {"b64": "!"}}]},
            "`instances[0].audio.b64` is no base64",
        ),
        (
            {"instances": [{}], "signature_name": "settings"},
            "`settings` takes no rows; ask with `inputs`",
        ),
        ({"instances": [{}], "signature_name": "x"}, "`signature_name` 'x' is no"),
        ({"inputs": []}, "`inputs` must be an object"),
        ({"inputs": {}}, "`inputs` is empty"),
        ({"inputs": {"pic": [""]}}, "`inputs.pic` is no input of"),
        ({"inputs": {"lyrics": "hi"}}, "`inputs.lyrics` must be a list"),
        ({"inputs": {"lyrics": []}}, "`inputs.lyrics` must have 1 to 4 rows"),
        ({"inputs": {"lyrics": ["a", None]}}, "`inputs.lyrics[1]` must be a string"),
        (
            {"inputs": {"lyrics": ["a"], "caption": ["a", "b"]}},
            "`inputs.caption` has 2 rows and `inputs.lyrics` has 1",
        ),
    ],
)
@pytest.mark.parametrize("finished_run", ["sentiment"], indirect=True)
def test_what_does_not_fit_is_refused_by_name(served, refused, request_, message):
    said, status = refused(predict, served, json.dumps(request_).encode())
    assert message in said
    assert status == 400
