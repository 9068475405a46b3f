import json
import re
import shutil

import pytest
from PIL import Image

import keras_jtav.running as run_module
from keras_jtav import transfer
from keras_jtav.config import Config
from keras_jtav.data.folder_lock import locked
from keras_jtav.experiments import preset_config
from keras_jtav.model import resolved
from keras_jtav.preparation import prepare
from keras_jtav.running import last_run, model_name, new_run, run


def test_a_run_leaves_what_it_promises(finished_run):
    config, result = finished_run
    saved = Config.load(result.folder / "config.json")
    assert saved == resolved(config)
    assert saved.fusion.kwargs["heads"] == 1  # a default that nobody set
    assert (result.folder / "rejected.csv").exists()
    assert list((result.folder / "tensorboard").rglob("events*"))
    assert (result.exported / "saved_model.pb").exists()
    pictures = list(result.folder.glob("*.png"))
    assert len(pictures) >= 2
    for picture in pictures:
        with Image.open(picture) as image:
            assert min(image.size) > 200


def test_the_metrics_stand_beside_chance_and_baselines(finished_run):
    config, result = finished_run
    saved = json.loads((result.folder / "metrics.json").read_text())
    assert saved["metrics"] == result.metrics
    assert set(result.metrics) == {"strict", "paper"}
    strict = result.metrics["strict"]
    rows = {
        "sentiment": {"chance", "majority class", "logistic text+audio+image"},
        "retrieval": {"chance", "CCA", "shared letters"},
    }
    assert rows[config.task] | {model_name(config)} <= set(strict)
    if config.task == "sentiment":
        assert strict["chance"]["auc"] == strict["majority class"]["auc"] == 0.5
    else:
        songs = 2 * strict["chance"]["mean_rank"] - 1
        assert strict["chance"]["R@5"] == pytest.approx(5 / songs)


def test_the_history_has_every_epoch(finished_run):
    config, result = finished_run
    history = json.loads((result.folder / "metrics.json").read_text())["history"]
    assert len(history) == config.train.epochs
    assert all(epoch["loss"] > 0 for epoch in history)


def test_the_same_config_gives_the_same_metrics(finished_run_at_length, tmp_path):
    config, result = finished_run_at_length
    again = run(config, tmp_path / "runs", tmp_path / "exported")
    assert again.metrics == result.metrics


@pytest.mark.slow
def test_a_run_killed_after_its_export_takes_that_export(finished_run, tmp_path):
    config, result = finished_run
    runs, exports = tmp_path / "runs", tmp_path / "exported"
    killed = shutil.copytree(result.folder, runs / result.folder.name)
    model = shutil.copytree(result.exported, exports / config.task / "1")
    (killed / "metrics.json").unlink()
    resumed = run(config, runs, exports, resume=True)
    assert resumed.exported == model
    assert resumed.metrics == result.metrics
    assert [path.name for path in model.parent.iterdir()] == ["1"]


def test_runs_that_start_at_once_get_folders_of_their_own(tmp_path, monkeypatch):
    config = Config()
    first = new_run(config, tmp_path)
    views = [[], [first]]  # at the first look the other run's folder is not there yet
    monkeypatch.setattr(run_module, "_earlier_runs", lambda *_: views.pop(0))
    assert new_run(config, tmp_path).name == "sentiment-synthetic-002"


def test_folders_are_numbered_and_resume_finds_the_last_of_its_config(tmp_path):
    config = Config()
    first = new_run(config, tmp_path)
    other = new_run(config.override(["train.seed=1"]), tmp_path)
    assert [first.name, other.name] == [
        "sentiment-synthetic-001",
        "sentiment-synthetic-002",
    ]
    assert last_run(config, tmp_path) == first
    with pytest.raises(FileNotFoundError, match="no run of this config to resume"):
        last_run(config.override(["train.seed=2"]), tmp_path)


