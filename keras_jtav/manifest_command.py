"""The command ``keras-jtav manifest``: from a folder of files to a table of posts.

Nothing heavy is imported before the command runs.
"""

from __future__ import annotations

import argparse
from pathlib import Path

TABLE_FILE = "posts.csv"
MAX_SHOWN = 20


def add_manifest(parser: argparse.ArgumentParser) -> None:
    """Add the options of the command."""
    parser.set_defaults(command=_manifest)
    parser.description = (
        "Files of one name are one post: p17.jpg, p17.mp3, p17.txt (the lyrics) and "
        "p17.caption.txt, in whatever folders below."
    )
    add = parser.add_argument
    add("folder", type=Path, help="where the files are")
    add(
        "--folders-are",
        choices=("classes", "songs"),
        default="",
        help="what the folders right below mean; default: nothing. In a song's folder "
        "every picture is a post, and lyrics.txt and one recording belong to all",
    )
    add(
        "--out",
        type=Path,
        metavar="FILE",
        help=f".csv, .jsonl or .parquet; default: {TABLE_FILE} in the folder",
    )


def _manifest(options: argparse.Namespace) -> int:
    from keras_jtav.data.folder_posts import posts_from_folder
    from keras_jtav.data.manifest import write_manifest
    from keras_jtav.data.outside import first_outside_file

    table = posts_from_folder(options.folder, options.folders_are)
    path = options.out or options.folder / TABLE_FILE
    write_manifest(table.posts, path, table.class_names)
    print(f"{len(table.posts)} posts in {path}")
    for part in ("lyrics", "caption", "audio", "image"):
        missing = sum(part in post.missing for post in table.posts)
        print(f"  {len(table.posts) - missing} with {part}")
    if any(first_outside_file(post, path.parent) for post in table.posts):
        print("the files lie outside of the table's folder: read it with --outside")
    if table.rejections:
        print(f"left out: {len(table.rejections)}")
    for rejection in table.rejections[:MAX_SHOWN]:
        place = rejection.file or rejection.row
        print(f"  {place}: {rejection.reason}")
    if len(table.rejections) > MAX_SHOWN:
        print(f"  ... and {len(table.rejections) - MAX_SHOWN} more")
    return 0
