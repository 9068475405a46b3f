import json
import pickle
import subprocess
import sys

import numpy as np
import pytest
import tensorflow as tf

from keras_jtav.attribution import Explainer
from keras_jtav.preparation import load_table
from keras_jtav.serving import search_endpoint
from keras_jtav.serving.predictor import Predictor
from keras_jtav.serving.search_endpoint import ModelWithIndex, export_with_index
from keras_jtav.serving.song_index import SongIndex
from keras_jtav.serving.song_search import SongSearch

FOREIGN_PROCESS = """
import sys
for name in ("keras", "keras_jtav"):
    sys.modules[name] = None  # import raises ImportError
import json, pickle, tensorflow as tf
model = tf.saved_model.load(sys.argv[1])
image, caption = pickle.load(open(sys.argv[2], "rb"))
answer = model.signatures["search"](
    image=tf.constant(image), caption=tf.constant(caption)
)
songs = [[name.decode() for name in row] for row in answer["song"].numpy()]
print("ANSWER", json.dumps([songs, answer["score"].numpy().tolist()]))
"""
CANDIDATES = 12

pytestmark = pytest.mark.parametrize("finished_run", ["retrieval"], indirect=True)


@pytest.fixture(scope="module")
def parts(finished_run, predictor):
    """Posts, the exported model, an index of songs, and the model with it inside."""
    config, _ = finished_run
    posts = load_table(config).posts
    by_song = {post.song: post for post in posts if post.audio is not None}
    songs, _ = predictor.call_on_posts(
        "encode_song", list(by_song.values()), ("audio", "lyrics")
    )
    del songs["audio_ok"]
    index = SongIndex(predictor.fingerprint)
    index.add(list(by_song), songs)
    index.remove(list(by_song)[3:5])
    inside = Predictor(export_with_index(predictor, index, CANDIDATES))
    return posts, predictor, index, inside


def raw_queries(posts):
    """Return the bytes of pictures as they are, and captions."""
    return (
        [b"" if post.image is None else post.image.read_bytes() for post in posts],
        [post.texts.get("caption", "").encode() for post in posts],
    )


def search(endpoint, image, caption):
    answer = endpoint(image=tf.constant(image), caption=tf.constant(caption))
    return {name: tensor.numpy() for name, tensor in answer.items()}


def of_model(predictor):
    return predictor.saved_model.signatures["search"]


def in_python(predictor, index, posts):
    queries, faults = predictor.call_on_posts(
        "encode_query", posts, ("image", "caption")
    )
    assert not faults
    del queries["image_ok"]
    return SongSearch(predictor, index, CANDIDATES).search(queries, CANDIDATES)


def test_the_endpoint_equals_the_python_path(parts):
    posts, predictor, index, inside = parts
    ids, scores = in_python(predictor, index, posts[:20])
    answer = search(of_model(inside), *raw_queries(posts[:20]))
    assert answer["song"].shape == (20, CANDIDATES)
    np.testing.assert_array_equal(answer["song"].astype(str), ids.astype(str))
    np.testing.assert_allclose(answer["score"], scores, atol=1e-4)
    assert answer["image_ok"].all()
    assert not set(answer["song"].astype(str).ravel()) - set(index.ids())


def test_the_other_endpoints_stay(parts):
    posts, predictor, index, inside = parts
    names = set(predictor.saved_model.signatures)
    assert set(inside.saved_model.signatures) == names | {"search"}
    about = {"songs": len(index), "candidates": CANDIDATES}
    assert inside.settings == predictor.settings | {"index": about}
    extra = (inside.folder / "assets.extra" / "settings.json").read_text()
    assert json.loads(extra) == inside.settings
    media = ("image", "audio", "lyrics", "caption")
    before, after = (
        one.call_on_posts("serving_default", posts[:5], media)[0]["logit"]
        for one in (predictor, inside)
    )
    np.testing.assert_allclose(before, after, atol=1e-6)
    assert inside.folder.parent == predictor.folder.parent
    assert int(inside.folder.name) > int(predictor.folder.name)
    ids = [in_python(one, index, posts[:3])[0].tolist() for one in (predictor, inside)]
    assert ids[0] == ids[1]  # the index fits the version that holds it, too


