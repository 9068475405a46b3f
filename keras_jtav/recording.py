"""The whole of ``keras-jtav prepare``: posts in; shards of records and an index out."""

from __future__ import annotations

import importlib.util
import json
import os
import tempfile
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from keras_jtav import console
from keras_jtav.config import Config
from keras_jtav.data.any_path import (
    PART,
    join,
    make_folder,
    names_in,
    remove,
    write_text,
)
from keras_jtav.data.manifest import write_rejections
from keras_jtav.data.media import FEATURE_VERSION
from keras_jtav.data.post import Post, PostTable, Rejection
from keras_jtav.data.record_folder import (
    FORMAT,
    INDEX_FILE,
    REJECTIONS_FILE,
    fixed_settings,
)
from keras_jtav.options import DataOptions
from keras_jtav.preparation import (
    check_rejections,
    check_splits,
    usable_splits,
    without_faults,
)
from keras_jtav.row_workers import map_in_processes
from keras_jtav.sharding import (
    Shard,
    is_made,
    make_shard,
    plan_shards,
    read_table,
    strange_files,
)
from keras_jtav.versions import versions_of

PACKAGES = ("keras-jtav", "keras", "tensorflow", "numpy", "librosa")


def prepare_records(
    config: Config,
    folder: str,
    num_shards: int | None = None,
    runner: str = "pool",
    workers: int | None = None,
    runner_options: Sequence[str] = (),
) -> str:
    """Prepare a data set, going on from the shards that are there, and say so.

    Args:
        config: The data set, its splits and the settings of the features.
        folder: Where the shards go; any path that ``tf.io.gfile`` writes to.
        num_shards: Shards of the training split; by default one for 256 posts.
        runner: ``pool``, or a runner of Apache Beam: ``direct``, ``spark``, ``flink``
            or ``dataflow``.
        workers: Processes of ``pool`` and ``direct``; by default one for each core.
        runner_options: What Beam and its runner are given.

    Returns:
        The path of the index.

    Raises:
        ValueError: Posts that cannot be prepared, more bad ones than
            ``data.max_rejected`` allows, or a folder with another preparation.
        OSError: A folder that cannot be written.
        ImportError: Beam is wanted and not installed.
    """
    if workers is not None and workers < 1:
        raise ValueError(f"`--workers` must be at least 1; received {workers}.")
    if runner == "pool" and runner_options:
        raise ValueError(
            f"{runner_options[0]!r} is an option of Beam, and `--runner pool` is none "
            "of its runners. Leave it out, or choose another runner."
        )
    if runner != "pool" and importlib.util.find_spec("apache_beam") is None:
        raise ImportError(
            f"`--runner {runner}` needs Apache Beam. Install it with "
            "`pip install 'keras-jtav[beam]'`, or use `--runner pool`."
        )
    data = replace(config.data, texts=DataOptions.texts)  # records hold all texts
    config = replace(config, data=data, train=replace(config.train, shuffle_buffer=0))
    table, splits = usable_splits(config)
    _refuse_features(config, table)
    shards = plan_shards(config, splits, folder, num_shards)
    missing = _open_folder(folder, shards)
    num_posts = {name: len(posts) for name, posts in splits.items()}
    sizes = ", ".join(f"{name} {number}" for name, number in num_posts.items())
    console.say(f"posts      {sum(num_posts.values())}; {sizes}")
    console.say(f"shards     {len(shards)}, {len(shards) - len(missing)} made before")
    workers = workers or os.cpu_count() or 1
    if missing and runner == "pool":
        num_processes = min(workers, len(missing))
        made = map_in_processes(make_shard, missing, num_processes, hide_gpus=True)
        for _ in console.progress(made, len(missing), "shards"):
            pass
    elif missing:
        from keras_jtav.shard_beam import make_shards

        make_shards(missing, runner, runner_options, workers)
    return _write_index(config, folder, table, splits, shards)


def _refuse_features(config: Config, table: PostTable) -> None:
    if table.features is not None or table.records is not None:
        raise ValueError(
            f"The data set {config.dataset.name!r} has features, not media: there is "
            "nothing to prepare. Train on it as it is."
        )


def _open_folder(folder: str, shards: Sequence[Shard]) -> list[Shard]:
    """Make the folder, clear away what a kill left; return the shards to make."""
    strange = strange_files(folder, shards)
    if strange:
        raise ValueError(
            f"{folder} holds {strange[0]} of another preparation (other posts, splits "
            "or --shards). Give another --out, or remove that folder."
        )
    make_folder(folder)
    for name in names_in(folder):
        if name.endswith(PART):
            remove(join(folder, name))
    missing = [shard for shard in shards if not is_made(shard)]
    if missing:  # until they are made, the folder is not complete
        remove(join(folder, INDEX_FILE))
    return missing


def _write_index(
    config: Config,
    folder: str,
    table: PostTable,
    splits: dict[str, list[Post]],
    shards: Sequence[Shard],
) -> str:
    """List the bad posts; if they are few enough, write the index."""
    tables = [read_table(shard) for shard in shards]
    found = {
        rejection["row"]: [] for shard in tables for rejection in shard["rejections"]
    }
    for shard in tables:
        for rejection in shard["rejections"]:
            found[rejection["row"]].append(Rejection(**rejection))
    posts = [post for split in splits.values() for post in split]
    faults = [fault for post in posts for fault in found.get(f"post {post.id}", ())]
    rejections = [*table.rejections, *faults]
    with tempfile.TemporaryDirectory() as here:
        local = Path(here, REJECTIONS_FILE)
        write_rejections(rejections, local)
        write_text(join(folder, REJECTIONS_FILE), local.read_text(encoding="utf-8"))
    console.show_rejections(rejections)
    check_rejections(rejections, len(posts) + len(table.rejections), config)
    splits = without_faults(splits, faults)
    check_splits(splits, table.class_names, config)
    index = {
        "format": FORMAT,
        "feature_version": FEATURE_VERSION,
        "dataset": {"name": config.dataset.name, **config.dataset.kwargs},
        "settings": fixed_settings(config),
        "modalities": config.modalities,
        "class_names": table.class_names,
        "versions": versions_of(PACKAGES),
        "counts": {name: len(split) for name, split in splits.items()},
        "shards": [
            {
                "name": shard.name,
                "split": shard.split,
                "posts": len(made["posts"]),
                "bytes": made["bytes"],
                "sha256": made["sha256"],
            }
            for shard, made in zip(shards, tables, strict=True)
        ],
        "rejections": [vars(rejection) for rejection in rejections],
    }
    path = join(folder, INDEX_FILE)
    write_text(path, json.dumps(index, indent=1, ensure_ascii=False))
    num_bytes = sum(made["bytes"] for made in tables)
    console.say(f"index      {path}, {num_bytes / 1e6:.1f} MB of records")
    return path
