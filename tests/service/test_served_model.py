import numpy as np
import pytest

from keras_jtav.service.limits import Limits
from keras_jtav.service.served_model import ServedModel

for_sentiment = pytest.mark.parametrize("finished_run", ["sentiment"], indirect=True)
for_retrieval = pytest.mark.parametrize("finished_run", ["retrieval"], indirect=True)


def test_a_model_is_called_by_its_folder(finished_run, served):
    assert served.name == finished_run[1].exported.parent.name
    assert served.version == finished_run[1].exported.name
    served.check_name(served.name)
    served.check_name(served.name, served.version)


@pytest.mark.parametrize("version", ["", "77"])
def test_another_model_or_version_is_not_found(served, refused, version):
    name = "ghost" if not version else served.name
    said, status = refused(served.check_name, name, version)
    assert status == 404
    assert f"There is no model {name!r}" in said
    assert version in said


def test_endpoints_are_those_of_the_saved_model(served, predictor):
    assert set(served.endpoints) == set(predictor.saved_model.signatures)
    default = served.endpoint()
    assert default is served.endpoint("") is served.endpoint("serving_default")
    assert set(default.fields) == {"image", "audio", "lyrics", "caption"}
    assert set(default.outputs) == predictor.outputs("serving_default")
    assert not served.endpoint("settings").fields


@pytest.mark.parametrize("name", ["nonsense", 3, ["encode"], {"a": 1}])
def test_an_unknown_endpoint_lists_the_known(served, refused, name):
    said, status = refused(served.endpoint, name)
    assert status == 400
    assert said.startswith(f"`signature_name` {name!r} is no endpoint")
    assert "features, " in said


def test_an_unknown_input_lists_the_known(served, refused):
    said, _ = refused(served.endpoint().field, "picture", "inputs.picture")
    assert said.startswith("`inputs.picture` is no input of `serving_default`")
    assert "image" in said


def test_answers_are_those_of_the_saved_model(served, predictor, media):
    expected = predictor.call("serving_default", **media)
    found = served.answer(served.endpoint(), media)
    assert set(found) == set(expected)
    for name, array in expected.items():
        np.testing.assert_array_equal(found[name], array)


def test_strings_that_are_not_given_are_missing(served, predictor, media):
    given = {"caption": media["caption"]}
    nothing = np.full(4, b"", object)
    rest = {name: nothing for name in ("image", "audio", "lyrics")}
    expected = predictor.call("serving_default", **given, **rest)["logit"]
    found = served.answer(served.endpoint(), given)["logit"]
    np.testing.assert_array_equal(found, expected)


def test_nothing_and_unequal_lengths_are_refused(served, refused, media):
    said, _ = refused(served.answer, served.endpoint(), {})
    assert said.startswith("`inputs` is empty; give at least one of:")
    given = {"caption": media["caption"], "lyrics": media["lyrics"][:3]}
    said, status = refused(served.answer, served.endpoint(), given)
    assert said.startswith(
        "`inputs.lyrics` has 3 rows and `inputs.caption` has 4; give as many"
    )
    assert status == 400


@for_retrieval
def test_scores_take_as_many_queries_and_songs_as_there_are(
    served, predictor, media, refused
):
    queries, songs = (
        predictor.call(endpoint, **{part: media[part][:3] for part in parts})
        for endpoint, parts in (
            ("encode_query", ("image", "caption")),
            ("encode_song", ("audio", "lyrics")),
        )
    )
    queries = {n: a[:2] for n, a in queries.items() if not n.endswith("_ok")}
    songs = {n: a for n, a in songs.items() if not n.endswith("_ok")}
    score = served.endpoint("score")
    answer = served.answer(score, queries | songs)["logit"]
    assert answer.shape == (2, 3)
    expected = predictor.call("score", **queries, **songs)["logit"]
    np.testing.assert_array_equal(answer, expected)
    vector = queries.pop("image_vector")
    said, _ = refused(served.answer, score, queries | songs)
    assert said.startswith("`inputs.image_vector` is missing; `score` needs it")
    assert f"float32 (queries, {vector.shape[1]})" in said
    many = {n: np.repeat(a, 2, axis=0) for n, a in queries.items()}
    many = {**many, "image_vector": np.repeat(vector, 2, axis=0)}
    many |= {n: np.repeat(a, 2, axis=0) for n, a in songs.items()}
    said, _ = refused(served.answer, score, many)
    assert "at most 12 pairs at once; received 4 queries and 6 songs" in said


def test_every_endpoint_is_called_before_the_first_request(served, monkeypatch):
    called = []
    call = served._predictor.call

    def counted(endpoint, **inputs):
        called.append(endpoint)
        return call(endpoint, **inputs)

    monkeypatch.setattr(served._predictor, "call", counted)
    served.warm_up()
    assert set(called) == set(served.endpoints)


def test_a_folder_without_a_model_is_refused(tmp_path):
    with pytest.raises(FileNotFoundError, match="holds no SavedModel"):
        ServedModel(tmp_path, Limits())
