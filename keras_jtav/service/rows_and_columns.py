"""Version 1 of the protocol, TensorFlow Serving's: rows or columns in JSON.

``{"signature_name": "encode", "instances": [{"caption": "hi"}, ...]}`` is answered by
``{"predictions": [...]}``, ``{"inputs": {"caption": ["hi", ...]}}`` by ``{"outputs":
...}``. Where an endpoint has one output, it stands there without its name.
Source: TensorFlow Serving, RESTful API, "Predict API".
"""

from __future__ import annotations

import json
from typing import Any

import numpy as np

from keras_jtav.service.fields import Endpoint, Field
from keras_jtav.service.json_values import bytes_of, numbers_of, parse_json, to_json
from keras_jtav.service.refusal import Refusal, shown
from keras_jtav.service.served_model import ServedModel

KEYS = ("signature_name", "instances", "inputs")


def predict(model: ServedModel, body: bytes) -> bytes:
    """Answer a request of version 1.

    Args:
        model: Who answers.
        body: JSON.

    Returns:
        JSON.

    Raises:
        Refusal: A request that does not fit the model; it names the field.
    """
    request = parse_json(body)
    unknown = [key for key in request if key not in KEYS]
    if unknown:
        raise Refusal(f"`{unknown[0]}` is no key of a request; known: {_list(KEYS)}.")
    if ("instances" in request) == ("inputs" in request):
        raise Refusal("Give one of `instances` (rows) and `inputs` (columns).")
    endpoint = model.endpoint(request.get("signature_name"))
    if "inputs" in request:
        answer = model.answer(endpoint, _columns(model, endpoint, request["inputs"]))
        outputs = {name: to_json(array) for name, array in answer.items()}
        return _json({"outputs": _alone(outputs)})
    rows = _rows(model, endpoint, request["instances"])
    answer = model.answer(endpoint, rows)
    number = len(next(iter(rows.values())))
    columns = {name: to_json(array) for name, array in answer.items()}
    predictions = [
        _alone({name: column[row] for name, column in columns.items()})
        for row in range(number)
    ]
    return _json({"predictions": predictions})


def _rows(model: ServedModel, endpoint: Endpoint, rows: Any) -> dict[str, np.ndarray]:
    """Return the arrays of a list of rows; strings that a row lacks are empty."""
    where = "instances"
    if not isinstance(rows, list):
        raise Refusal(f"`{where}` must be a list of rows; received {shown(rows)}.")
    if not endpoint.fields:
        raise Refusal(f"`{endpoint.name}` takes no rows; ask with `inputs`: {{}}.")
    if not 1 <= len(rows) <= model.limits.max_rows:
        raise Refusal(
            f"`{where}` must have 1 to {model.limits.max_rows} rows; received "
            f"{len(rows)}."
        )
    values: dict[str, list] = {name: [] for name in endpoint.fields}
    for number, row in enumerate(rows):
        here = f"{where}[{number}]"
        if not isinstance(row, dict):
            raise Refusal(
                f"`{here}` must be an object with any of {_list(endpoint.fields)}; "
                f"received {shown(row)}."
            )
        for name in row:
            endpoint.field(name, f"{here}.{name[:60]}")
        for name, field in endpoint.fields.items():
            values[name].append(_value(row, field, f"{here}.{name}"))
    arrays = {}
    for name, field in endpoint.fields.items():
        if field.is_string:
            arrays[name] = np.array(values[name], object)
        else:
            arrays[name] = numbers_of(values[name], field, f"{where}[].{name}")
            field.check_shape(arrays[name].shape, f"{where}[].{name}", model.limits)
    return arrays


def _value(row: dict[str, Any], field: Field, where: str) -> Any:
    if field.name not in row:
        if field.is_string:
            return b""
        raise Refusal(f"`{where}` is missing; it must be {field.describe()}.")
    value = row[field.name]
    return bytes_of(value, field, where) if field.is_string else value


def _columns(
    model: ServedModel, endpoint: Endpoint, columns: Any
) -> dict[str, np.ndarray]:
    """Return the arrays of a dict of columns."""
    if not isinstance(columns, dict):
        raise Refusal(
            f"`inputs` must be an object with any of {_list(endpoint.fields)}; "
            f"received {shown(columns)}."
        )
    arrays = {}
    for name, values in columns.items():
        where = f"inputs.{name[:60]}"
        field = endpoint.field(name, where)
        if not isinstance(values, list):
            raise Refusal(
                f"`{where}` must be a list, one value a row; received {shown(values)}."
            )
        if field.is_string:
            field.check_shape((len(values),), where, model.limits)
            items = enumerate(values)
            strings = [bytes_of(v, field, f"{where}[{n}]") for n, v in items]
            arrays[name] = np.array(strings, object)
        else:
            arrays[name] = numbers_of(values, field, where)
            field.check_shape(arrays[name].shape, where, model.limits)
    return arrays


def _alone(outputs: dict[str, Any]) -> Any:
    """Return the only output without its name, or all with theirs."""
    return next(iter(outputs.values())) if len(outputs) == 1 else outputs


def _json(value: dict) -> bytes:
    return json.dumps(value, separators=(",", ":")).encode()


def _list(names: Any) -> str:
    return ", ".join(names)
