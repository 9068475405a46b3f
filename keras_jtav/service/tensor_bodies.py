"""Requests and responses of version 2 over REST: JSON, and what follows it in binary.

The header ``Inference-Header-Content-Length`` says how long the JSON is.
Source: Open Inference Protocol, extension for binary tensor data.
"""

from __future__ import annotations

import json
from typing import Any

import numpy as np

from keras_jtav.service.json_values import parse_json
from keras_jtav.service.refusal import Refusal, shown
from keras_jtav.service.served_model import ServedModel
from keras_jtav.service.tensors import (
    Tensor,
    TensorRequest,
    describe_output,
    infer,
    to_raw,
    values_of,
)

HEADER = "Inference-Header-Content-Length"
SIZE = "binary_data_size"


def infer_body(
    model: ServedModel, body: bytes, json_length: str | None
) -> tuple[bytes, int | None]:
    """Answer a request of version 2 over REST.

    Args:
        model: Who answers.
        body: JSON, and bytes behind it.
        json_length: What the header says, if there is one.

    Returns:
        The response, and the length of its JSON where bytes follow it.

    Raises:
        Refusal: A request that does not fit the protocol or the model.
    """
    length = _length(json_length, len(body))
    request = parse_json(body[:length], "the JSON of the body")
    parameters = _object(request, "parameters")
    tensors = _tensors(request, body, length)
    outputs, in_binary = _outputs(request, parameters)
    answer = infer(
        model,
        TensorRequest(tensors, parameters.get("signature_name"), outputs, True),
    )
    return _response(model, request.get("id"), answer, in_binary)


def _length(header: str | None, size: int) -> int:
    if header is None:
        return size
    if not (header.isascii() and header.isdigit() and int(header) <= size):
        raise Refusal(
            f"The header {HEADER} must be a length within the body's {size} bytes; "
            f"received {shown(header)}."
        )
    return int(header)


def _tensors(request: dict[str, Any], body: bytes, start: int) -> list[Tensor]:
    """Return the inputs; what is binary of them stands in the body from ``start``."""
    tensors = []
    for number, item in enumerate(_list(request, "inputs", is_needed=True)):
        where = f"inputs[{number}]"
        if not isinstance(item, dict):
            raise Refusal(f"`{where}` must be an object; received {shown(item)}.")
        for key in ("name", "shape", "datatype"):
            if key not in item:
                raise Refusal(f"`{where}.{key}` is missing.")
        raw, size = None, _object(item, "parameters", where).get(SIZE)
        if size is not None:
            left = len(body) - start
            if type(size) is not int or not 0 <= size <= left:
                raise Refusal(
                    f"`{where}.parameters.{SIZE}` must be a size within the {left} "
                    f"bytes that are left; received {shown(size)}."
                )
            raw, start = body[start : start + size], start + size
        elif "data" not in item:
            raise Refusal(f"`{where}` needs `data` or `parameters.{SIZE}`.")
        described = (item[key] for key in ("name", "datatype", "shape"))
        tensors.append(Tensor(*described, item.get("data"), raw))
    if start < len(body):
        raise Refusal(f"{len(body) - start} bytes of the body belong to no input.")
    return tensors


def _outputs(
    request: dict[str, Any], parameters: dict[str, Any]
) -> tuple[list[Any], dict[Any, Any] | bool]:
    """Return the outputs asked for, and of each, or of all, whether in binary."""
    everywhere = bool(parameters.get("binary_data_output", False))
    outputs: dict[str, bool] = {}
    for number, item in enumerate(_list(request, "outputs")):
        where = f"outputs[{number}]"
        if not isinstance(item, dict) or not isinstance(item.get("name"), str):
            raise Refusal(f"`{where}` must be an object with a `name`.")
        own = _object(item, "parameters", where).get("binary_data", everywhere)
        outputs[item["name"]] = bool(own)
    return list(outputs), outputs or everywhere


def _response(
    model: ServedModel,
    request_id: Any,
    answer: dict[str, np.ndarray],
    in_binary: dict[Any, Any] | bool,
) -> tuple[bytes, int | None]:
    described, parts = [], []
    for name, array in answer.items():
        output = describe_output(name, array)
        if in_binary[name] if isinstance(in_binary, dict) else in_binary:
            parts.append(to_raw(array))
            output["parameters"] = {SIZE: len(parts[-1])}
        else:
            output["data"] = values_of(array)
        described.append(output)
    response = {
        "model_name": model.name,
        "model_version": model.version,
        **({"id": request_id} if isinstance(request_id, str) else {}),
        "outputs": described,
    }
    text = json.dumps(response, separators=(",", ":")).encode()
    return b"".join([text, *parts]), len(text) if parts else None


def _object(parent: dict[str, Any], key: str, where: str = "") -> dict[str, Any]:
    value = parent.get(key)
    path = f"{where}.{key}" if where else key
    if value is not None and not isinstance(value, dict):
        raise Refusal(f"`{path}` must be an object; received {shown(value)}.")
    return value or {}


def _list(parent: dict[str, Any], key: str, is_needed: bool = False) -> list[Any]:
    value = parent.get(key)
    if value is None and not is_needed:
        return []
    if not isinstance(value, list):
        raise Refusal(f"`{key}` must be a list; received {shown(value)}.")
    return value