@pytest.mark.parametrize("resume", [False, True])
def test_a_run_that_goes_on_already_is_left_alone(tmp_path, monkeypatch, resume):
    monkeypatch.setattr(run_module, "prepare", lambda *_: pytest.fail("read"))
    config = resolved(Config().override(["image=small_cnn"]))
    folder = new_run(config, tmp_path)
    monkeypatch.setattr(run_module, "new_run", lambda *_: folder)
    with locked(folder):
        with pytest.raises(BlockingIOError, match=f"{folder} is in use: another"):
            run(config, tmp_path, tmp_path / "exported", resume)
        assert (folder / "config.json").exists()


def test_posts_that_lose_all_they_have_are_named(tmp_path):
    lines = [f"p{n},la la,so {('sad', 'glad')[n % 2]},{n % 2}" for n in range(40)]
    lines[7] = "p7,la la,,1"
    table = tmp_path / "posts.csv"
    table.write_text("\n".join(["id,lyrics,caption,label", *lines]) + "\n")
    config = preset_config("sentiment", "small").override(
        ["dataset=manifest", f"dataset.path={table}", "data.texts=caption"]
    )
    prepared = prepare(config, lambda items, total, title: items)
    kept = [post for split in prepared.posts.values() for post in split]
    assert {tuple(post.texts) for post in kept} == {("caption",)}
    assert [r.row for r in prepared.rejections] == ["post p7"]
    assert "data.texts=caption" in prepared.rejections[0].reason


def test_a_run_does_not_go_on_with_other_posts(tmp_path, monkeypatch):
    class Killed(Exception):
        pass

    def killed(*arguments, **options):
        raise Killed

    def write(number):
        lines = [f"p{n},so {('sad', 'glad')[n % 2]},{n % 2}" for n in range(number)]
        table.write_text("\n".join(["id,caption,label", *lines]) + "\n")

    table, folders = tmp_path / "posts.csv", (tmp_path / "runs", tmp_path / "exports")
    settings = ["dataset=manifest", f"dataset.path={table}", "modalities=text"]
    config = preset_config("sentiment", "small").override(settings)
    monkeypatch.setattr(transfer, "train", killed)
    write(40)
    for resume in (False, True, True):
        with pytest.raises(Killed):
            run(config, *folders, resume)
        write(40)  # the file is another one, and its posts are the same
    (folder,) = folders[0].iterdir()
    write(60)
    with pytest.raises(ValueError, match=f"{folder} was begun with other posts"):
        run(config, *folders, resume=True)


def test_too_many_bad_rows_stop_a_run_and_are_named(tmp_path):
    lines = ["id,caption,label", *[f"p{n},la la,{n % 2}" for n in range(30)]]
    lines += ["q1,,1", "q2,la,maybe-not"]
    table = tmp_path / "posts.csv"
    table.write_text("\n".join(lines).replace("maybe-not", "1") + "\nq2,la,1\n")
    config = Config().override(["dataset=manifest", "modalities=text"])
    config = config.override([f"dataset.path={table}", "data.max_rejected=0.01"])
    message = re.compile(r"2 of 33 rows .* --max-rejected 0.01")
    with pytest.raises(ValueError, match=message):
        run(config, tmp_path / "runs", tmp_path / "exported")
    assert not list((tmp_path / "runs").iterdir()), "a folder with nothing to resume"


@pytest.mark.parametrize(
    ("task", "preset", "name"),
    [
        ("sentiment", "paper", "JTAV"),
        ("retrieval", "paper", "JTAV"),
        ("sentiment", "small", "JTAV + residual + statistics"),
        ("retrieval", "small", "JTAV + residual + statistics + towers"),
    ],
)
def test_a_name_says_what_is_not_the_papers(task, preset, name):
    assert model_name(preset_config(task, preset)) == name


@pytest.mark.parametrize(
    ("fusion", "name"),
    [
        (["fusion=tensor_fusion"], "tensor fusion text+image"),
        (["fusion=low_rank"], "low-rank text+image"),
        (["fusion=early", "fusion.hidden=[8]"], "early text+image + hidden layer"),
    ],
)
def test_a_name_says_which_fusion_it_is(fusion, name):
    assert model_name(Config().override(["modalities=text,image", *fusion])) == name
