"""TensorFlow without what its C++ code prints whenever it is imported."""

from __future__ import annotations

import contextlib
import logging
import os
import shutil
import tempfile
from collections.abc import Iterator

LEVEL = "TF_CPP_MIN_LOG_LEVEL"


@contextlib.contextmanager
def quiet_import() -> Iterator[None]:
    """Hold back standard error while TensorFlow is imported; show it if that fails.

    TensorFlow heeds ``TF_CPP_MIN_LOG_LEVEL`` only once it is loaded: lines before that
    (instruction sets, no GPU driver) can be kept off the screen at the descriptor
    alone. Later on only what is fatal is shown; errors arrive as exceptions. Whoever
    sets the variable to 0 or 1 sees every line.
    """
    if os.environ.setdefault(LEVEL, "3") in ("0", "1"):
        yield
        return
    # Advice on speed, such as that of tracing a graph once for every model.
    logging.getLogger("tensorflow").setLevel(logging.ERROR)
    with tempfile.TemporaryFile() as held, open(os.dup(2), "wb") as screen:
        os.dup2(held.fileno(), 2)
        try:
            yield
        except BaseException:
            held.seek(0)
            shutil.copyfileobj(held, screen)
            raise
        finally:
            os.dup2(screen.fileno(), 2)
