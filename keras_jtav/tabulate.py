"""A table of the paper: every system trained and judged alike, over several runs.

Each system and run is one line of ``results.jsonl``. A line that is there is not
computed again, so that a killed table goes on where it was; pictures and tables are
drawn from these lines alone (the settings beside them know the order of the rows).
"""

from __future__ import annotations

import contextlib
import json
import shutil
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path

from keras_jtav import console
from keras_jtav.config import Config, look_up
from keras_jtav.data.folder_lock import locked
from keras_jtav.data.same_posts import keep_to_posts
from keras_jtav.data.tables import write_table
from keras_jtav.data.whole_file import write_text
from keras_jtav.devices import check_devices
from keras_jtav.evaluation.comparison import compare
from keras_jtav.evaluation.comparison_text import markdown_table
from keras_jtav.evaluation.figures import save_figure
from keras_jtav.evaluation.figures_comparison import comparison_figure
from keras_jtav.experiments import Experiment
from keras_jtav.model import check_config, check_weights
from keras_jtav.preparation import load_table, usable_splits
from keras_jtav.process_memory import keep_freed_memory
from keras_jtav.row_workers import RowTask, measured_rows
from keras_jtav.table_lines import (
    RESULTS_FILE,
    WORK_FOLDER,
    append_result,
    read_results,
)

SETTINGS_FILE = "settings.json"


def run_table(
    name: str,
    experiment: Experiment,
    config: Config,
    runs: int,
    resplit: bool,
    runs_folder: Path,
    workers: int = 1,
    rows: Collection[str] | None = None,
) -> Path:
    """Measure what is missing of a table, and draw it.

    Args:
        name: What the table is called.
        experiment: Its rows.
        config: What all rows share.
        runs: Runs of every row; run ``n`` has the seed ``config.train.seed + n``.
        resplit: Whether every run also has a split of its own.
        runs_folder: Where the table's folder is made or found.
        workers: Rows that are measured at once, each in a process of its own.
        rows: Those to measure now; by default all.

    Returns:
        The folder.

    Raises:
        ValueError: Another task, a row that the table has not, a folder with results of
            other settings or other posts, or, before anything is trained, posts that
            one of the rows cannot be trained on.
        BlockingIOError: Another command measures the same table.
    """
    if config.task != experiment.task:
        raise ValueError(f"{name} is about {experiment.task}, not {config.task}.")
    for flag, value in (("--runs", runs), ("--workers", workers)):
        if value < 1:
            raise ValueError(f"`{flag}` must be at least 1; received {value}.")
    for row in rows or ():
        look_up("row", row, experiment.rows)
    jobs = {
        (row, run): _job(config, settings, run, resplit)
        for run in range(runs)
        for row, settings in experiment.rows.items()
        if rows is None or row in rows
    }
    check_devices(config.train)
    if config.train.strategy == "data_parallel":
        raise ValueError(
            "A table trains each of its rows in one process on one device. Leave "
            "--strategy data_parallel out, and unset KERAS_DISTRIBUTION_NUM_PROCESSES."
        )
    for job in jobs.values():
        check_config(job)
    folder = runs_folder / f"{name}-{config.dataset.name}"
    settings = {
        "config": json.loads(config.to_json()),
        "resplit": resplit,
        "rows": {row: list(words) for row, words in experiment.rows.items()},
    }
    with locked(folder):
        _refuse_other_settings(folder, settings)
        results = read_results(folder)
        done = {(result["row"], result["run"]) for result in results}
        missing = [key for key in jobs if key not in done]
        _check_rows({key: jobs[key] for key in missing})
        if missing:
            first = next(iter(jobs.values()))
            keep_to_posts(folder, {"all": load_table(first).posts})
        write_text(folder / SETTINGS_FILE, json.dumps(settings))
        console.say(
            f"{name}: {len(jobs)} rows and runs, {len(jobs) - len(missing)} done"
        )
        keep_freed_memory()
        took = [(result["row"], result["seconds"]) for result in results]
        took = [(row, seconds) for row, seconds in took if row in experiment.rows]
        tasks = [
            _task(row, run, jobs[row, run], experiment, folder) for row, run in missing
        ]
        # Closed before the lock is given back, so that no worker is left behind it.
        with contextlib.closing(measured_rows(tasks, workers)) as measured:
            for _ in console.table_progress(missing, name, runs, took):
                for result in next(measured):
                    if (result["row"], result["run"]) not in done:
                        append_result(folder, result)
                        done.add((result["row"], result["run"]))
                report(folder)
        shutil.rmtree(folder / WORK_FOLDER, ignore_errors=True)
        for path in report(folder):
            console.say(f"written    {path}")
        console.say((folder / "table.md").read_text(encoding="utf-8"))
    return folder


