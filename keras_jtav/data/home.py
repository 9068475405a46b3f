"""Where generated data, caches and trained word vectors are kept."""

import os
import shutil
from pathlib import Path

# Each is made again when it is wanted; `weights`, beside them, was fetched.
REMADE = ("features", "vectors", "synthetic")


def home_folder() -> Path:
    """Return ``$KERAS_JTAV_HOME``, or ``~/.cache/keras_jtav`` (not created)."""
    default = Path.home() / ".cache" / "keras_jtav"
    return Path(os.environ.get("KERAS_JTAV_HOME") or default)


def kept_bytes() -> dict[str, int]:
    """Return the size of everything below ``home_folder()``, by first folder."""
    home = home_folder()
    folders = sorted(path for path in home.glob("*") if path.is_dir())
    return {folder.name: _bytes_below(folder) for folder in folders}


def clear_cache() -> int:
    """Remove what can be made again; return how many bytes that were.

    A training that runs meanwhile loses what it reads.
    """
    removed = 0
    for name in REMADE:
        folder = home_folder() / name
        removed += _bytes_below(folder)
        shutil.rmtree(folder, ignore_errors=True)
    return removed


def _bytes_below(folder: Path) -> int:
    return sum(p.stat().st_size for p in folder.rglob("*") if p.is_file())
