import json

import numpy as np
import pytest

pytest.importorskip("tf2onnx")
onnx = pytest.importorskip("onnx")
onnxruntime = pytest.importorskip("onnxruntime")

from keras_jtav.cli import main  # noqa: E402
from keras_jtav.onnx_files import export  # noqa: E402
from keras_jtav.onnx_files.export import export_onnx  # noqa: E402
from keras_jtav.preparation import load_table  # noqa: E402
from keras_jtav.serving.predictor import Predictor  # noqa: E402

pytestmark = pytest.mark.slow  # each export is traced anew, for a minute

PARTS = ("image", "audio", "lyrics", "caption")
FILES = {
    "sentiment": {"classify.onnx"},
    "retrieval": {"encode_query.onnx", "encode_song.onnx", "score.onnx"},
}


@pytest.fixture(scope="module")
def exported(finished_run, tmp_path_factory):
    return export_onnx(finished_run[1].folder, tmp_path_factory.mktemp("onnx"))


def run(path, known):
    session = onnxruntime.InferenceSession(path)
    given = {value.name: known[value.name] for value in session.get_inputs()}
    names = [value.name for value in session.get_outputs()]
    return dict(zip(names, session.run(names, given), strict=True))


def test_real_posts_are_answered_as_by_the_saved_model(finished_run, exported):
    config, result = finished_run
    posts = load_table(config).posts[:20]  # some lack a part
    assert any(post.missing for post in posts)
    predictor = Predictor(result.exported)
    features, _ = predictor.call_on_posts("features", posts[:16], PARTS)
    expected, _ = predictor.call_on_posts("serving_default", posts[:16], PARTS)
    if config.task == "sentiment":
        found = run(exported / "classify.onnx", features)
        vectors, _ = predictor.call_on_posts("encode", posts[:16], PARTS)
        np.testing.assert_allclose(found["vector"], vectors["vector"], atol=1e-5)
    else:
        query = run(exported / "encode_query.onnx", features)
        song = run(exported / "encode_song.onnx", features)
        found = run(exported / "score.onnx", features | query | song)
    np.testing.assert_allclose(found["logit"], expected["logit"], atol=1e-5)


def test_one_row_and_many_segments_fit(finished_run, exported):
    """Sizes other than those that were traced or checked."""
    predictor = Predictor(finished_run[1].exported)
    posts = [p for p in load_table(finished_run[0]).posts if not p.missing][:1]
    features, _ = predictor.call_on_posts("features", posts, PARTS)
    segments = np.repeat(features["spectrogram"], 5, axis=1)
    mask = np.repeat(features["segment_mask"], 5, axis=1)
    longer = {**features, "spectrogram": segments, "segment_mask": mask}
    name = "classify" if finished_run[0].task == "sentiment" else "encode_song"
    once = run(exported / f"{name}.onnx", features)
    again = run(exported / f"{name}.onnx", longer)  # the mean of equal segments
    for output, array in once.items():
        np.testing.assert_allclose(again[output], array, atol=1e-5)


def test_the_description_names_files_inputs_and_weights(finished_run, exported):
    config, result = finished_run
    description = json.loads((exported / "onnx.json").read_text())
    assert exported.name == "1"
    assert exported.parent.name == f"{config.task}-onnx"
    assert set(description["files"]) == FILES[config.task]
    assert {p.name for p in exported.iterdir()} == FILES[config.task] | {"onnx.json"}
    assert description["settings"] == Predictor(result.exported).settings
    assert 0 <= description["largest_difference"] <= 1e-5
    first = description["files"][min(FILES[config.task])]
    image = {item["name"]: item for item in first["inputs"]}["image"]
    assert image["type"] == "tensor(uint8)"
    assert image["shape"][1:] == [32, 32, 3]


for_sentiment = pytest.mark.parametrize("finished_run", ["sentiment"], indirect=True)


@for_sentiment
def test_files_that_answer_otherwise_are_not_kept(
    finished_run, exported, tmp_path, monkeypatch
):
    def wrong(graph, path):
        model = onnx.load(exported / path.name)
        (last,) = (node for node in model.graph.node if "logit" in node.output)
        last.output[:] = ["right"]
        one = onnx.numpy_helper.from_array(np.ones(1, "float32"), "one")
        model.graph.initializer.append(one)
        add = onnx.helper.make_node("Add", ["right", "one"], ["logit"])
        model.graph.node.append(add)
        onnx.save(model, path)

    monkeypatch.setattr(export, "_convert", wrong)
    with pytest.raises(ValueError, match="`logit` otherwise than the SavedModel: they"):
        export_onnx(finished_run[1].folder, tmp_path)
    assert list((tmp_path / "sentiment-onnx").iterdir()) == []


@for_sentiment
def test_a_run_without_its_saved_model_is_refused(finished_run, tmp_path):
    with pytest.raises(FileNotFoundError, match="so no run is complete there"):
        export_onnx(tmp_path, tmp_path / "exports")
    results = json.loads((finished_run[1].folder / "metrics.json").read_text())
    for model, where in (("", "nowhere"), (str(tmp_path / "gone"), "gone")):
        text = json.dumps({**results, "model": model})
        (tmp_path / "metrics.json").write_text(text)
        with pytest.raises(FileNotFoundError, match=f"{where}. Export it first"):
            export_onnx(tmp_path, tmp_path / "exports")


@for_sentiment
def test_packages_that_are_not_installed_are_named(finished_run, tmp_path, monkeypatch):
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(ImportError, match=r"needs tf2onnx.*keras-jtav\[onnx\]"):
        export_onnx(finished_run[1].folder, tmp_path)


def test_the_command_says_where(monkeypatch, capsys, tmp_path):
    monkeypatch.setattr(
        "keras_jtav.onnx_files.export.export_onnx", lambda run, folder: folder / "7"
    )
    words = ["export", "run", "--format", "onnx", "--exports-dir", str(tmp_path)]
    assert main(words) == 0
    assert capsys.readouterr().out == f"{tmp_path / '7'}\n"
