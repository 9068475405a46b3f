"""Options that several commands share, and the config that they ask for."""

from __future__ import annotations

import argparse
import dataclasses
from pathlib import Path

from keras_jtav.config import MODALITIES, TASKS, Component, Config
from keras_jtav.experiments import PRESETS, preset_config

MANIFEST_SUFFIXES = (".csv", ".jsonl", ".json", ".parquet")
FOLDER_DATASETS = ("shuttersong", "npy", "records")
FLAGS = {  # by what config_from_options calls them; a command need not have all
    "fasttext": "features.fasttext",
    "negatives": "train.negatives",
    "seed": "train.seed",
    "precision": "train.precision",
    "jit": "train.jit",
    "strategy": "train.strategy",
    "max_rejected": "data.max_rejected",
    "outside": "data.outside",
}


def add_outside(parser: argparse.ArgumentParser) -> None:
    """Add what allows a table to name files of other folders."""
    parser.add_argument(
        "--outside",
        action="store_true",
        help="let the table name files outside of its folder",
    )


def add_data_options(parser: argparse.ArgumentParser) -> None:
    """Add what decides posts, their splits and the features of their media."""
    add = parser.add_argument
    add("--task", choices=TASKS, default="sentiment")
    add(
        "--dataset",
        default="synthetic",
        metavar="NAME|FILE",
        help="synthetic (default), tuxpaint, shuttersong, npy, records, or a .csv, "
        ".jsonl or .parquet of posts",
    )
    add("--data-dir", metavar="DIR", help="of shuttersong, npy or records")
    add("--preset", choices=PRESETS, default="small", help="default: small")
    add(
        "--image-weights",
        metavar="imagenet|FILE|none",
        help="start the picture encoder from weights; with the small preset it is "
        "then SqueezeNet",
    )
    add_row_options(parser)
    add("--seed", type=int, metavar="N", help="decides every random choice; default: 0")
    add_settings(parser)


def add_row_options(parser: argparse.ArgumentParser) -> None:
    """Add which rows of a table are accepted, and how many may not be."""
    parser.add_argument(
        "--max-rejected", type=float, metavar="SHARE", help="default: 0.05"
    )
    add_outside(parser)


def add_settings(parser: argparse.ArgumentParser) -> None:
    """Add the option for all settings that have none of their own."""
    parser.add_argument(
        "--set",
        action="append",
        default=[],
        metavar="KEY=VALUE",
        help="any other setting, such as text.units=64; a wrong key lists the valid",
    )


def settings_from_options(task: str, options: argparse.Namespace) -> Config:
    """Return the small preset with what the options of a command change in it.

    Raises:
        ValueError: An unknown key or value.
    """
    config = preset_config(task, "small")
    return config.override([*_settings_of_flags(options), *options.set])


def config_from_options(options: argparse.Namespace) -> Config:
    """Return the config that the options of a command ask for.

    Raises:
        ValueError: An unknown key or value.
    """
    config = preset_config(options.task, options.preset)
    settings = [f"dataset={options.dataset}"]
    if (options.dataset, options.task) == ("npy", "sentiment"):
        settings += [f"{modality}=vector" for modality in MODALITIES]
    if options.image_weights is not None:
        if options.preset == "small":
            settings += ["image=squeezenet", "features.image_size=224"]
        settings.append(f"image.weights={options.image_weights}")
    config = config.override([*settings, *_settings_of_flags(options)])
    if Path(options.dataset).suffix.lower() in MANIFEST_SUFFIXES:
        manifest = Component("manifest", {"path": options.dataset})
        config = dataclasses.replace(config, dataset=manifest)
    if options.data_dir is not None:
        if options.dataset not in FOLDER_DATASETS:
            raise ValueError(
                f"--data-dir belongs to --dataset {' or '.join(FOLDER_DATASETS)}, not "
                f"to {options.dataset}."
            )
        dataset = Component(options.dataset, {"folder": options.data_dir})
        config = dataclasses.replace(config, dataset=dataset)
    return config.override(options.set)


def _settings_of_flags(options: argparse.Namespace) -> list[str]:
    given = {key: getattr(options, name, None) for name, key in FLAGS.items()}
    return [f"{key}={value}" for key, value in given.items() if value is not None]
