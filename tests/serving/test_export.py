import json
import os
import pickle
import shutil
import subprocess
import sys

import keras
import numpy as np
import pytest
import tensorflow as tf
from tensorflow.core.protobuf import saved_model_pb2

from keras_jtav.later_export import export_run
from keras_jtav.model import resolved
from keras_jtav.options import DataOptions
from keras_jtav.preparation import load_table
from keras_jtav.serving.export import export_model, fingerprint
from keras_jtav.serving.predictor import Predictor

FOREIGN_PROCESS = """
import sys
for name in ("keras", "keras_jtav"):
    sys.modules[name] = None  # import raises ImportError
import json, pickle, tensorflow as tf
model = tf.saved_model.load(sys.argv[1])
inputs = pickle.load(open(sys.argv[2], "rb"))
tensors = {name: tf.constant(values) for name, values in inputs.items()}
answer = model.signatures["serving_default"](**tensors)
print("LOGITS", json.dumps(answer["logit"].numpy().tolist()))
"""


@pytest.fixture(scope="module")
def exported(finished_run, predictor):
    config, result = finished_run
    posts = load_table(config).posts
    return config, predictor, result.exported, posts


def raw_inputs(posts):
    """Return the bytes of the files as they are, and the texts."""

    def read(path):
        return b"" if path is None else path.read_bytes()

    return {
        "image": [read(post.image) for post in posts],
        "audio": [read(post.audio) for post in posts],
        "lyrics": [post.texts.get("lyrics", "").encode() for post in posts],
        "caption": [post.texts.get("caption", "").encode() for post in posts],
    }


def call(model, endpoint, inputs):
    tensors = {name: tf.constant(values) for name, values in inputs.items()}
    return {n: t.numpy() for n, t in model.signatures[endpoint](**tensors).items()}


def test_raw_files_in_the_graph_equal_the_python_decoders(exported):
    _, predictor, _, posts = exported
    posts = posts[:24]
    parts = ("image", "audio", "lyrics", "caption")
    python, faults = predictor.call_on_posts("serving_default", posts, parts)
    assert not faults
    graph = call(predictor.saved_model, "serving_default", raw_inputs(posts))
    np.testing.assert_allclose(graph["logit"], python["logit"], atol=1e-4)
    assert graph["image_ok"].all()
    assert graph["audio_ok"].all()


def test_a_post_alone_answers_as_in_a_batch(exported):
    _, predictor, _, posts = exported
    model = predictor.saved_model
    batch = call(model, "serving_default", raw_inputs(posts[:6]))
    for row in range(6):
        alone = call(model, "serving_default", raw_inputs(posts[row : row + 1]))
        np.testing.assert_allclose(alone["logit"][0], batch["logit"][row], atol=1e-5)


def test_an_undecodable_item_counts_as_missing_and_spares_the_others(exported):
    _, predictor, _, posts = exported
    model = predictor.saved_model
    inputs = raw_inputs(posts[:4])
    good = call(model, "serving_default", inputs)
    inputs["image"][1] = inputs["image"][1][:100] or b"no picture"
    inputs["audio"][2] = b"RIFF but no sound"
    bad = call(model, "serving_default", inputs)
    assert bad["image_ok"].tolist() == [True, False, True, True]
    assert bad["audio_ok"].tolist() == [True, True, False, True]
    inputs["image"][1] = inputs["audio"][2] = b""
    missing = call(model, "serving_default", inputs)
    assert missing["image_ok"].all()
    np.testing.assert_allclose(bad["logit"], missing["logit"], atol=1e-6)
    np.testing.assert_allclose(bad["logit"][[0, 3]], good["logit"][[0, 3]], atol=1e-5)


def test_a_post_without_anything_still_gets_an_answer(exported):
    _, predictor, _, _ = exported
    nothing = {name: [b""] for name in ("image", "audio", "lyrics", "caption")}
    answer = call(predictor.saved_model, "serving_default", nothing)
    assert np.isfinite(answer["logit"]).all()


def test_the_endpoints_are_those_of_the_task(exported):
    config, predictor, _, _ = exported
    names = set(predictor.saved_model.signatures)
    own = {
        "sentiment": {"encode"},
        "retrieval": {"encode_query", "encode_song", "score"},
    }[config.task]
    assert names == {"serving_default", "features", "settings"} | own


def test_settings_travel_inside(exported):
    config, predictor, folder, _ = exported
    settings = predictor.settings
    assert settings["task"] == config.task
    assert settings["class_names"] == ["negative", "positive"]
    assert settings["config"] == json.loads(resolved(config).to_json())
    assert settings["preprocessing"]["sample_rate_hz"] == 22050
    assert len(settings["fingerprint"]) == 16
    assert set(settings["versions"]) == {"keras-jtav", "tensorflow", "keras"}
    extra = json.loads((folder / "assets.extra" / "settings.json").read_text())
    assert extra == settings


