"""Rows of a table, measured side by side in processes of their own.

A small network leaves most of a machine's cores idle; several rows at once do not.
Every row's lines are on disk the moment it is done, whatever the others do. Nothing
heavy is imported before a row is measured, so that a new process starts quietly.
"""

from __future__ import annotations

import importlib
import json
import multiprocessing
import os
import shutil
import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from keras_jtav.config import Config
from keras_jtav.process_memory import keep_freed_memory
from keras_jtav.quiet import quiet_import

MOST_WORKERS = 4  # each holds one to two gigabytes
THREAD_POOLS = (
    "TF_NUM_INTRAOP_THREADS",
    "TF_NUM_INTEROP_THREADS",
    "OPENBLAS_NUM_THREADS",
    "OMP_NUM_THREADS",
)

Task = TypeVar("Task")
Result = TypeVar("Result")


@dataclass(frozen=True)
class RowTask:
    """One system in one run.

    Args:
        row: What the system is called.
        run: Number of the run.
        config: Of the system in this run.
        baseline: What CCA on what a retrieval system sees is called.
        table: Folder of the table.
        folder: Where its checkpoints are while it trains, and its lines once it has.
    """

    row: str
    run: int
    config: Config
    baseline: str
    table: Path
    folder: Path

    @property
    def lines_path(self) -> Path:
        """File of the row's lines."""
        return self.folder.with_suffix(".json")


def default_workers() -> int:
    """Return one process for every core, four at most, and one where there is a GPU."""
    with quiet_import():
        import keras

    if keras.distribution.list_devices("gpu"):
        return 1
    return min(os.cpu_count() or 1, MOST_WORKERS)


def measured_rows(tasks: Sequence[RowTask], workers: int) -> Iterator[list[dict]]:
    """Yield the lines of every row, in the order of the tasks.

    Rows whose lines an interrupted table left on disk are not measured again.

    Args:
        tasks: What to measure.
        workers: How many at once; 1 measures in this process.

    Raises:
        BrokenProcessPool: A process was killed, perhaps for want of memory.
    """
    yield from map_in_processes(measure_row, tasks, workers)


def map_in_processes(
    function: Callable[[Task], Result],
    tasks: Sequence[Task],
    workers: int,
    hide_gpus: bool = False,
) -> Iterator[Result]:
    """Yield ``function(task)`` of every task, in their order.

    The processes start new, share the cores, and end with this one.

    Args:
        function: Of a module's top level.
        tasks: What it is given.
        workers: How many at once; 1 stays in this process.
        hide_gpus: Whether the new processes do without, as each would take all of a
            GPU's memory.

    Raises:
        BrokenProcessPool: A process was killed, perhaps for want of memory.
    """
    if workers == 1 or len(tasks) < 2:
        yield from map(function, tasks)
        return
    threads = max(1, (os.cpu_count() or 1) // workers)
    of_others = set(multiprocessing.active_children())
    pool = ProcessPoolExecutor(
        workers,
        mp_context=multiprocessing.get_context("spawn"),
        initializer=_start,
        initargs=(threads, function.__module__, hide_gpus),
    )
    try:
        for future in [pool.submit(function, task) for task in tasks]:
            yield future.result()
    finally:
        pool.shutdown(wait=False, cancel_futures=True)
        for process in set(multiprocessing.active_children()) - of_others:
            process.terminate()


def measure_row(task: RowTask) -> list[dict]:
    """Measure one row, or read what was measured; see ``measure``."""
    with quiet_import():
        from keras_jtav.data.whole_file import write_text
        from keras_jtav.measuring import measure

    if not task.lines_path.exists():
        named = (task.row, task.run, task.config)
        try:
            lines = measure(*named, task.table, task.folder, task.baseline)
        except ValueError as error:
            message = f"Row {task.row!r}, run {task.run + 1}: {error}"
            raise ValueError(message) from error
        write_text(task.lines_path, json.dumps(lines))
        shutil.rmtree(task.folder)
    return json.loads(task.lines_path.read_text(encoding="utf-8"))


def _start(threads: int, module: str, hide_gpus: bool) -> None:
    """Prepare a new process: its share of the cores, and an end with its parent.

    The module of its function is loaded here, before a task that names it is read.
    """
    threading.Thread(target=_end_with_parent, daemon=True).start()
    for pool in THREAD_POOLS:  # read when NumPy and TensorFlow are imported
        os.environ[pool] = str(threads)
    if hide_gpus:
        os.environ["CUDA_VISIBLE_DEVICES"] = "-1"
    keep_freed_memory()
    with quiet_import():
        importlib.import_module(module)


def _end_with_parent() -> None:
    multiprocessing.parent_process().join()
    os._exit(1)
