"""The whole job on one page: posts in; a trained, judged and exported model out."""

from __future__ import annotations

import json
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from matplotlib.figure import Figure

from keras_jtav import console
from keras_jtav.config import MODALITIES, Config
from keras_jtav.data.folder_lock import locked
from keras_jtav.data.manifest import write_rejections
from keras_jtav.data.summary import summarize
from keras_jtav.data.whole_file import write_text
from keras_jtav.devices import Processes, check_devices, join_processes
from keras_jtav.evaluation.figures import svg_text
from keras_jtav.judging import JUDGES
from keras_jtav.model import build_model, check_config, resolved
from keras_jtav.pages import write_run_page
from keras_jtav.pages.run_page import FACTS_FILE
from keras_jtav.preparation import Prepared, prepare
from keras_jtav.process_memory import keep_freed_memory, seldom_collected
from keras_jtav.reporting import (
    REPORTS,
    RetrievalReport,
    SentimentReport,
    simple_features,
)
from keras_jtav.serving.export import can_export, check_exportable, export_model
from keras_jtav.train_along import train_along
from keras_jtav.training import seed_everything
from keras_jtav.transfer import pretrained_pictures, train_phases
from keras_jtav.versions import versions_of

RUNS_FOLDER = Path("runs")
EXPORTS_FOLDER = Path("exported_models")
PACKAGES = ("keras-jtav", "tensorflow", "keras")
FUSION_NAMES = {
    "cmf_ap": "JTAV",
    "tensor_fusion": "tensor fusion",
    "low_rank": "low-rank",
}


@dataclass(frozen=True)
class RunResult:
    """What a run left behind.

    Args:
        folder: Config, metrics, pictures, checkpoints and logs.
        exported: The SavedModel's folder; ``None`` where the data set has features
            and no media, so that no model that eats raw media can be exported.
        metrics: ``{protocol: {row: {metric: value}}}`` on the test split.
    """

    folder: Path
    exported: Path | None
    metrics: Mapping[str, Mapping[str, Mapping[str, float]]]


@seldom_collected()
def run(
    config: Config,
    runs_folder: Path = RUNS_FOLDER,
    exports_folder: Path = EXPORTS_FOLDER,
    resume: bool = False,
) -> RunResult | None:
    """Do the whole job that a config asks for, and say what happens.

    Args:
        config: What to do.
        runs_folder: Where the run's folder is made.
        exports_folder: Where SavedModels are kept by task.
        resume: Whether to go on with the last run of the same config.

    Returns:
        What the run left behind; ``None`` in all but the first of several processes
        that train together, which leave nothing.

    Raises:
        ValueError: A config, a table or a split that cannot be used.
        OSError: A file that cannot be read or written, or a run that goes on already.
    """
    check_config(config)
    config = resolved(config)
    check_exportable(config)
    check_devices(config.train)
    processes = join_processes(config.train)
    if not processes.is_first:
        train_along(config, processes)
        return None
    folder = last_run(config, runs_folder) if resume else None
    is_complete = folder is not None and (folder / "metrics.json").exists()
    processes.agree({"is_complete": is_complete})
    if is_complete:
        processes.leave()
        console.say(f"{folder} is complete; its results are in metrics.json")
        return read_result(folder)
    keep_freed_memory()
    seed_everything(config.train.seed, config.train.jit)
    is_new, folder = folder is None, folder or new_run(config, runs_folder)
    with locked(folder):
        return _run_in(folder, is_new, config, exports_folder, processes)


def _run_in(
    folder: Path,
    is_new: bool,
    config: Config,
    exports_folder: Path,
    processes: Processes,
) -> RunResult:
    """Do the job of ``run`` in its folder."""
    console.say(f"keras_jtav {config.task} on {config.dataset.name}, run in {folder}")
    try:
        prepared = prepare(config, console.progress)
    except (ValueError, OSError, ImportError):
        if is_new:  # nothing to resume
            shutil.rmtree(folder)
        raise
    write_rejections(prepared.rejections, folder / "rejected.csv")
    console.show_data(
        prepared.posts, prepared.rejections, prepared.class_names, config.task
    )
    if "text" in config.modalities:
        console.show_words(config.features, prepared.vocabulary, prepared.ready)

    models = build_model(config, prepared.spec, prepared.vocabulary.matrix)
    pictures = pretrained_pictures(models, prepared, console.progress)
    judge = JUDGES[config.task](models, prepared)
    history = train_phases(
        config,
        models,
        prepared,
        pictures,
        folder,
        lambda phase, epochs: [console.TrainingProgress(phase, epochs)],
    )
    processes.leave()

    baselines_see = simple_features(prepared, pictures)
    report = REPORTS[config.task](
        judge, prepared, history, model_name(config), baselines_see
    )
    exported = None
    if prepared.ready is None and can_export():
        exported = export_model(
            config.task,
            models,
            prepared.preprocessor,
            config.data,
            export_settings(config, prepared, report.settings),
            exports_folder / config.task,
            reuse=not is_new,  # it may have been killed after its export
        )
    model = str(exported or "")
    metrics = {
        "metrics": report.metrics,
        "history": history,
        "model": model,
        "settings": report.settings,
    }
    charts = report.charts()
    facts = _page_facts(config, prepared, report, charts)
    write_text(folder / FACTS_FILE, json.dumps(facts, indent=1))
    write_text(folder / "metrics.json", json.dumps(metrics, indent=1))
    pictures = report.draw(charts, folder)
    page = write_run_page(folder)

    for protocol, rows in report.metrics.items():
        console.say()
        console.show_table(rows, f"test, {protocol} protocol")
    console.say()
    console.say(f"metrics    {folder / 'metrics.json'}")
    console.say(f"config     {folder / 'config.json'}")
    for picture in pictures:
        console.say(f"picture    {picture}")
    console.say(f"page       {page}")
    if prepared.ready is None and exported is None:
        console.say("SavedModel none yet: only TensorFlow writes one. Do it with")
        console.say(f"    KERAS_BACKEND=tensorflow keras-jtav export {folder}")
    else:
        console.show_export(exported, config.task)
    return RunResult(folder, exported, report.metrics)


