"""A table of two small systems, interrupted and gone on with."""

import json

import keras
import pytest

from keras_jtav import console, measuring, tabulate
from keras_jtav.config import SAMPLE_RATE_HZ
from keras_jtav.data.folder_lock import locked
from keras_jtav.experiments import (
    EXPERIMENTS,
    PRESETS,
    Experiment,
    find_experiment,
    preset_config,
)
from keras_jtav.measuring import PACKAGES
from keras_jtav.model import check_config, resolved
from keras_jtav.row_weights import with_image_weights, with_released_convnet
from keras_jtav.table_lines import append_result, read_results
from keras_jtav.tabulate import report, run_table

ROWS = {
    "BiGRU": ("modalities=text", "text.gate=false"),
    "early": ("modalities=text,image", "fusion=early"),
}


@pytest.fixture(scope="module")
def config(tiny_settings):
    return preset_config("sentiment", "small").override(
        [*tiny_settings, "train.epochs=1", "dataset.songs=30"]
    )


@pytest.fixture(scope="module")
def folder(config, tmp_path_factory):
    runs_folder = tmp_path_factory.mktemp("tables")
    experiment = Experiment("sentiment", ROWS)
    return run_table("two", experiment, config, 2, True, runs_folder)


def measured(folder):
    return {(r["row"], r["run"]): r["metrics"] for r in read_results(folder)}


@pytest.mark.slow
def test_every_row_and_run_is_a_line(folder):
    results = read_results(folder)
    assert {(r["row"], r["run"]) for r in results} == {
        (row, run) for row in ("chance", "majority class", *ROWS) for run in range(2)
    }
    for result in results:
        assert set(result["metrics"]) == {"strict", "paper"}
        assert result["seed"] == result["run"]
        assert result["seconds"] > 0
        assert set(result["versions"]) == set(PACKAGES)
        assert result["backend"] == keras.backend.backend()
        assert result["devices"] == keras.distribution.list_devices()
        assert result["config"]["train"]["seed"] == result["seed"]
        if result["row"] in ROWS:
            assert result["parameters"] > result["fusion_parameters"]
            assert result["milliseconds"] > 0
            assert 0 <= result["validation"] <= 1
            assert result["modalities"] in ("text", "text+image")
        else:
            assert result["metrics"]["strict"]["auc"] == 0.5
    splits = {(r["run"], r["split"]) for r in results}
    assert len(splits) == 2, "all rows of a run share its split"
    assert len({split for _, split in splits}) == 2, "--resplit: one for each run"


@pytest.mark.slow
def test_tables_and_picture_are_drawn_from_the_lines_alone(folder, tmp_path):
    (tmp_path / "results.jsonl").write_bytes((folder / "results.jsonl").read_bytes())
    files = report(tmp_path)
    assert [path.name for path in files] == ["table.md", "table.csv", "table.png"]
    for path in files[:2]:
        assert path.read_text() == (folder / path.name).read_text()
    text = files[0].read_text()
    assert "| majority class | 2 | 0.500 +- 0.000 |" in text
    assert "| AUC (strict) | AUC (paper) | weighted F1 |" in text


@pytest.mark.slow
def test_a_killed_table_goes_on_and_ends_the_same(
    folder, config, tmp_path, monkeypatch
):
    experiment = Experiment("sentiment", ROWS)
    train_phases, calls = measuring.train_phases, []

    def killed_in_the_second(config, *arguments):
        calls.append(config)
        if len(calls) == 2:
            raise KeyboardInterrupt
        return train_phases(config, *arguments)

    monkeypatch.setattr(measuring, "train_phases", killed_in_the_second)
    with pytest.raises(KeyboardInterrupt):
        run_table("two", experiment, config, 1, True, tmp_path)
    results = tmp_path / "two-synthetic" / "results.jsonl"
    assert len(read_results(results.parent)) == 3
    with results.open("a") as file:
        file.write('{"row": "half writ')
    assert run_table("two", experiment, config, 1, True, tmp_path) == results.parent
    assert len(calls) == 1 + 2, "the finished row was trained again"
    first = {key: metrics for key, metrics in measured(folder).items() if key[1] == 0}
    assert measured(results.parent) == first
    assert not (results.parent / "work").exists()


