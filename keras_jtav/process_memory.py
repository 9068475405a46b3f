"""How a process that trains gives memory back: seldom."""

import ctypes
import gc
import sys
from collections.abc import Iterator
from contextlib import contextmanager

# Parameters of glibc's mallopt(3), from <malloc.h>.
M_TRIM_THRESHOLD, M_TOP_PAD, M_MMAP_MAX = -1, -2, -4
TOP_PAD_BYTES = 64 * 2**20
NEVER = 2**31 - 1
SELDOM = (20_000, 20, 20)  # for gc.set_threshold; Python's own are (700, 10, 10)


def keep_freed_memory() -> bool:
    """Let freed blocks stay in the process, for the next training step.

    A step on CPUs frees all its tensors, and glibc hands blocks of that size back to
    the system at once: the next step takes tens of thousands of page faults to get them
    again. Kept, the small preset's steps take half to two thirds of the time. The
    process stays as large as it was at its largest.

    Returns:
        Whether this C library has such a setting (glibc does).
    """
    if not sys.platform.startswith("linux"):
        return False
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    settings = {M_MMAP_MAX: 0, M_TRIM_THRESHOLD: NEVER, M_TOP_PAD: TOP_PAD_BYTES}
    return mallopt is not None and all(
        mallopt(parameter, value) == 1 for parameter, value in settings.items()
    )


@contextmanager
def seldom_collected() -> Iterator[None]:
    """Let Python look for unreachable objects seldom, and as before afterwards.

    TensorFlow makes millions of objects that stay as it traces a graph. By default
    Python goes through them again and again: a tenth of the time of a training of a few
    steps. Also a decorator.
    """
    before = gc.get_threshold()
    gc.set_threshold(*SELDOM)
    try:
        yield
    finally:
        gc.set_threshold(*before)
