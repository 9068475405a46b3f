"""Writes hostile files: media below ``image`` and ``audio``, tables below ``tables``.

In a process of its own, so that what it takes to make them is not counted as memory of
the package. Takes a folder, and 1 for all files or 50 for each fiftieth.
"""

import os
import sys
from itertools import islice
from pathlib import Path

import numpy as np
from pictures import pictures, saved
from PIL import Image
from recordings import recordings, written
from tables import tables

SEED = 0


def write(cases, folder, every):
    """Write cases under their numbers and names."""
    folder.mkdir(parents=True, exist_ok=True)
    for number, (name, data) in enumerate(islice(cases, 0, None, every)):
        content = data() if callable(data) else data
        (folder / f"{number:04d}-{name}").write_bytes(content)


def write_beside(folder):
    """Write what the tables name: sound files, and ones that are none or outside."""
    (folder / "a.png").write_bytes(saved(Image.new("RGB", (9, 9), "red"), "PNG"))
    noise = np.random.default_rng(2).normal(0, 0.1, 8_000)
    (folder / "a.wav").write_bytes(written(noise, 8_000, "WAV-PCM_16"))
    (folder.parent / "secret.png").write_bytes((folder / "a.png").read_bytes())
    (folder / "leads-out.png").symlink_to("../secret.png")
    (folder / "loop.png").symlink_to("loop.png")
    (folder / "up").symlink_to("..")
    (folder / "folder").mkdir()
    os.mkfifo(folder / "pipe.png")


def main(folder, every):
    kinds = {"image": pictures, "audio": recordings, "tables": tables}
    for name, cases in kinds.items():
        write(cases(np.random.default_rng(SEED)), Path(folder, name), int(every))
    write_beside(Path(folder, "tables"))


if __name__ == "__main__":
    main(*sys.argv[1:])