def last_run(config: Config, runs_folder: Path) -> Path:
    """Return the folder of the last run of a config.

    Raises:
        FileNotFoundError: There is none.
    """
    for folder in reversed(_earlier_runs(config, runs_folder)):
        path = folder / "config.json"
        if path.exists() and Config.load(path) == config:
            return folder
    raise FileNotFoundError(
        f"{runs_folder} holds no run of this config to resume. Repeat the command of "
        "the run that was interrupted and add --resume, or leave --resume out."
    )


def new_run(config: Config, runs_folder: Path) -> Path:
    """Make the next numbered folder, with the config in it."""
    names = [path.name for path in _earlier_runs(config, runs_folder)]
    numbers = [name.rpartition("-")[2] for name in names]
    last = max((int(number) for number in numbers if number.isdigit()), default=0)
    runs_folder.mkdir(parents=True, exist_ok=True)
    folder = runs_folder / f"{_run_name(config)}-{last + 1:03d}"
    try:
        folder.mkdir()
    except FileExistsError:  # another run took the number just now
        return new_run(config, runs_folder)
    write_text(folder / "config.json", config.to_json())
    return folder


def read_result(folder: Path) -> RunResult:
    """Return what a complete run left behind."""
    saved = json.loads((folder / "metrics.json").read_text(encoding="utf-8"))
    exported = Path(saved["model"]) if saved["model"] else None
    return RunResult(folder, exported, saved["metrics"])


def _run_name(config: Config) -> str:
    return f"{config.task}-{Path(config.dataset.name).stem}"


def _earlier_runs(config: Config, runs_folder: Path) -> list[Path]:
    return sorted(runs_folder.glob(f"{_run_name(config)}-[0-9]*"))


def model_name(config: Config) -> str:
    """Return what a model is called in tables: its parts, and what is not the paper's.

    Example:
        >>> model_name(Config())
        'JTAV'
        >>> settings = ["fusion=early", "modalities=text,image"]
        >>> model_name(Config().override(settings))
        'early text+image'
    """
    if config.task == "retrieval" and config.matching.name != "jtav":
        return config.matching.name
    subset = "" if config.modalities == MODALITIES else "+".join(config.modalities)
    fusion = FUSION_NAMES.get(config.fusion.name, config.fusion.name)
    heads = config.fusion.kwargs.get("heads", 1)
    extensions = [
        *([f"{heads} heads"] if heads != 1 else []),
        *(["positional bias"] if config.fusion.kwargs.get("positional_bias") else []),
        *(["hidden layer"] if config.fusion.kwargs.get("hidden") else []),
        *(["residual"] if config.fusion.kwargs.get("residual") else []),
        *(["statistics"] if _has_statistics(config) else []),
        *(["towers"] if config.task == "retrieval" and config.tower_units else []),
    ]
    name = " ".join(part for part in (fusion, subset) if part)
    return " + ".join([name, *extensions])


def _has_statistics(config: Config) -> bool:
    """Return whether vectors hold what needs no learning (``docs/model.md``)."""
    parts = {"text": "word_mean", "audio": "statistics"}
    used = [modality for modality in parts if modality in config.modalities]
    flags = [getattr(config, m).kwargs.get(parts[m]) for m in used]
    return any(flags) or (
        "image" in config.modalities and config.image.name == "small_cnn"
    )


def _page_facts(
    config: Config,
    prepared: Prepared,
    report: SentimentReport | RetrievalReport,
    charts: Mapping[str, Figure],
) -> dict:
    """Return what the page of a run shows beside its metrics."""
    arguments = (prepared.rejections, prepared.class_names, config.task)
    return {
        "data": summarize(prepared.posts, *arguments),
        "examples": [] if prepared.ready is not None else report.examples(),
        "charts": {name: svg_text(chart) for name, chart in charts.items()},
        "versions": versions_of(PACKAGES),
    }


def export_settings(config: Config, prepared: Prepared, measured: Mapping) -> dict:
    """Return what an exported model carries: labels, preprocessing, versions."""
    return {
        "task": config.task,
        "class_names": list(prepared.class_names),
        "preprocessing": json.loads(prepared.preprocessor.json_settings()),
        "config": json.loads(config.to_json()),
        "versions": versions_of(PACKAGES),
        **measured,
    }