def write_posts(path, number):
    lines = [f"p{n},so {('sad', 'glad')[n % 2]},{n % 2}" for n in range(number)]
    path.write_text("\n".join(["id,caption,label", *lines]) + "\n")


@pytest.fixture
def of_posts(tmp_path, monkeypatch):
    """Return a table of posts of a file, and what measures it without training."""
    path = tmp_path / "posts.csv"
    write_posts(path, 40)
    settings = ("dataset=manifest", f"dataset.path={path}", "modalities=text")
    config = preset_config("sentiment", "small").override(settings)

    def learn_nothing(config, models, prepared, pictures, work, callbacks):
        work.mkdir(parents=True)
        return []

    monkeypatch.setattr(measuring, "train_phases", learn_nothing)

    def measure(runs, resplit=False, settings=(), rows=("BiGRU",)):
        gated = (*ROWS["BiGRU"], "text.gate=true")
        experiment = Experiment("sentiment", {"attBiGRU": gated, **ROWS})
        own = config.override(settings)
        return run_table("posts", experiment, own, runs, resplit, tmp_path, 1, rows)

    return path, measure


def test_a_table_does_not_go_on_with_other_posts(of_posts, monkeypatch):
    path, measure = of_posts
    folder = measure(1, resplit=True)
    lines = read_results(folder)
    write_posts(path, 60)
    monkeypatch.setattr(measuring, "train_phases", lambda *_: pytest.fail("trained"))
    with pytest.raises(ValueError, match=f"{folder} was begun .* all 40 .* all 60 "):
        measure(2, resplit=True)
    assert measure(1, resplit=True) == folder  # there is nothing to train
    assert read_results(folder) == lines


def test_rows_are_measured_one_after_another(of_posts):
    _, measure = of_posts
    folder = measure(1)
    assert set(measured(folder)) == {
        (row, 0) for row in ("chance", "majority class", "BiGRU")
    }
    assert measure(2, rows=("attBiGRU", "BiGRU")) == folder
    assert len(measured(folder)) == 4 * 2
    table = (folder / "table.md").read_text().splitlines()
    rows = [line.split(" | ")[0] for line in table if line.endswith("|")][2:]
    assert rows == ["| chance", "| majority class", "| attBiGRU", "| BiGRU"]
    with pytest.raises(ValueError, match="attBiGRU, BiGRU, early; received 'GRU'"):
        measure(1, rows=("BiGRU", "GRU"))


def test_settings_may_come_in_any_order(of_posts):
    _, measure = of_posts
    settings = ["head.units=4", "head.dropout=0.1"]
    folder = measure(1, settings=settings)
    assert measure(1, settings=settings[::-1]) == folder
    with pytest.raises(ValueError, match=f"{folder} holds results of other settings"):
        measure(1, settings=settings[:1])


def test_rows_that_see_the_same_share_their_split(of_posts, monkeypatch):
    path, measure = of_posts
    folder = measure(1)
    (folder / "posts.json").unlink()  # a table of an earlier version
    write_posts(path, 60)
    monkeypatch.setattr(measuring, "train_phases", lambda *_: pytest.fail("trained"))
    message = f"Row 'BiGRU', run 2: {folder} has a line of 'chance', run 1, from the s"
    with pytest.raises(ValueError, match=message):
        measure(2)


def test_posts_that_change_while_rows_are_measured_end_the_table(of_posts, monkeypatch):
    _, measure = of_posts
    learn_nothing = measuring.train_phases

    def as_another_row_ends(config, models, prepared, pictures, work, callbacks):
        settings = json.loads(resolved(config).to_json())
        line = {"row": "early", "run": 0, "split": "another", "config": settings}
        append_result(work.parent.parent, line)
        return learn_nothing(config, models, prepared, pictures, work, callbacks)

    monkeypatch.setattr(measuring, "train_phases", as_another_row_ends)
    with pytest.raises(ValueError, match="a line of 'early', run 1, from the split an"):
        measure(1)