def is_table(folder: Path) -> bool:
    """Return whether a folder holds the results of a table."""
    return (folder / RESULTS_FILE).exists()


def report(folder: Path) -> list[Path]:
    """Write the tables and the picture of a folder's results; return the files.

    Raises:
        FileNotFoundError: No results there.
    """
    results = _in_order(folder, read_results(folder))
    if not results:
        raise FileNotFoundError(
            f"{folder} holds no results.jsonl with a result. Give the folder of a "
            "table, such as runs/table1-synthetic."
        )
    table = compare(results)
    text = folder / "table.md"
    write_text(text, markdown_table(table))
    rows = [
        {"protocol": protocol, **line}
        for protocol, lines in table.items()
        for line in lines
    ]
    columns = list(dict.fromkeys(name for row in rows for name in row))
    write_table(folder / "table.csv", columns, rows)
    figure = comparison_figure(table)
    return [text, folder / "table.csv", save_figure(figure, folder / "table.png")]


def _in_order(folder: Path, results: list[dict]) -> list[dict]:
    """Return results in the order of the table's rows, baselines before theirs."""
    path = folder / SETTINGS_FILE
    if not path.exists():
        return results
    rows = list(json.loads(path.read_text(encoding="utf-8"))["rows"])
    places = {row: place for place, row in enumerate(rows)}
    return sorted(results, key=lambda r: places.get(r["row"].removeprefix("CCA "), -1))


def _job(config: Config, settings: Sequence[str], run: int, resplit: bool) -> Config:
    seed = config.train.seed + run
    split_seed = config.split_seed + run if resplit else config.split_seed
    seeds = (f"train.seed={seed}", f"data.split_seed={split_seed}")
    return config.override([*settings, *seeds])


def _check_rows(jobs: Mapping[tuple[str, int], Config]) -> None:
    """Raise what any row would raise before training, as far as that can be told."""
    checks = (
        (usable_splits, ("dataset", "data", "split_seed", "modalities")),
        (check_weights, ("modalities", "audio", "image", "features")),
    )
    for check, parts in checks:
        checked = set()
        for (row, run), job in jobs.items():
            key = repr([getattr(job, part) for part in parts])
            if key not in checked:
                checked.add(key)
                try:
                    check(job)
                except (ValueError, OSError) as error:
                    kind = OSError if isinstance(error, OSError) else ValueError
                    raise kind(f"Row {row!r}, run {run + 1}: {error}") from error


def _refuse_other_settings(folder: Path, settings: Mapping) -> None:
    path = folder / SETTINGS_FILE
    if path.exists() and json.loads(path.read_text(encoding="utf-8")) != settings:
        raise ValueError(
            f"{folder} holds results of other settings. Give another --runs-dir, or "
            "move that folder away."
        )


def _task(
    row: str, run: int, job: Config, experiment: Experiment, folder: Path
) -> RowTask:
    slug = "".join(letter if letter.isalnum() else "_" for letter in row)
    baseline = "CCA" if experiment.same_view else f"CCA {row}"
    work = folder / WORK_FOLDER / f"{slug}-{run}"
    return RowTask(row, run, job, baseline, folder, work)
