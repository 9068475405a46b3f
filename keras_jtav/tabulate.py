"""A table of the paper: every system trained and judged alike, over several runs.

Each system and run is one line of ``results.jsonl``. A line that is there is not
computed again, so that a killed table goes on where it was; pictures and tables are
drawn from these lines alone.
"""

from __future__ import annotations

import hashlib
import json
import math
import os
import shutil
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

import keras

from keras_jtav import console
from keras_jtav.allocator import keep_freed_memory
from keras_jtav.config import Config
from keras_jtav.data.tables import write_table
from keras_jtav.evaluation.classification import (
    choose_threshold,
    classification_metrics,
    majority_baseline,
)
from keras_jtav.evaluation.comparison import compare, deciding_metric, metrics_of
from keras_jtav.evaluation.cost import fusion_cost
from keras_jtav.evaluation.figures import save_figure
from keras_jtav.evaluation.figures_comparison import comparison_figure
from keras_jtav.evaluation.probe import probe
from keras_jtav.evaluation.ranks import PROTOCOLS
from keras_jtav.experiments import Experiment
from keras_jtav.judging import RetrievalJudge, SentimentJudge
from keras_jtav.model import build_model, check_config
from keras_jtav.preparation import Prepared, prepare
from keras_jtav.reporting import RetrievalReport
from keras_jtav.run import write_text
from keras_jtav.training import seed_everything
from keras_jtav.transfer import train_phases

SENTIMENT_METRICS = ("auc", "weighted_f1", "weighted_precision", "accuracy")


def run_table(
    name: str,
    experiment: Experiment,
    config: Config,
    runs: int,
    resplit: bool,
    runs_folder: Path,
) -> Path:
    """Measure what is missing of a table, and draw it.

    Args:
        name: What the table is called.
        experiment: Its rows.
        config: What all rows share.
        runs: Runs of every row; run ``n`` has the seed ``config.train.seed + n``.
        resplit: Whether every run also has a split of its own.
        runs_folder: Where the table's folder is made or found.

    Returns:
        The folder.

    Raises:
        ValueError: Another task, or a folder with results of other settings.
    """
    if config.task != experiment.task:
        raise ValueError(f"{name} is about {experiment.task}, not {config.task}.")
    if runs < 1:
        raise ValueError(f"`--runs` must be at least 1; received {runs}.")
    jobs = {
        (row, run): _job(config, settings, run, resplit)
        for run in range(runs)
        for row, settings in experiment.rows.items()
    }
    for job in jobs.values():
        check_config(job)
    folder = _open(runs_folder / f"{name}-{config.dataset.name}", config, resplit)
    results = read_results(folder)
    done = {(result["row"], result["run"]) for result in results}
    missing = [key for key in jobs if key not in done]
    console.say(f"{name}: {len(jobs)} rows and runs, {len(jobs) - len(missing)} done")
    keep_freed_memory()
    for row, run in console.progress(missing, len(missing), name):
        work = folder / "work" / f"{_slug(row)}-{run}"
        for result in _measure(row, run, jobs[row, run], work):
            if (result["row"], result["run"]) not in done:
                _append(folder / "results.jsonl", result)
                done.add((result["row"], result["run"]))
        shutil.rmtree(work)
        report(folder)
    for path in report(folder):
        console.say(f"written    {path}")
    console.say((folder / "table.md").read_text(encoding="utf-8"))
    return folder


def report(folder: Path) -> list[Path]:
    """Write the tables and the picture of a folder's results; return the files.

    Raises:
        FileNotFoundError: No results there.
    """
    results = read_results(folder)
    if not results:
        raise FileNotFoundError(
            f"{folder} holds no results.jsonl with a result. Give the folder of a "
            "table, such as runs/table1-synthetic."
        )
    table = compare(results)
    text = folder / "table.md"
    write_text(text, _markdown(table))
    rows = [
        {"protocol": protocol, **line}
        for protocol, lines in table.items()
        for line in lines
    ]
    write_table(folder / "table.csv", list(rows[0]), rows)
    lines = table["strict"]
    metric = deciding_metric(metrics_of(lines))
    figure = comparison_figure(lines, metric, chance=lines[0][metric])
    return [text, folder / "table.csv", save_figure(figure, folder / "table.png")]


def read_results(folder: Path) -> list[dict]:
    """Return the complete lines of a table's results; the last may be half written."""
    path = folder / "results.jsonl"
    if not path.exists():
        return []
    lines = path.read_text(encoding="utf-8").split("\n")
    return [json.loads(line) for line in lines[:-1]]


def _job(config: Config, settings: Sequence[str], run: int, resplit: bool) -> Config:
    seed = config.train.seed + run
    split_seed = config.split_seed + run if resplit else config.split_seed
    seeds = (f"train.seed={seed}", f"data.split_seed={split_seed}")
    return config.override([*settings, *seeds])