def test_posts_that_a_row_cannot_use_stop_a_table_before_it_trains(
    tiny_settings, tmp_path, monkeypatch
):
    monkeypatch.setattr(measuring, "train_phases", lambda *_: pytest.fail("trained"))
    config = preset_config("retrieval", "small").override(
        [*tiny_settings, "dataset.missing=0.4", "data.max_rejected=0.15"]
    )
    rows = find_experiment("figure5", "retrieval", "small").rows
    experiment = Experiment("retrieval", {n: rows[n] for n in ("JTAV", "I+S")})
    with pytest.raises(ValueError, match=r"Row 'I\+S', run 1: .*'song.*has no audio"):
        run_table("figure5", experiment, config, 1, False, tmp_path)
    assert not list(tmp_path.iterdir())


def test_a_table_that_is_being_measured_is_left_alone(config, tmp_path, monkeypatch):
    monkeypatch.setattr(tabulate, "usable_splits", lambda _: pytest.fail("read"))
    folder = tmp_path / "two-synthetic"
    experiment = Experiment("sentiment", ROWS)
    with locked(folder):
        with pytest.raises(BlockingIOError, match=f"{folder} is in use: another"):
            run_table("two", experiment, config, 1, False, tmp_path)
        assert [path.name for path in folder.iterdir()] == [".lock"]


def test_a_table_is_in_use_while_its_rows_are_measured(config, tmp_path, monkeypatch):
    def second_command(*_):
        with locked(tmp_path / "two-synthetic"):
            pytest.fail("two commands in one folder")

    monkeypatch.setattr(measuring, "train_phases", second_command)
    experiment = Experiment("sentiment", ROWS)
    with pytest.raises(BlockingIOError, match="two-synthetic is in use"):
        run_table("two", experiment, config, 1, False, tmp_path)


def test_an_error_of_a_row_names_it(config, tmp_path, monkeypatch):
    def diverged(*_):
        raise ValueError("A system's vectors hold NaN")

    monkeypatch.setattr(measuring, "train_phases", diverged)
    with pytest.raises(ValueError, match="Row 'BiGRU', run 1: A system's vectors"):
        run_table("two", Experiment("sentiment", ROWS), config, 1, False, tmp_path)


def test_time_left_is_that_of_the_rows_that_are_left(monkeypatch):
    monkeypatch.setattr(console.time, "monotonic", iter(range(0, 9999, 30)).__next__)
    shown = []
    monkeypatch.setattr(
        console.tqdm, "set_postfix_str", lambda bar, text: shown.append(text)
    )
    jobs = [("A", 1), ("B", 1)]
    assert list(console.table_progress(jobs, "two", 2, [("A", 100.0)])) == jobs
    assert shown == [
        "03:20 left; A, run 2 of 2",  # 100 for A; B unknown, so 100 more
        "01:05 left; B, run 2 of 2",  # A took 30 now, 65 in the mean
    ]


@pytest.mark.slow
def test_lines_that_a_killed_table_left_are_not_measured_again(
    folder, config, tmp_path, monkeypatch
):
    monkeypatch.setattr(measuring, "train_phases", lambda *_: pytest.fail("trained"))
    work = tmp_path / "two-synthetic" / "work"
    work.mkdir(parents=True)
    left = [line for line in read_results(folder) if line["run"] == 0]
    for row in ROWS:
        lines = [line for line in left if line["row"] in ("chance", row)]
        (work / f"{row}-0.json").write_text(json.dumps(lines))
    experiment = Experiment("sentiment", ROWS)
    again = run_table("two", experiment, config, 1, True, tmp_path)
    expected = [line for line in left if line["row"] != "majority class"]
    assert read_results(again) == expected


@pytest.mark.slow
def test_two_processes_measure_what_one_does(folder, config, tmp_path):
    experiment = Experiment("sentiment", ROWS)
    own = run_table("two", experiment, config, 1, True, tmp_path, workers=2)
    lines = read_results(own)
    expected = [line for line in read_results(folder) if line["run"] == 0]
    for line, alone in zip(lines, expected, strict=True):
        for key in ("row", "run", "seed", "split", "config"):
            assert line[key] == alone[key]
        for protocol, metrics in alone["metrics"].items():
            assert line["metrics"][protocol] == pytest.approx(metrics, abs=1e-3)
    assert not (own / "work").exists()


