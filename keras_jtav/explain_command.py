"""The command ``keras-jtav explain``: why a model answers as it does.

Nothing heavy is imported before the command runs.
"""

from __future__ import annotations

import argparse
from pathlib import Path

from keras_jtav.quiet import quiet_import
from keras_jtav.shared_options import add_outside


def add_explain(parser: argparse.ArgumentParser) -> None:
    """Add the options of the command."""
    parser.set_defaults(command=_explain)
    add = parser.add_argument
    add("model", type=Path, help="such as exported_models/sentiment/1")
    add("posts", type=Path, help="table of posts")
    add("--id", required=True, help="the post; in retrieval the query")
    add("--song", help="retrieval: the song beside it; default: the query's own")
    add(
        "--out",
        type=Path,
        default=Path("explanations"),
        metavar="DIR",
        help="default: explanations; a folder for each answer is made there",
    )
    add_outside(parser)


def _explain(options: argparse.Namespace) -> int:
    with quiet_import():
        from keras_jtav import console
        from keras_jtav.explain_posts import explain_row

    asked = (options.model, options.posts, options.id, options.song)
    for path in explain_row(*asked, options.out, options.outside):
        console.say(str(path))
    return 0
