"""The command ``keras-jtav demo``: a page to play with, on this machine only.

Nothing heavy is imported before the command runs.
"""

from __future__ import annotations

import argparse
import importlib.util
from pathlib import Path

from keras_jtav.quiet import quiet_import
from keras_jtav.shared_options import add_outside


def add_demo(parser: argparse.ArgumentParser) -> None:
    """Add the options of the command."""
    parser.set_defaults(command=_demo)
    add = parser.add_argument
    add("model", type=Path, help="such as exported_models/retrieval/1")
    add("--songs", type=Path, metavar="FILE", help="retrieval: table of songs")
    add("--port", type=int, default=7860, help="on 127.0.0.1; default: 7860")
    add_outside(parser)


def _demo(options: argparse.Namespace) -> int:
    if importlib.util.find_spec("gradio") is None:
        raise ImportError(
            "`keras-jtav demo` needs Gradio. Install it with "
            "pip install 'keras-jtav[demo]'"
        )
    with quiet_import():
        from keras_jtav.demo.app import serve

    serve(options.model, options.songs, options.port, options.outside)
    return 0