@pytest.mark.slow
def test_a_row_that_fails_in_its_process_ends_the_table(config, tmp_path):
    broken = {"BiGRU": ROWS["BiGRU"], "broken": ("features.fasttext=none.bin",)}
    experiment = Experiment("sentiment", broken)
    with pytest.raises(FileNotFoundError, match=r"No fastText file at none\.bin"):
        run_table("two", experiment, config, 1, True, tmp_path, workers=2)
    rows = [line["row"] for line in read_results(tmp_path / "two-synthetic")]
    assert rows == ["chance", "majority class", "BiGRU"]


@pytest.mark.slow
def test_results_of_other_settings_are_not_mixed(folder, config):
    other = config.override(["text.units=7"])
    with pytest.raises(ValueError, match="holds results of other settings"):
        run_table("two", Experiment("sentiment", ROWS), other, 1, True, folder.parent)
    settings = json.loads((folder / "settings.json").read_text())
    assert settings["config"]["text"]["kwargs"]["units"] == 6


@pytest.mark.slow
def test_systems_of_retrieval_share_their_test_queries(tiny_settings, tmp_path):
    config = preset_config("retrieval", "small").override(
        [*tiny_settings, "train.epochs=1"]
    )
    rows = find_experiment("figure5", "retrieval", "small").rows
    experiment = Experiment("retrieval", {n: rows[n] for n in ("I+L", "I+C+S")})
    folder = run_table("figure5", experiment, config, 1, False, tmp_path)
    results = {result["row"]: result for result in read_results(folder)}
    assert list(results) == ["chance", "CCA I+L", "I+L", "CCA I+C+S", "I+C+S"]
    assert len({result["split"] for result in results.values()}) == 1
    for row, result in results.items():
        assert {"median_rank", "mrr", "R@10"} <= set(result["metrics"]["strict"])
        assert {"Med r", "R@10"} <= set(result["metrics"]["paper"])
        assert ("placements" in result) is (row != "chance")
    stored = results["I+L"]["placements"]
    assert len(stored["groups"]) > len(set(stored["groups"])), "two queries a song"
    lines = (folder / "table.md").read_text().splitlines()
    (line,) = (line for line in lines if line.startswith("| I+C+S | 1 |"))
    assert "[" in line, "the interval"


@pytest.mark.parametrize(
    ("task", "runs", "message"),
    [("retrieval", 1, "about sentiment"), ("sentiment", 0, "`--runs` must be")],
)
def test_errors(task, runs, message, tmp_path):
    experiment = Experiment("sentiment", ROWS)
    with pytest.raises(ValueError, match=message):
        run_table("two", experiment, preset_config(task), runs, False, tmp_path)


def test_a_folder_without_results(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"no results\.jsonl"):
        report(tmp_path)


TABLES = [(name, task) for name, tasks in EXPERIMENTS.items() for task in tasks]


@pytest.mark.parametrize("preset", PRESETS)
@pytest.mark.parametrize(("name", "task"), TABLES)
def test_every_row_is_a_valid_config(name, task, preset):
    experiment = find_experiment(name, task, preset)
    assert experiment.task == task
    base = preset_config(task, preset)
    configs = [base.override(settings) for settings in experiment.rows.values()]
    for config in configs:
        check_config(config)
    assert len({config.to_json() for config in configs}) == len(configs)


def test_a_table_refuses_a_task_that_it_is_not_about():
    with pytest.raises(ValueError, match="table1 is about sentiment, not retrieval"):
        find_experiment("table1", "retrieval", "small")
    with pytest.raises(ValueError, match=r"one of table1, .*; received 'table9'"):
        find_experiment("table9", "sentiment", "small")


