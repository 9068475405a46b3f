"""The command ``keras-jtav predict``: an exported model on the user's files.

Nothing heavy is imported before the command runs.
"""

from __future__ import annotations

import argparse
from pathlib import Path

from keras_jtav.quiet import quiet_import
from keras_jtav.shared_options import add_outside

SONGS_SHOWN = 10


def add_predict(parser: argparse.ArgumentParser) -> None:
    """Add the options of the command."""
    parser.set_defaults(command=_predict)
    add = parser.add_argument
    add("model", type=Path, help="such as exported_models/sentiment/1")
    add("posts", type=Path, nargs="?", help="sentiment: table of posts")
    add("--output", type=Path, metavar="FILE", help="write a .csv, .jsonl or .parquet")
    add("--vectors", action="store_true", help="sentiment: add the unified vector")
    add("--songs", type=Path, metavar="FILE", help="retrieval: table of songs")
    add("--index", type=Path, metavar="DIR", help="retrieval: index of songs instead")
    add("--image", type=Path, metavar="FILE", help="retrieval: the query's picture")
    add("--caption", default="", metavar="TEXT", help="retrieval: the query's caption")
    add(
        "--top",
        type=int,
        metavar="N",
        help=f"songs in the answer; default: {SONGS_SHOWN}, with --songs and --output "
        "all",
    )
    add_outside(parser)


def _predict(options: argparse.Namespace) -> int:
    if options.top is not None and options.top < 1:
        raise ValueError(f"`--top` must be at least 1; received {options.top}.")
    from keras_jtav.data.tables import write_table

    with quiet_import():
        from keras_jtav import console
        from keras_jtav.predict import predict_sentiment, rank_songs, search_songs
        from keras_jtav.serving.predictor import Predictor
        from keras_jtav.serving.song_index import SongIndex

    predictor = Predictor(options.model)
    if predictor.task == "sentiment":
        if options.posts is None:
            raise ValueError(
                "A sentiment model needs a table of posts: keras-jtav predict "
                f"{options.model} posts.csv"
            )
        wanted = (options.vectors, options.outside)
        table = predict_sentiment(predictor, options.posts, *wanted)
    else:
        given = [path for path in (options.songs, options.index) if path is not None]
        if len(given) != 1 or options.image is None:
            raise ValueError(
                "A retrieval model needs songs and a picture: keras-jtav predict "
                f"{options.model} --songs songs.csv --image photo.jpg, or --index DIR "
                "in place of --songs"
            )
        query = (options.image, options.caption)
        if options.index is None:
            found = rank_songs(predictor, options.songs, *query, options.outside)
            everything = len(found) if options.output else SONGS_SHOWN
            table = found.head(options.top or everything)
        else:
            index = SongIndex.load(options.index)
            table = search_songs(predictor, index, *query, options.top or SONGS_SHOWN)
    if options.output:
        write_table(options.output, list(table), table.to_dict("records"))
        console.say(f"{len(table)} rows in {options.output}")
    else:
        console.say(table.to_string(index=False))
    return 0
