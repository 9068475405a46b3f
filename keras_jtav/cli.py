"""The command line: ``keras-jtav train``, ``check``, ``predict`` and others.

Nothing heavy is imported before a command runs, so that ``--help`` answers at once.
"""

from __future__ import annotations

import argparse
import logging
import sys
from collections.abc import Sequence
from pathlib import Path

from keras_jtav.config import TASKS
from keras_jtav.demo_command import add_demo
from keras_jtav.explain_command import add_explain
from keras_jtav.index_command import add_index
from keras_jtav.manifest_command import add_manifest
from keras_jtav.predict_command import add_predict
from keras_jtav.quiet import quiet_import
from keras_jtav.serve_command import add_serve
from keras_jtav.shared_options import (
    add_data_options,
    add_row_options,
    add_settings,
    config_from_options,
    settings_from_options,
)
from keras_jtav.train_command import add_train

FORMATS = ("savedmodel", "onnx")
RUNNERS = ("pool", "direct", "spark", "flink", "dataflow")


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command.

    Args:
        arguments: Words after the program's name; by default those of the process.

    Returns:
        The exit status: 0 well, 1 a problem that the output names, 2 wrong usage.
    """
    options = _parser().parse_args(arguments)
    logging.basicConfig(format="%(levelname)s: %(message)s")
    try:
        return options.command(options)
    except (ValueError, OSError, ImportError) as error:
        print(f"keras-jtav: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print(
            "\nInterrupted. The same command goes on, a single run of train with "
            "--resume.",
            file=sys.stderr,
        )
        return 130


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="keras-jtav",
        description="Learn from posts that carry text, sound and a picture at once.",
    )
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    add_train(commands.add_parser("train", help="train, judge and export a model"))
    _add_prepare(commands.add_parser("prepare", help="turn posts into shards once"))
    add_manifest(commands.add_parser("manifest", help="turn a folder into a table"))
    _add_check(commands.add_parser("check", help="read a table of posts and report"))
    add_predict(commands.add_parser("predict", help="use an exported model on files"))
    add_index(commands.add_parser("index", help="keep songs to be found by pictures"))
    add_explain(commands.add_parser("explain", help="say why a model answers so"))
    add_demo(commands.add_parser("demo", help="a page to play with, by Gradio"))
    add_serve(commands.add_parser("serve", help="answer requests over HTTP and gRPC"))
    _add_report(commands.add_parser("report", help="draw a run or a table again"))
    _add_export(commands.add_parser("export", help="export a run, also as ONNX"))
    _add_cache(commands.add_parser("cache", help="show what is kept on disk, or clear"))
    return parser


def _add_cache(parser: argparse.ArgumentParser) -> None:
    parser.set_defaults(command=_cache)
    parser.add_argument(
        "--clear",
        action="store_true",
        help="remove what can be made again: features, word vectors, synthetic data",
    )


def _add_export(parser: argparse.ArgumentParser) -> None:
    parser.set_defaults(command=_export)
    parser.add_argument("folder", type=Path, help="such as runs/sentiment-synthetic-1")
    parser.add_argument("--exports-dir", type=Path, default=Path("exported_models"))
    parser.add_argument(
        "--format",
        choices=FORMATS,
        default=FORMATS[0],
        help="savedmodel (default), such as of a run that JAX trained; onnx: the part "
        "from features to answers, made from the run's SavedModel",
    )


def _add_report(parser: argparse.ArgumentParser) -> None:
    parser.set_defaults(command=_report)
    parser.add_argument(
        "folder", type=Path, help="such as runs/retrieval-synthetic-001"
    )


def _add_prepare(parser: argparse.ArgumentParser) -> None:
    parser.set_defaults(command=_prepare)
    parser.description = (
        "Decode posts once and write shards of records. Train on them with --dataset "
        "records --data-dir DIR. The same command goes on after an interruption."
    )
    add_data_options(parser)
    add = parser.add_argument
    add("--out", required=True, metavar="DIR", help="any path that tf.io.gfile writes")
    add(
        "--shards",
        type=int,
        metavar="N",
        help="of the training split; default: one for 256 posts",
    )
    add("--workers", type=int, metavar="N", help="processes; default: all cores")
    add(
        "--runner",
        choices=RUNNERS,
        default="pool",
        help="pool (default): processes of this machine; others: Apache Beam",
    )
    add(
        "runner_options",
        nargs="*",
        metavar="-- OPTION",
        help="of Beam and its runner, after --",
    )


def _add_check(parser: argparse.ArgumentParser) -> None:
    parser.set_defaults(command=_check)
    parser.add_argument("table", type=Path, help=".csv, .jsonl or .parquet of posts")
    parser.add_argument("--task", choices=TASKS, help="default: what the table allows")
    add_row_options(parser)
    parser.add_argument("--seed", type=int, metavar="N", help="of the split; default 0")
    add_settings(parser)


def _prepare(options: argparse.Namespace) -> int:
    config = config_from_options(options)
    with quiet_import():
        from keras_jtav.recording import prepare_records

    prepare_records(
        config,
        options.out,
        options.shards,
        options.runner,
        options.workers,
        options.runner_options,
    )
    return 0


def _export(options: argparse.Namespace) -> int:
    with quiet_import():
        from keras_jtav.later_export import export_run
        from keras_jtav.onnx_files.export import export_onnx

    export = export_onnx if options.format == "onnx" else export_run
    print(export(options.folder, options.exports_dir))
    return 0


def _report(options: argparse.Namespace) -> int:
    with quiet_import():
        from keras_jtav.pages import write_run_page
        from keras_jtav.tabulate import is_table, report

    folder = options.folder
    for path in report(folder) if is_table(folder) else [write_run_page(folder)]:
        print(path)
    return 0


def _cache(options: argparse.Namespace) -> int:
    from keras_jtav.data.home import clear_cache, home_folder, kept_bytes

    if options.clear:
        print(f"removed {clear_cache() / 1e6:.1f} MB")
    print(home_folder())
    for name, size in kept_bytes().items():
        print(f"{size / 1e6:10.1f} MB  {name}")
    return 0


def _check(options: argparse.Namespace) -> int:
    from tqdm import tqdm

    from keras_jtav.data.check import check_table

    tasks = TASKS if options.task is None else (options.task,)
    configs = {task: settings_from_options(task, options) for task in tasks}
    config = configs[tasks[0]]
    report = check_table(
        options.table,
        options.task,
        {task: config.data for task, config in configs.items()},
        config.split_seed,
        config.modalities,
        "text" in config.modalities and not config.features.fasttext,
        tqdm,
    )
    print(report.render())
    return int(report.fatal)
