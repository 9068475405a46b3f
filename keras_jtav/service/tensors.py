"""Version 2 of the protocol, the Open Inference Protocol: named tensors.

In JSON the values of ``image`` and ``audio`` are base64; in binary all strings are raw
bytes, each behind its length (four bytes, little-endian). The parameter
``signature_name`` of a request names the endpoint. One reader serves REST and gRPC;
KServe's own reads binary strings as UTF-8, which a picture is not.
Source: Open Inference Protocol, and its extension for binary tensor data.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from keras_jtav.service.fields import Endpoint, Field
from keras_jtav.service.json_values import (
    from_base64,
    numbers_of,
    text_bytes,
    to_json,
)
from keras_jtav.service.refusal import Refusal, shown
from keras_jtav.service.served_model import ServedModel

DATATYPES = {
    "object": "BYTES",
    "bool": "BOOL",
    "float32": "FP32",
    "int32": "INT32",
    "int64": "INT64",
}
LENGTH = struct.Struct("<I")


@dataclass(frozen=True)
class Tensor:
    """One tensor as it was sent.

    Args:
        name: Of the input.
        datatype: Such as ``BYTES``.
        shape: Of the array.
        values: A list from JSON, or from the fields of a gRPC message.
        raw: Its bytes, where it was sent in binary.
    """

    name: Any
    datatype: Any
    shape: Any
    values: Any = None
    raw: bytes | None = None


@dataclass(frozen=True)
class TensorRequest:
    """A request of version 2, in whichever way it came.

    Args:
        tensors: Its inputs.
        signature_name: The endpoint, or ``None``.
        outputs: Names of the outputs it asks for; none for all.
        is_base64: Whether media are base64, as they are in JSON.
    """

    tensors: Sequence[Tensor]
    signature_name: Any = None
    outputs: Sequence[Any] = field(default_factory=tuple)
    is_base64: bool = False


def datatype_of(dtype: np.dtype) -> str:
    """Return a type's name in the protocol.

    Example:
        >>> datatype_of(np.dtype("float32"))
        'FP32'
    """
    return DATATYPES[dtype.name]


def infer(model: ServedModel, request: TensorRequest) -> dict[str, np.ndarray]:
    """Answer a request of version 2.

    Returns:
        The outputs that it asked for, in its order.

    Raises:
        Refusal: A request that does not fit the model; it names the field.
    """
    endpoint = model.endpoint(request.signature_name)
    wanted = list(request.outputs) or list(endpoint.outputs)
    for name in wanted:
        if name not in endpoint.outputs:
            raise Refusal(
                f"`outputs`: {shown(name)} is no output of `{endpoint.name}`; its "
                f"outputs are: {', '.join(endpoint.outputs)}."
            )
    arrays: dict[str, np.ndarray] = {}
    for tensor in request.tensors:
        name, array = _array(model, endpoint, tensor, request.is_base64)
        if name in arrays:
            raise Refusal(f"`inputs.{name}` is given twice.")
        arrays[name] = array
    answer = model.answer(endpoint, arrays)
    return {name: answer[name] for name in wanted}


def _array(
    model: ServedModel, endpoint: Endpoint, tensor: Tensor, is_base64: bool
) -> tuple[str, np.ndarray]:
    where = f"inputs.{str(tensor.name)[:60]}"
    taken = endpoint.field(tensor.name, where)
    if tensor.datatype != datatype_of(taken.dtype):
        raise Refusal(
            f"`{where}` must have the datatype {datatype_of(taken.dtype)}; received "
            f"{shown(tensor.datatype)}."
        )
    shape = tensor.shape
    if not isinstance(shape, list) or not all(type(size) is int for size in shape):
        raise Refusal(f"`{where}.shape` must be a list of sizes; got {shown(shape)}.")
    taken.check_shape(shape, where, model.limits)
    if tensor.raw is not None:
        array = _from_raw(tensor.raw, taken, shape, where)
    else:
        array = _from_values(tensor.values, taken, shape, where, is_base64)
    return taken.name, array.reshape(shape)


def _from_values(
    values: Any, taken: Field, shape: list[int], where: str, is_base64: bool
) -> np.ndarray:
    if not isinstance(values, list):
        raise Refusal(f"`{where}.data` must be a list; received {shown(values)}.")
    if taken.is_string:
        array = np.empty(len(values), object)
        for number, value in enumerate(values):
            here = f"{where}.data[{number}]"
            array[number] = _string(value, taken, here, is_base64)
    else:
        array = numbers_of(values, taken, f"{where}.data")
    _check_size(array.size, shape, where)
    return array


def _string(value: Any, taken: Field, where: str, is_base64: bool) -> bytes:
    if isinstance(value, bytes):  # from gRPC
        return value
    if is_base64 and taken.is_media:
        return from_base64(value, where)
    if not isinstance(value, str):
        raise Refusal(f"`{where}` must be a string; received {shown(value)}.")
    return text_bytes(value, where)


def _from_raw(raw: bytes, taken: Field, shape: list[int], where: str) -> np.ndarray:
    if taken.is_string:
        strings = list(split_strings(raw, where))
        _check_size(len(strings), shape, where)
        return np.array(strings, object)
    count, rest = divmod(len(raw), taken.dtype.itemsize)
    if rest:
        raise Refusal(
            f"`{where}` holds {len(raw)} bytes, which are no whole number of "
            f"{taken.dtype.name}."
        )
    _check_size(count, shape, where)
    # Copied: a view of a message's bytes may lie at an odd address.
    return np.frombuffer(raw, taken.dtype.newbyteorder("<")).astype(taken.dtype)


def split_strings(raw: bytes, where: str) -> Iterator[bytes]:
    """Yield strings that stand one after the other, each behind its length.

    Raises:
        Refusal: Bytes that end within a string.

    Example:
        >>> list(split_strings(join_strings([b"", b"so"]), "inputs.caption"))
        [b'', b'so']
    """
    position = 0
    while position < len(raw):
        start = position + LENGTH.size
        if start > len(raw):
            raise Refusal(f"`{where}` ends within the length of a string.")
        (length,) = LENGTH.unpack_from(raw, position)
        position = start + length
        if position > len(raw):
            raise Refusal(
                f"`{where}` announces a string of {length} bytes and holds "
                f"{len(raw) - start} of them."
            )
        yield raw[start:position]


def join_strings(strings: Sequence[bytes]) -> bytes:
    """Return strings one after the other, each behind its length."""
    return b"".join(LENGTH.pack(len(string)) + string for string in strings)


def to_raw(array: np.ndarray) -> bytes:
    """Return an array as the protocol sends it in binary."""
    if array.dtype == object:
        return join_strings(array.ravel().tolist())
    return array.astype(array.dtype.newbyteorder("<")).tobytes()


def describe_output(name: str, array: np.ndarray) -> dict[str, Any]:
    """Return what a response says of an output, without its values."""
    shape = list(array.shape)
    return {"name": name, "datatype": datatype_of(array.dtype), "shape": shape}


def values_of(array: np.ndarray) -> list:
    """Return the values of an output, flat, as a response in JSON has them."""
    return to_json(array.ravel())


def describe_fields(fields: Mapping[str, Field]) -> list[dict[str, Any]]:
    """Return what the metadata say of inputs; a size of -1 may vary."""
    return [
        {
            "name": name,
            "datatype": datatype_of(taken.dtype),
            "shape": [-1 if size is None else size for size in taken.shape],
        }
        for name, taken in fields.items()
    ]


def _check_size(size: int, shape: list[int], where: str) -> None:
    expected = int(np.prod(shape, dtype=np.int64))
    if size != expected:
        raise Refusal(
            f"`{where}` has the shape {shape}, which takes {expected} values; "
            f"received {size}."
        )
