import dataclasses
import json
import shutil

import numpy as np
import pytest

from keras_jtav import later_export
from keras_jtav.later_export import export_run
from keras_jtav.preparation import load_table
from keras_jtav.serving.predictor import Predictor


def test_a_later_export_answers_as_the_one_of_the_run(finished_run_at_length, tmp_path):
    config, result = finished_run_at_length
    folder = tmp_path / "run"
    shutil.copytree(result.folder, folder)
    exported = export_run(folder, tmp_path / "exports")
    assert exported == tmp_path / "exports" / config.task / "1"
    assert json.loads((folder / "metrics.json").read_text())["model"] == str(exported)
    assert f"SavedModel: {exported}" in (folder / "report.html").read_text()
    posts = load_table(config).posts[:8]
    parts = ("image", "audio", "lyrics", "caption")
    later, own = (
        Predictor(model).call_on_posts("serving_default", posts, parts)[0]["logit"]
        for model in (exported, result.exported)
    )
    np.testing.assert_allclose(later, own, atol=1e-5)
    assert Predictor(exported).settings == Predictor(result.exported).settings


def test_a_run_that_is_not_complete_is_not_exported(tmp_path):
    with pytest.raises(FileNotFoundError, match="so no run is complete there"):
        export_run(tmp_path, tmp_path / "exports")


def test_other_backends_do_not_export(tmp_path, monkeypatch):
    monkeypatch.setattr(later_export, "can_export", lambda: False)
    with pytest.raises(ValueError, match="Set KERAS_BACKEND=tensorflow"):
        export_run(tmp_path, tmp_path / "exports")


def test_a_run_on_features_is_not_exported(finished_run, tmp_path, monkeypatch):
    def prepare_features(config, progress):
        prepared = later_export_prepare(config, progress)
        return dataclasses.replace(prepared, ready=object())

    later_export_prepare = later_export.prepare
    monkeypatch.setattr(later_export, "prepare", prepare_features)
    with pytest.raises(ValueError, match="There is nothing to export"):
        export_run(finished_run[1].folder, tmp_path / "exports")