def test_ties_are_broken_as_the_python_path_does(parts):
    posts, predictor, index, _ = parts
    encodings = index.encodings(np.repeat([5, 2], 40))
    names = [f"copy{n}" for n in range(80)]
    tied = SongIndex(predictor.fingerprint)
    tied.add(names, encodings)
    module = ModelWithIndex(predictor.saved_model, tied, CANDIDATES, "")
    answer = search(module.signatures()["search"], *raw_queries(posts[:6]))
    ids, scores = in_python(predictor, tied, posts[:6])
    np.testing.assert_allclose(answer["score"], scores, atol=1e-5)
    for found, row, same in zip(
        answer["song"].astype(str), answer["score"], ids, strict=True
    ):
        assert set(found) == set(same)
        assert set(found) in (
            set(names[:CANDIDATES]),
            set(names[40 : 40 + CANDIDATES]),
        )
        # Copies in other places of a batch may differ in the last bit: no ties then.
        assert np.ptp(row) < 1e-5
        places = [names.index(name) for name in found]
        assert np.lexsort((places, -row)).tolist() == list(range(CANDIDATES))


def test_fewer_songs_than_candidates_are_all_returned(parts):
    posts, predictor, index, _ = parts
    few = SongIndex(predictor.fingerprint)
    few.add(["a", "b", "c"], index.encodings(np.arange(3)))
    module = ModelWithIndex(predictor.saved_model, few, CANDIDATES, "")
    answer = search(module.signatures()["search"], *raw_queries(posts[:2]))
    songs = [sorted(row) for row in answer["song"].astype(str).tolist()]
    assert songs == [["a", "b", "c"]] * 2


def test_an_unreadable_picture_is_flagged_and_spares_the_others(parts):
    posts, _, _, inside = parts
    image, caption = raw_queries(posts[:3])
    good = search(of_model(inside), image, caption)
    image[1] = b"no picture"
    bad = search(of_model(inside), image, caption)
    assert bad["image_ok"].tolist() == [True, False, True]
    np.testing.assert_allclose(bad["score"][[0, 2]], good["score"][[0, 2]], atol=1e-5)


@pytest.mark.slow
def test_another_index_takes_the_place_of_the_one_inside(parts):
    posts, _, index, inside = parts
    few = SongIndex(index.model)
    few.add(["a", "b", "c"], index.encodings(np.arange(3)))
    again = Predictor(export_with_index(inside, few, 2))
    assert again.settings["index"] == {"songs": 3, "candidates": 2}
    answer = search(of_model(again), *raw_queries(posts[:4]))
    assert answer["song"].shape == (4, 2)
    assert set(answer["song"].ravel()) <= {b"a", b"b", b"c"}
    sizes = [
        sum(path.stat().st_size for path in one.folder.rglob("*") if path.is_file())
        for one in (inside, again)
    ]
    assert sizes[1] < 1.05 * sizes[0]  # no model inside a model inside a model


@pytest.mark.slow
def test_it_loads_where_neither_keras_nor_this_package_can(parts, tmp_path):
    posts, predictor, index, inside = parts
    path = tmp_path / "inputs.pickle"
    path.write_bytes(pickle.dumps(raw_queries(posts[:3])))
    command = [sys.executable, "-c", FOREIGN_PROCESS, str(inside.folder), str(path)]
    output = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    songs, scores = json.loads(output.rsplit("ANSWER", 1)[1])
    ids, expected = in_python(predictor, index, posts[:3])
    assert songs == ids.tolist()
    np.testing.assert_allclose(scores, expected, atol=1e-4)


def test_too_many_songs_or_none_are_refused(parts, monkeypatch):
    _, predictor, index, _ = parts
    versions = sorted(predictor.folder.parent.iterdir())
    with pytest.raises(ValueError, match=r"takes 1 to 100000 songs.*holds 0"):
        export_with_index(predictor, SongIndex(index.model))
    monkeypatch.setattr(search_endpoint, "EXACT_SONGS", 10)
    with pytest.raises(ValueError, match=r"takes 1 to 10 songs.*predict --index"):
        export_with_index(predictor, index)
    assert sorted(predictor.folder.parent.iterdir()) == versions


def test_it_can_still_be_explained(finished_run, parts):
    posts, predictor, _, inside = parts
    post = next(post for post in posts if not post.missing)
    expected, explained = (
        Explainer(model).parts(post) for model in (predictor, inside)
    )
    for part, value in expected.items():
        assert explained[part] == pytest.approx(value, abs=1e-5)
