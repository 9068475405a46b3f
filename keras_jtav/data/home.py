"""Where generated data, caches and trained word vectors are kept."""

import os
from pathlib import Path


def home_folder() -> Path:
    """Return ``$KERAS_JTAV_HOME``, or ``~/.cache/keras_jtav`` (not created)."""
    default = Path.home() / ".cache" / "keras_jtav"
    return Path(os.environ.get("KERAS_JTAV_HOME") or default)