def test_the_released_convnet_hears_what_it_heard():
    experiment = find_experiment("table1", "sentiment", "small")
    given = with_released_convnet(experiment, "model_best.hdf5").rows
    config = preset_config("sentiment", "small").override(given["convnet"])
    assert config.audio.kwargs["weights"] == "model_best.hdf5"
    options = config.features
    # 12,000 Hz, windows of 512, steps of 256, up to 6,000 Hz
    assert options.mel_window_samples / SAMPLE_RATE_HZ == pytest.approx(
        512 / 12_000, rel=0.002
    )
    assert options.hop_samples / SAMPLE_RATE_HZ == pytest.approx(
        256 / 12_000, rel=0.002
    )
    assert (options.spectrogram, options.mel_fmax_hz) == ("mel", 6000)
    others = {row for row in given if given[row] != experiment.rows[row]}
    assert others == {"convnet"}
    fusions = find_experiment("fusions", "sentiment", "small")
    with pytest.raises(ValueError, match="belongs to --experiment table1"):
        with_released_convnet(fusions, "model_best.hdf5")


def test_table_1_has_the_rows_of_the_paper_and_one_of_ours():
    rows = find_experiment("table1", "sentiment", "paper").rows
    assert len(rows) == 19 + 1
    *_, last, ours = rows
    assert (last, ours) == ("CMF-AP all", "CMF-AP + residual all")
    base = preset_config("sentiment", "small")
    small = find_experiment("table1", "sentiment", "small").rows
    paper = base.override(small["CMF-AP all"]).fusion.kwargs
    assert paper == {"attention_units": 32, "units": 64, "normalize": "rms"}
    assert base.override(small[ours]).fusion == base.fusion


def test_rows_of_several_networks_of_pictures_take_no_file():
    experiment = find_experiment("table1", "sentiment", "paper")
    scratch = with_image_weights(experiment, "none").rows
    base = preset_config("sentiment", "paper")
    for name in ("F-VGG", "F-ResNet", "F-DenseNet"):
        assert base.override(scratch[name]).image.kwargs == {"weights": "none"}
    assert scratch["CMF-AP all"] == experiment.rows["CMF-AP all"]
    with pytest.raises(ValueError, match=r"densenet121, resnet101, vgg19, and a\.h5"):
        with_image_weights(experiment, "a.h5")
    small = find_experiment("table1", "sentiment", "small")
    assert with_image_weights(small, "a.h5") == small


def test_weights_that_cannot_be_read_stop_a_table_before_it_trains(
    config, tmp_path, monkeypatch
):
    monkeypatch.setattr(measuring, "train_phases", lambda *_: pytest.fail("trained"))
    rows = {**ROWS, "pretrained": ("modalities=image", "image.weights=gone.h5")}
    with pytest.raises(OSError, match=r"Row 'pretrained', run 1: .*gone\.h5"):
        run_table("two", Experiment("sentiment", rows), config, 1, False, tmp_path)
    assert not list(tmp_path.iterdir())


def fusion_of(name, task):
    rows = find_experiment("fusions", task, "small").rows
    return preset_config(task, "small").override(rows[name])


def test_rows_of_fusions_are_what_they_are_called():
    paper = fusion_of("CMF-AP", "sentiment").fusion
    sizes = {"attention_units": 32, "units": 64}
    assert paper.kwargs == {**sizes, "normalize": "rms"}
    ours = fusion_of("CMF-AP + residual", "sentiment").fusion
    assert ours.kwargs == {**sizes, "residual": True}
    assert not fusion_of("early", "sentiment").fusion.kwargs
    assert fusion_of("gated", "retrieval").tower_units == 0
    with_towers = fusion_of("gated + bilinear", "retrieval")
    assert with_towers.tower_units == 128
    assert with_towers.fusion == fusion_of("gated", "sentiment").fusion


def test_rows_of_a_table_are_not_trained_in_several_processes(tmp_path, monkeypatch):
    monkeypatch.setattr(keras.backend, "backend", lambda: "jax")
    config = preset_config("sentiment", "small").override(
        ["train.strategy=data_parallel"]
    )
    with pytest.raises(ValueError, match="trains each of its rows in one process"):
        run_table("two", Experiment("sentiment", ROWS), config, 1, False, tmp_path)
