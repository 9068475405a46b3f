"""SavedModels that eat raw media, with no Python of ours in the serving process."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import tempfile
from collections.abc import Callable, Mapping
from pathlib import Path

import keras
import tensorflow as tf

from keras_jtav.config import Config
from keras_jtav.data.any_path import readable_errors
from keras_jtav.data.whole_file import told_where_full
from keras_jtav.features.preprocessor import Preprocessor
from keras_jtav.layers import set_cudnn
from keras_jtav.options import DataOptions
from keras_jtav.serving.endpoints import RetrievalEndpoints, SentimentEndpoints

ENDPOINTS = {"sentiment": SentimentEndpoints, "retrieval": RetrievalEndpoints}
SETTINGS_FILE = "settings.json"


def check_exportable(config: Config) -> None:
    """Refuse a config whose model could be trained and not exported.

    Raises:
        ValueError: An encoder of features that are made outside of the graph.
    """
    if "text" in config.modalities and config.text.name == "doc2vec":
        raise ValueError(
            "A model with `text=doc2vec` cannot be exported: gensim infers its vectors "
            "outside of the graph. It is a row of `--experiment table1`, which exports "
            "nothing; for a run of its own use another text encoder."
        )


def can_export() -> bool:
    """Return whether Keras runs on TensorFlow, the backend that writes SavedModels."""
    return keras.backend.backend() == "tensorflow"


def export_model(
    task: str,
    models: Mapping[str, keras.Model],
    preprocessor: Preprocessor,
    data: DataOptions,
    settings: Mapping,
    folder: Path,
    reuse: bool = False,
) -> Path:
    """Write a SavedModel under the next version number.

    The model is written aside and renamed, so that a folder with a number is always
    complete, and no earlier export is touched.

    Args:
        task: ``sentiment`` or ``retrieval``.
        models: What ``build_model`` returned, trained.
        preprocessor: The one of training.
        data: Limits on what the model decodes.
        settings: What travels inside, as JSON: labels, preprocessing, versions; a
            fingerprint of the weights is added. The endpoint ``settings`` and the file
            ``assets.extra/settings.json`` hold it.
        folder: Where numbered versions are kept.
        reuse: Whether a version with these very settings and weights will do.

    Returns:
        The folder of the version.
    """
    settings = {**settings, "fingerprint": fingerprint(models)}
    text = json.dumps(settings, indent=1, sort_keys=True)
    if reuse and (version := _version_with(text, folder)):
        return version
    endpoints = ENDPOINTS[task](models, preprocessor, data, text)
    try:
        for model in models.values():
            set_cudnn(model, False)
        return write_version(endpoints, endpoints.signatures(), text, folder)
    finally:
        for model in models.values():
            set_cudnn(model, "auto")


def write_version(
    module: tf.Module, signatures: Mapping, settings: str, folder: Path
) -> Path:
    """Write a module aside and give it the next version number.

    Args:
        module: What holds the variables and tables of the signatures.
        signatures: Traced endpoints by name.
        settings: JSON text for ``assets.extra``.
        folder: Where numbered versions are kept.

    Returns:
        The folder of the new version.

    Raises:
        OSError: It cannot be written; earlier versions are as they were.
    """

    def write(aside: Path) -> None:
        tf.saved_model.save(module, str(aside), signatures=signatures)
        extra = aside / "assets.extra"
        extra.mkdir()
        (extra / SETTINGS_FILE).write_text(settings, encoding="utf-8")

    return write_aside(write, folder)


def write_aside(write: Callable[[Path], None], folder: Path) -> Path:
    """Fill a folder aside and give it the next version number.

    Args:
        write: Fills the folder that it is given; if it fails, nothing is left.
        folder: Where numbered versions are kept.

    Returns:
        The folder of the new version.

    Raises:
        OSError: It cannot be written; earlier versions are as they were.
    """
    folder.mkdir(parents=True, exist_ok=True)
    aside = Path(tempfile.mkdtemp(prefix=".export-", dir=folder))
    try:
        with told_where_full(folder), readable_errors(str(folder)):
            write(aside)
        aside.chmod(0o755)
        return _rename_to_next_version(aside, folder)
    finally:
        shutil.rmtree(aside, ignore_errors=True)


def fingerprint(models: Mapping[str, keras.Model]) -> str:
    """Return a name of the weights: encodings of equal names may be compared.

    Example:
        >>> model = keras.Sequential([keras.Input((2,)), keras.layers.Dense(1)])
        >>> len(fingerprint({"train": model}))
        16
    """
    digest = hashlib.sha256()
    weights = {id(w): w for model in models.values() for w in model.weights}
    for weight in weights.values():
        digest.update(keras.ops.convert_to_numpy(weight).tobytes())
    return digest.hexdigest()[:16]


def _versions(folder: Path) -> list[int]:
    return [int(path.name) for path in folder.glob("[0-9]*") if path.name.isdigit()]


def _version_with(settings: str, folder: Path) -> Path | None:
    """Return the newest version that carries a text of settings."""
    for number in sorted(_versions(folder), reverse=True):
        file = folder / str(number) / "assets.extra" / SETTINGS_FILE
        if file.is_file() and file.read_text(encoding="utf-8") == settings:
            return folder / str(number)
    return None


def _rename_to_next_version(aside: Path, folder: Path) -> Path:
    """Give a finished export the next number that no other process has taken."""
    while True:
        version = folder / str(max(_versions(folder), default=0) + 1)
        try:
            os.rename(aside, version)
        except OSError:
            if not version.exists():
                raise
        else:
            return version
