import json
import pickle
import subprocess
import sys

import numpy as np
import pytest
import tensorflow as tf

from keras_jtav.preparation import load_table
from keras_jtav.serving import search_endpoint
from keras_jtav.serving.predictor import Predictor
from keras_jtav.serving.search_endpoint import export_with_index
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
def parts(finished_run):
    """Posts, the exported model, an index of songs, and the model with it inside."""
    config, result = finished_run
    posts = load_table(config).posts
    predictor = Predictor(result.exported)
    by_song = {post.song: post for post in posts if post.audio is not None}
    songs, _ = predictor.call_on_posts(
        "encode_song", list(by_song.values()), ("audio", "lyrics")
    )
    del songs["audio_ok"]
    index = SongIndex(predictor.fingerprint)
    index.add(list(by_song), songs)
    index.remove(list(by_song)[3:5])
    folder = export_with_index(result.exported, index, CANDIDATES)
    return posts, result.exported, index, folder


def raw_queries(posts):
    """Return the bytes of pictures as they are, and captions."""
    return (
        [b"" if post.image is None else post.image.read_bytes() for post in posts],
        [post.texts.get("caption", "").encode() for post in posts],
    )


def search(folder, image, caption):
    answer = tf.saved_model.load(str(folder)).signatures["search"](
        image=tf.constant(image), caption=tf.constant(caption)
    )
    return {name: tensor.numpy() for name, tensor in answer.items()}


def python_path(predictor, index, posts):
    queries, faults = predictor.call_on_posts(
        "encode_query", posts, ("image", "caption")
    )
    assert not faults
    del queries["image_ok"]
    return SongSearch(predictor, index, CANDIDATES).search(queries, CANDIDATES)


def test_the_endpoint_equals_the_python_path(parts):
    posts, exported, index, folder = parts
    ids, scores = python_path(Predictor(exported), index, posts[:20])
    answer = search(folder, *raw_queries(posts[:20]))
    assert answer["song"].shape == (20, CANDIDATES)
    np.testing.assert_array_equal(answer["song"].astype(str), ids.astype(str))
    np.testing.assert_allclose(answer["score"], scores, atol=1e-4)
    assert answer["image_ok"].all()
    assert not set(answer["song"].astype(str).ravel()) - set(index.ids())


def test_the_endpoint_breaks_ties_as_the_python_path_does(parts, tmp_path):
    posts, exported, index, _ = parts
    predictor = Predictor(exported)
    encodings = index.encodings()
    rows = np.repeat([5, 2], [40, 40])
    tied = SongIndex(predictor.fingerprint)
    names = [f"copy{n}" for n in range(80)]
    tied.add(names, {name: array[rows] for name, array in encodings.items()})
    folder = export_with_index(exported, tied, CANDIDATES)
    answer = search(folder, *raw_queries(posts[:6]))
    for songs in answer["song"].astype(str).tolist():
        assert songs in (names[:CANDIDATES], names[40 : 40 + CANDIDATES])
    ids, _ = python_path(predictor, tied, posts[:6])
    np.testing.assert_array_equal(answer["song"].astype(str), ids.astype(str))


def test_the_other_endpoints_stay(parts):
    posts, exported, index, folder = parts
    before, after = Predictor(exported), Predictor(folder)
    names = set(before.saved_model.signatures)
    assert set(after.saved_model.signatures) == names | {"search"}
    inside = {"songs": len(index), "candidates": CANDIDATES}
    assert after.settings == before.settings | {"index": inside}
    extra = json.loads((folder / "assets.extra" / "settings.json").read_text())
    assert extra == after.settings
    image_and_song = ("image", "audio", "lyrics", "caption")
    for predictor in (before, after):
        assert predictor.fingerprint
    np.testing.assert_allclose(
        *(
            p.call_on_posts("serving_default", posts[:5], image_and_song)[0]["logit"]
            for p in (before, after)
        ),
        atol=1e-6,
    )


def test_an_index_works_with_the_model_that_holds_it_and_goes_in_again(parts):
    posts, exported, index, folder = parts
    ids, _ = python_path(Predictor(folder), index, posts[:4])
    again = export_with_index(folder, index, 5)
    answer = search(again, *raw_queries(posts[:4]))
    assert answer["song"].shape == (4, 5)
    assert int(again.name) > int(folder.name) > int(exported.name)
    assert Predictor(again).settings["index"]["candidates"] == 5
    assert set(answer["song"].astype(str)[0]) <= set(ids[0].tolist())
    sizes = [
        sum(file.stat().st_size for file in version.rglob("variables.data*"))
        for version in (folder, again)
    ]
    assert sizes[1] < 1.2 * sizes[0]  # not a model inside a model inside a model


def test_an_unreadable_picture_is_flagged_and_spares_the_others(parts):
    posts, _, _, folder = parts
    image, caption = raw_queries(posts[:3])
    good = search(folder, image, caption)
    image[1] = b"no picture"
    bad = search(folder, image, caption)
    assert bad["image_ok"].tolist() == [True, False, True]
    np.testing.assert_allclose(bad["score"][[0, 2]], good["score"][[0, 2]], atol=1e-5)


def test_fewer_songs_than_candidates_are_all_returned(parts):
    posts, exported, index, _ = parts
    few = SongIndex(index.model)
    encodings = index.encodings(np.arange(3))
    few.add(["a", "b", "c"], encodings)
    folder = export_with_index(exported, few, CANDIDATES)
    answer = search(folder, *raw_queries(posts[:2]))
    assert [sorted(row) for row in answer["song"].astype(str).tolist()] == [
        ["a", "b", "c"]
    ] * 2


@pytest.mark.slow
def test_it_loads_where_neither_keras_nor_this_package_can(parts, tmp_path):
    posts, exported, index, folder = parts
    path = tmp_path / "inputs.pickle"
    path.write_bytes(pickle.dumps(raw_queries(posts[:3])))
    command = [sys.executable, "-c", FOREIGN_PROCESS, str(folder), str(path)]
    output = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    songs, scores = json.loads(output.rsplit("ANSWER", 1)[1])
    ids, expected = python_path(Predictor(exported), index, posts[:3])
    assert songs == ids.tolist()
    np.testing.assert_allclose(scores, expected, atol=1e-4)


def test_too_many_songs_or_none_are_refused(parts, monkeypatch):
    _, exported, index, _ = parts
    versions = sorted(path.name for path in exported.parent.iterdir())
    with pytest.raises(ValueError, match="takes 1 to 100000 songs.*holds 0"):
        export_with_index(exported, SongIndex(index.model))
    monkeypatch.setattr(search_endpoint, "EXACT_SONGS", 10)
    with pytest.raises(ValueError, match="takes 1 to 10 songs.*predict --index"):
        export_with_index(exported, index)
    assert sorted(path.name for path in exported.parent.iterdir()) == versions
