"""The command ``keras-jtav train``: one run, or a table of runs.

Nothing heavy is imported before the command runs.
"""

from __future__ import annotations

import argparse
from pathlib import Path

from keras_jtav.config import PRECISIONS, STRATEGIES
from keras_jtav.experiments import EXPERIMENTS, find_experiment
from keras_jtav.quiet import quiet_import
from keras_jtav.row_weights import with_image_weights, with_released_convnet
from keras_jtav.shared_options import add_data_options, config_from_options


def add_train(parser: argparse.ArgumentParser) -> None:
    """Add the options of the command."""
    parser.set_defaults(command=_train)
    parser.usage = "keras-jtav train [OPTION ...]"
    add_data_options(parser)
    add = parser.add_argument
    add("--fasttext", metavar="FILE", help="word vectors, .bin or .vec")
    add("--negatives", type=int, metavar="N", help="false songs per query and epoch")
    add("--precision", choices=PRECISIONS, help="while training; default: float32")
    add("--jit", action="store_const", const="true", help="compile training with XLA")
    add("--strategy", choices=STRATEGIES, help="devices to train on; default: single")
    add("--experiment", choices=EXPERIMENTS, help="a table instead of one run")
    add("--rows", nargs="+", metavar="ROW", help="of a table; default: all")
    add("--runs", type=int, default=1, metavar="N", help="runs of every row of a table")
    add(
        "--workers",
        type=int,
        metavar="N",
        help="rows of a table at once; default: all cores",
    )
    add("--convnet-weights", metavar="FILE", help="of table1's row convnet")
    add("--resplit", action="store_true", help="a split of its own for every run")
    add("--resume", action="store_true", help="go on with the same command's last run")
    add(
        "--runs-dir",
        type=Path,
        default=Path("runs"),
        metavar="DIR",
        help="default: runs",
    )
    add(
        "--exports-dir",
        type=Path,
        default=Path("exported_models"),
        metavar="DIR",
        help="default: exported_models",
    )


def _train(options: argparse.Namespace) -> int:
    of_tables = (
        options.rows is not None,
        options.runs != 1,
        options.resplit,
        options.workers is not None,
        options.convnet_weights is not None,
    )
    if not options.experiment and any(of_tables):
        raise ValueError(
            "--rows, --runs, --resplit, --workers and --convnet-weights belong to "
            "--experiment. A folder for runs is given with --runs-dir."
        )
    if options.experiment == "table1" and options.dataset == "npy":
        raise ValueError(
            "table1 compares encoders, and the arrays of sentiment hold what encoders "
            "gave. Train single runs, such as --set fusion=early --set "
            "modalities=text,audio."
        )
    config = config_from_options(options)
    with quiet_import():
        from keras_jtav.row_workers import default_workers
        from keras_jtav.running import run
        from keras_jtav.tabulate import run_table

    if options.experiment:
        name = options.experiment
        experiment = find_experiment(name, options.task, options.preset)
        if len(EXPERIMENTS[name]) > 1:  # each task's table has a folder of its own
            name = f"{name}-{options.task}"
        if options.convnet_weights is not None:
            experiment = with_released_convnet(experiment, options.convnet_weights)
        if options.image_weights is not None:
            experiment = with_image_weights(experiment, options.image_weights)
        arguments = (config, options.runs, options.resplit, options.runs_dir)
        workers = default_workers() if options.workers is None else options.workers
        run_table(name, experiment, *arguments, workers, options.rows)
    else:
        run(config, options.runs_dir, options.exports_dir, resume=options.resume)
    return 0
