"""The command ``keras-jtav index``: songs are encoded once, and found again and again.

Nothing heavy is imported before the command runs.
"""

from __future__ import annotations

import argparse
from pathlib import Path

from keras_jtav.quiet import quiet_import
from keras_jtav.shared_options import add_outside


def add_index(parser: argparse.ArgumentParser) -> None:
    """Add the options of the command."""
    parser.set_defaults(command=_index)
    add = parser.add_argument
    add("model", type=Path, help="such as exported_models/retrieval/1")
    add("songs", type=Path, nargs="?", help="table of songs to add")
    add(
        "--out",
        type=Path,
        required=True,
        metavar="DIR",
        help="the index: made, or added to if it is there",
    )
    add("--remove", nargs="+", default=[], metavar="SONG", help="songs to take out")
    add(
        "--into-model",
        action="store_true",
        help="also write the model's next version, with the index inside and an "
        "endpoint `search`",
    )
    add(
        "--candidates",
        type=int,
        default=100,
        metavar="N",
        help="with --into-model: songs that `search` scores and answers; default: 100",
    )
    add_outside(parser)


def _index(options: argparse.Namespace) -> int:
    if options.songs is None and not options.remove and not options.into_model:
        raise ValueError(
            "Say what to do with the index: give a table of songs to add, --remove "
            "SONG, or --into-model."
        )
    with quiet_import():
        from keras_jtav import console
        from keras_jtav.index_songs import index_songs
        from keras_jtav.serving.predictor import Predictor
        from keras_jtav.serving.search_endpoint import export_with_index
        from keras_jtav.serving.song_index import SongIndex

    if options.remove:
        index = SongIndex.load(options.out)
        index.remove(options.remove)
        index.save(options.out)
        console.say(f"{len(set(options.remove))} songs removed; {len(index)} are left")
    if options.songs is None and not options.into_model:
        return 0
    predictor = Predictor(options.model)
    if options.songs is not None:
        where = (options.songs, options.out)
        done = index_songs(predictor, *where, console.progress, options.outside)
        console.say(
            f"{done.added} songs added, {done.known} known already, {done.left_out} "
            f"left out; {done.total} songs in {options.out}"
        )
    if options.into_model:
        index = SongIndex.load(options.out)
        version = export_with_index(predictor, index, options.candidates)
        console.say(f"SavedModel {version}")
    return 0
