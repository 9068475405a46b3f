"""Values of JSON become arrays, and arrays values of JSON."""

from __future__ import annotations

import base64
import binascii
import json
from typing import Any, NoReturn

import numpy as np

from keras_jtav.service.fields import Field
from keras_jtav.service.refusal import Refusal, shown

ENCODED = "b64"
TAKEN = {"f": (int, float), "i": (int,), "b": (bool,)}  # by numpy's kind of a type


def parse_json(text: bytes, where: str = "the body") -> dict[str, Any]:
    """Return the JSON object of a request.

    Args:
        text: UTF-8.
        where: What the text is, for messages.

    Raises:
        Refusal: No JSON, none that RFC 8259 allows, or no object.
    """
    try:
        value = json.loads(text, parse_constant=_refuse_constant)
    except RecursionError:
        raise Refusal(f"{where} is nested too deep.") from None
    except ValueError as error:  # no UTF-8, too, and numbers of thousands of digits
        raise Refusal(f"{where} is no JSON: {str(error)[:200]}.") from None
    if not isinstance(value, dict):
        raise Refusal(
            f"{where} must be a JSON object; received {_kind(value)} {shown(value)}."
        )
    return value


def bytes_of(value: Any, field: Field, where: str) -> bytes:
    """Return a text or a medium: a string, or ``{"b64": "..."}``.

    Args:
        value: From JSON.
        field: The input that it belongs to.
        where: How the client knows this value.

    Raises:
        Refusal: Another type, bad base64, or a medium that is not in base64.
    """
    if isinstance(value, dict) and set(value) == {ENCODED}:
        return from_base64(value[ENCODED], f"{where}.{ENCODED}")
    if not isinstance(value, str):
        wanted = '{"b64": "..."}' if field.is_media else 'a string or {"b64": "..."}'
        raise Refusal(
            f"`{where}` must be {wanted}; received {_kind(value)} {shown(value)}."
        )
    if field.is_media and value:
        raise Refusal(
            f"`{where}` must be the file's bytes in base64, as "
            f'{{"b64": "..."}}; received the string {shown(value)}. A missing one is '
            "left out."
        )
    return text_bytes(value, where)


def from_base64(value: Any, where: str) -> bytes:
    """Return the bytes that a string of base64 stands for.

    Raises:
        Refusal: No string, or not base64.
    """
    if not isinstance(value, str):
        raise Refusal(
            f"`{where}` must be a string of base64; received {_kind(value)} "
            f"{shown(value)}."
        )
    try:
        return base64.b64decode(value, validate=True)
    except (binascii.Error, ValueError) as error:
        raise Refusal(f"`{where}` is no base64: {error}.") from None


def text_bytes(value: str, where: str) -> bytes:
    """Return a text in UTF-8.

    Raises:
        Refusal: Halves of characters, which JSON can write and UTF-8 cannot.
    """
    try:
        return value.encode()
    except UnicodeEncodeError:
        raise Refusal(f"`{where}` holds half a character (a lone surrogate).") from None


def numbers_of(value: Any, field: Field, where: str) -> np.ndarray:
    """Return nested lists of numbers as an array of the input's type.

    Raises:
        Refusal: No regular array, another type, or a number that is out of range.
    """
    # As objects: an array of strings would give each of them the longest one's room.
    array = np.array(value, object)
    taken = TAKEN[field.dtype.kind]
    wrong = next((item for item in array.flat if type(item) not in taken), None)
    if isinstance(wrong, list):
        raise Refusal(
            f"`{where}` must be {field.describe()}; received lists of unequal lengths."
        )
    if wrong is not None or None in array.flat:
        raise Refusal(
            f"`{where}` must be {field.describe()}; received {_kind(wrong)} "
            f"{shown(wrong)}."
        )
    try:
        with np.errstate(over="ignore"):
            numbers = array.astype(field.dtype)
        fits = field.dtype.kind != "f" or bool(np.isfinite(numbers).all())
    except OverflowError:
        fits = False
    if not fits:
        raise Refusal(
            f"`{where}` holds a number that {field.dtype.name} has no place for."
        )
    return numbers


def to_json(array: np.ndarray) -> Any:
    """Return an array as values of JSON; float32 survive exactly.

    Bytes that are no UTF-8 become ``{"b64": "..."}``, numbers that JSON has no name
    for ``null``.

    Example:
        >>> to_json(np.array([0.5, np.nan], "float32"))
        [0.5, None]
    """
    if array.dtype.kind == "f" and not np.isfinite(array).all():
        array = np.where(np.isfinite(array), array.astype(object), None)
    if array.dtype != object:
        return array.tolist()
    return _strings(array.tolist())


def _strings(value: Any) -> Any:
    if isinstance(value, list):
        return [_strings(item) for item in value]
    if not isinstance(value, bytes):
        return value
    try:
        return value.decode()
    except UnicodeDecodeError:
        return {ENCODED: base64.b64encode(value).decode()}


def _kind(value: Any) -> str:
    names = {dict: "an object", list: "a list", str: "a string", bool: "a truth value"}
    return "null" if value is None else names.get(type(value), "a number")


def _refuse_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is no number of JSON")
