"""Export of a run's model as ONNX, checked against its SavedModel before it is kept.

Texts, pictures and recordings become features in the SavedModel alone (its endpoint
``features``): strings and decoders have no place in ONNX.
"""

from __future__ import annotations

import importlib.util
import json
import logging
from collections.abc import Mapping
from pathlib import Path

import tensorflow as tf

from keras_jtav.attribution.network import Network
from keras_jtav.layers.position_logits import using_nodes
from keras_jtav.onnx_files.comparison import TOLERANCE, largest_difference
from keras_jtav.onnx_files.graphs import Graph, graphs_of
from keras_jtav.serving.export import write_aside
from keras_jtav.serving.predictor import Predictor

OPSET = 18
DESCRIPTION = "onnx.json"


def export_onnx(run: Path, exports_folder: Path) -> Path:
    """Write the ONNX files of a run's model, as the next version.

    Args:
        run: Folder of a run whose SavedModel is there.
        exports_folder: Where exports are kept by task; ONNX gets ``<task>-onnx``.

    Returns:
        The folder of the new version: a file for each function of the model, and
        ``onnx.json``, which describes their inputs and outputs.

    Raises:
        FileNotFoundError: A run without a SavedModel.
        ImportError: tf2onnx or onnxruntime is not installed.
        ValueError: A model without a logit, or files that answer otherwise than the
            SavedModel; nothing is left of them.
    """
    for package in ("tf2onnx", "onnxruntime"):
        if importlib.util.find_spec(package) is None:
            raise ImportError(
                f"`--format onnx` needs {package}. Install it with "
                "pip install 'keras-jtav[onnx]'"
            )
    predictor = Predictor(saved_model_of(run))
    network = Network(predictor)

    def write(folder: Path) -> None:
        files = {}
        for graph in graphs_of(network):
            _convert(graph, folder / f"{graph.name}.onnx")
            files[graph.name] = folder / f"{graph.name}.onnx"
        difference = largest_difference(predictor, network, files)
        description = _describe(predictor, files, difference)
        text = json.dumps(description, indent=1)
        (folder / DESCRIPTION).write_text(text, encoding="utf-8")

    return write_aside(write, exports_folder / f"{predictor.task}-onnx")


def saved_model_of(run: Path) -> Path:
    """Return the folder of a run's SavedModel.

    Raises:
        FileNotFoundError: The run is not complete, or its SavedModel is not there.
    """
    results = run / "metrics.json"
    if not results.exists():
        raise FileNotFoundError(
            f"{run} holds no metrics.json, so no run is complete there. Give a folder "
            "such as runs/sentiment-synthetic-001."
        )
    model = json.loads(results.read_text(encoding="utf-8"))["model"]
    if not model or not (Path(model) / "saved_model.pb").exists():
        where = model or "nowhere"
        raise FileNotFoundError(
            f"ONNX is made from the run's SavedModel, and {run} has it {where}. Export "
            f"it first: keras-jtav export {run}"
        )
    return Path(model)


def _convert(graph: Graph, path: Path) -> None:
    """Write one function as a file whose inputs and outputs have its names."""
    import onnx
    import tf2onnx

    logging.getLogger("tf2onnx").setLevel(logging.ERROR)
    names = list(graph.inputs)

    def call(*tensors: tf.Tensor) -> dict[str, tf.Tensor]:
        return graph.call(dict(zip(names, tensors, strict=True)))

    signature = list(graph.inputs.values())
    with using_nodes(()):  # branches do not survive the conversion
        model, _ = tf2onnx.convert.from_function(
            tf.function(call), input_signature=signature, opset=OPSET
        )
    onnx.checker.check_model(model)
    path.write_bytes(model.SerializeToString())


def _describe(
    predictor: Predictor, files: Mapping[str, Path], difference: float
) -> dict:
    """Return what ``onnx.json`` says: inputs, outputs, and where they come from."""
    import onnxruntime

    def tensors(values: list) -> list[dict]:
        return [{"name": v.name, "type": v.type, "shape": v.shape} for v in values]

    described = {}
    for path in files.values():
        session = onnxruntime.InferenceSession(path)
        described[path.name] = {
            "inputs": tensors(session.get_inputs()),
            "outputs": tensors(session.get_outputs()),
        }
    return {
        "files": described,
        "inputs_from": "endpoint `features` of the SavedModel with this fingerprint; "
        "those of score.onnx also from encode_query.onnx and encode_song.onnx",
        "largest_difference": difference,
        "tolerance": TOLERANCE,
        "opset": OPSET,
        "settings": predictor.settings,
    }
