"""The command ``keras-jtav serve``: exported models over HTTP and gRPC, on loopback.

Nothing heavy is imported before the command runs.
"""

from __future__ import annotations

import argparse
import importlib.util
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import fields
from pathlib import Path

from keras_jtav.quiet import quiet_import
from keras_jtav.service.limits import Limits


def add_serve(parser: argparse.ArgumentParser) -> None:
    """Add the options of the command."""
    parser.set_defaults(command=_serve)
    add = parser.add_argument
    add("models", type=Path, nargs="+", help="such as exported_models/sentiment/1")
    add("--port", type=int, default=8080, help="HTTP, on 127.0.0.1; default: 8080")
    add("--grpc-port", type=int, default=8081, help="gRPC; default: 8081")
    defaults = Limits()
    for option, name, what in (
        ("--max-body-mb", "max_body_mb", "largest request, in MiB"),
        ("--max-rows", "max_rows", "most rows of a request"),
        ("--max-pairs", "max_pairs", "most pairs of a call of score"),
        ("--timeout", "timeout_seconds", "seconds until a request is given up"),
        ("--at-work", "at_work", "requests worked on at once"),
        ("--waiting", "waiting", "requests that may wait"),
        ("--grace", "grace_seconds", "seconds for what is at work at the end"),
    ):
        default = getattr(defaults, name)
        number = "cores" if name == "at_work" else f"{default:g}"
        add(
            option,
            dest=name,
            type=type(default),
            default=default,
            metavar="N",
            help=f"{what}; default: {number}",
        )


def _serve(options: argparse.Namespace) -> int:
    if importlib.util.find_spec("kserve") is None:
        raise ImportError(
            "`keras-jtav serve` needs KServe. Install it with "
            "pip install 'keras-jtav[serve]'"
        )
    limits = Limits(**{f.name: getattr(options, f.name) for f in fields(Limits)})
    os.environ.setdefault("GRPC_VERBOSITY", "NONE")  # it says in C what we say below
    with quiet_import(), _without_arguments():
        from keras_jtav.service.server import serve

    serve(options.models, limits, options.port, options.grpc_port)
    return 0


@contextmanager
def _without_arguments() -> Iterator[None]:
    """Hide the command line: KServe reads it while it is imported."""
    given = sys.argv
    sys.argv = given[:1]
    try:
        yield
    finally:
        sys.argv = given