def _open(folder: Path, config: Config, resplit: bool) -> Path:
    """Return the table's folder, made if it is absent."""
    settings = json.dumps({"config": json.loads(config.to_json()), "resplit": resplit})
    path = folder / "settings.json"
    if path.exists() and path.read_text(encoding="utf-8") != settings:
        raise ValueError(
            f"{folder} holds results of other settings. Give another --runs-dir, or "
            "move that folder away."
        )
    folder.mkdir(parents=True, exist_ok=True)
    write_text(path, settings)
    return folder


def _append(path: Path, result: Mapping) -> None:
    """Add one line; what a kill left half written before it is cut off."""
    whole = path.read_bytes() if path.exists() else b""
    whole = whole[: whole.rfind(b"\n") + 1]
    aside = path.with_name(path.name + ".new")
    aside.write_bytes(whole + json.dumps(result).encode() + b"\n")
    os.replace(aside, path)


def _measure(row: str, run: int, config: Config, work: Path) -> list[dict]:
    """Train one system; return its line and those of the guess and the baselines."""
    start = time.monotonic()
    keras.backend.clear_session()
    seed_everything(config.train.seed)
    prepared = prepare(config, _silent)
    models = build_model(config, prepared.spec, prepared.vocabulary.matrix)
    history = train_phases(
        config, models, prepared, work, _silent, lambda phase, epochs: []
    )
    about = {
        "run": run,
        "seed": config.train.seed,
        "split": _split_hash(prepared),
        "seconds": round(time.monotonic() - start, 1),
    }
    if config.task == "sentiment":
        measured = _probe_vectors(row, models, prepared)
    else:
        measured = _rank_songs(row, models, prepared, history)
    lines = [
        {"row": name, "metrics": metrics, **about} for name, metrics in measured.items()
    ]
    lines[-1]["parameters"] = models["train"].count_params()
    lines[-1] |= fusion_cost(models)
    lines[-1]["config"] = json.loads(config.to_json())
    return lines


def _probe_vectors(row: str, models: Mapping, prepared: Prepared) -> dict[str, dict]:
    """Judge a system's vectors by a logistic regression, as Table 1 does."""
    judge = SentimentJudge(models, prepared)
    labels = {split: judge.labels(split) for split in prepared.posts}
    validation, test = probe(
        judge.vectors("train"),
        labels["train"],
        judge.vectors("validation"),
        judge.vectors("test"),
    )
    threshold = choose_threshold(labels["validation"], validation)
    majority = majority_baseline(labels["train"], labels["test"])
    measured: dict[str, dict] = {"majority class": {}, row: {}}
    for protocol in PROTOCOLS:
        own = classification_metrics(labels["test"], test, threshold, protocol)
        for name, metrics in (("majority class", majority), (row, own)):
            measured[name][protocol] = {m: metrics[m] for m in SENTIMENT_METRICS}
    return measured


def _rank_songs(
    row: str, models: Mapping, prepared: Prepared, history: Sequence[Mapping]
) -> dict[str, dict]:
    """Rank songs by a system's own scores, and by CCA on what the system sees."""
    judge = RetrievalJudge(models, prepared)
    metrics = RetrievalReport(judge, prepared, history, row).metrics
    names = {"chance": "chance", "CCA": f"CCA {row}", row: row}
    return {
        shown: {p: rows[name] for p, rows in metrics.items() if name in rows}
        for name, shown in names.items()
    }


def _split_hash(prepared: Prepared) -> str:
    """Return a name of the split: equal names, equal posts."""
    ids = {name: [post.id for post in posts] for name, posts in prepared.posts.items()}
    return hashlib.sha256(json.dumps(ids).encode()).hexdigest()[:12]


def _silent(items, total: int, title: str):
    return items


def _slug(row: str) -> str:
    return "".join(letter if letter.isalnum() else "_" for letter in row)


def _markdown(table: Mapping[str, Sequence[Mapping]]) -> str:
    parts = []
    for protocol, lines in table.items():
        metrics = metrics_of(lines)
        parts += [f"### {protocol} protocol\n"]
        parts += [f"| system | runs | {' | '.join(metrics)} | p against row above |"]
        parts += ["|---" * (len(metrics) + 3) + "|"]
        for line in lines:
            cells = [_cell(line[m], line[f"{m}_std"]) for m in metrics]
            p = "" if math.isnan(line["p"]) else f"{line['p']:.3f}"
            parts += [f"| {line['row']} | {line['runs']} | {' | '.join(cells)} | {p} |"]
        parts += [""]
    return "\n".join(parts)


def _cell(mean: float, deviation: float) -> str:
    return f"{mean:.3f}" + ("" if math.isnan(deviation) else f" +- {deviation:.3f}")
