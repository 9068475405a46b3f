"""Draws one SVG in a process of its own, with limits on its time and memory.

``svg.py`` starts this file as a program. What a drawing costs cannot be told from its
text: a thousand half-transparent rectangles take a minute, and a filter or a picture
inside may ask for any memory. Here that ends the process, and nothing else.
"""

import contextlib
import json
import sys

MAX_SECONDS = 10  # of a processor; real drawings take less than one
MAX_BYTES = 1_000_000_000
REFUSED = 3  # the exit status where the renderer says why


def main() -> int:
    """Read options as JSON and a drawing from standard input; write a PNG."""
    _limit()
    import resvg_py

    options = json.loads(sys.argv[1])
    try:
        png = resvg_py.svg_to_bytes(
            svg_string=sys.stdin.buffer.read().decode(), **options
        )
    except Exception as error:  # of the renderer's own kinds
        sys.stderr.write(str(error))
        return REFUSED
    sys.stdout.buffer.write(bytes(png))
    return 0


def _limit() -> None:
    with contextlib.suppress(ImportError, ValueError):  # Windows; a lower limit is set
        import resource

        resource.setrlimit(resource.RLIMIT_CPU, (MAX_SECONDS, MAX_SECONDS + 1))
        resource.setrlimit(resource.RLIMIT_AS, (MAX_BYTES, MAX_BYTES))


if __name__ == "__main__":
    sys.exit(main())