def test_the_fingerprint_is_that_of_the_weights():
    model = keras.Sequential([keras.Input((2,)), keras.layers.Dense(3)])
    other = keras.Sequential([keras.Input((2,)), keras.layers.Dense(3)])
    first = fingerprint({"train": model})
    assert fingerprint({"encode": model, "train": model}) == first
    assert fingerprint({"train": other}) != first
    other.set_weights(model.get_weights())
    assert fingerprint({"train": other}) == first


def logits_elsewhere(folder, posts, path):
    """Return what another process answers that has TensorFlow and a CPU alone."""
    path.write_bytes(pickle.dumps(raw_inputs(posts)))
    output = subprocess.run(
        [sys.executable, "-c", FOREIGN_PROCESS, str(folder), str(path)],
        capture_output=True,
        text=True,
        check=True,
        env=os.environ | {"CUDA_VISIBLE_DEVICES": "-1"},
    ).stdout
    return json.loads(output.rsplit("LOGITS", 1)[1])


@pytest.mark.slow
def test_it_loads_where_neither_keras_nor_this_package_can(exported, tmp_path):
    _, predictor, folder, posts = exported
    logits = logits_elsewhere(folder, posts[:3], tmp_path / "inputs.pickle")
    parts = ("image", "audio", "lyrics", "caption")
    expected, _ = predictor.call_on_posts("serving_default", posts[:3], parts)
    np.testing.assert_allclose(logits, expected["logit"], atol=1e-4)


@pytest.mark.slow
def test_it_loads_on_a_cpu_after_an_export_beside_a_gpu(
    finished_run, exported, tmp_path, monkeypatch
):
    _, predictor, _, posts = exported
    run = tmp_path / "run"
    shutil.copytree(finished_run[1].folder, run)
    show_a_gpu(monkeypatch)
    folder = export_run(run, tmp_path / "exports")
    nodes = place_on_the_gpu(folder / "saved_model.pb")
    assert not [node.op for node in nodes if "cudnn" in node.op.lower()]
    logits = logits_elsewhere(folder, posts[:3], tmp_path / "inputs.pickle")
    parts = ("image", "audio", "lyrics", "caption")
    expected, _ = predictor.call_on_posts("serving_default", posts[:3], parts)
    np.testing.assert_allclose(logits, expected["logit"], atol=1e-4)


def show_a_gpu(monkeypatch):
    """Let Keras find a GPU, so that it writes what it writes beside one."""
    real = tf.config.list_logical_devices

    def devices(device_type=None):
        if device_type == "GPU":
            return [tf.config.LogicalDevice("/device:GPU:0", "GPU")]
        return real(device_type)

    monkeypatch.setattr(tf.config, "list_logical_devices", devices)


def place_on_the_gpu(path):
    """Place all of a SavedModel's operations on a GPU; return them."""
    saved = saved_model_pb2.SavedModel.FromString(path.read_bytes())
    nodes = []
    for meta_graph in saved.meta_graphs:
        graph = meta_graph.graph_def
        nodes += graph.node
        for function in graph.library.function:
            nodes += function.node_def
    for node in nodes:
        node.device = "/job:localhost/replica:0/task:0/device:GPU:0"
    path.write_bytes(saved.SerializeToString())
    return nodes


def test_scores_of_encodings_are_those_of_pairs(exported):
    config, predictor, _, posts = exported
    if config.task == "sentiment":
        vectors, _ = predictor.call_on_posts(
            "encode", posts[:3], ("image", "audio", "lyrics", "caption")
        )
        assert vectors["vector"].shape == (3, 10)
        return
    queries, _ = predictor.call_on_posts(
        "encode_query", posts[:5], ("image", "caption")
    )
    songs, _ = predictor.call_on_posts("encode_song", posts[:5], ("audio", "lyrics"))
    encodings = {n: a for n, a in (queries | songs).items() if not n.endswith("_ok")}
    scores = predictor.call("score", **encodings)["logit"]
    parts = ("image", "audio", "lyrics", "caption")
    pairs, _ = predictor.call_on_posts("serving_default", posts[:5], parts)
    np.testing.assert_allclose(np.diag(scores), pairs["logit"], atol=1e-5)


def test_a_folder_without_a_model_is_refused(tmp_path):
    with pytest.raises(FileNotFoundError, match="holds no SavedModel"):
        Predictor(tmp_path)


def test_versions_count_up_and_a_failed_export_leaves_nothing(tmp_path, monkeypatch):
    class Broken:
        def __init__(self, *arguments):
            pass

        def signatures(self):
            raise RuntimeError("disk on fire")

    monkeypatch.setitem(export_model.__globals__["ENDPOINTS"], "sentiment", Broken)
    (tmp_path / "1").mkdir()
    with pytest.raises(RuntimeError, match="disk on fire"):
        export_model("sentiment", {}, None, DataOptions(), {}, tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["1"]
