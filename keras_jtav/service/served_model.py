"""What an exported model takes, checked before it is called."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from http import HTTPStatus
from pathlib import Path
from typing import Any

import numpy as np

from keras_jtav.service.fields import Endpoint, Field
from keras_jtav.service.limits import Limits
from keras_jtav.service.refusal import Refusal, shown
from keras_jtav.serving.predictor import Predictor

DEFAULT_ENDPOINT = "serving_default"


class ServedModel:
    """An exported model that is asked by others.

    Args:
        folder: A numbered version, such as ``exported_models/sentiment/1``.
        limits: Of the service.

    Attributes:
        name: What clients call it: the folder's parent, ``sentiment``.
        version: ``1``.
        endpoints: By name.
        limits: The argument.

    Raises:
        FileNotFoundError: The folder holds no SavedModel.
    """

    def __init__(self, folder: str | Path, limits: Limits) -> None:
        self._predictor = Predictor(folder)
        self.name = name_of(folder)
        self.version = Path(folder).resolve().name
        self.limits = limits
        signatures = self._predictor.saved_model.signatures
        queries = set()
        if "encode_query" in signatures:
            queries = set(signatures["encode_query"].structured_outputs)
        self.endpoints = {
            name: _endpoint(name, function, queries)
            for name, function in signatures.items()
        }

    def endpoint(self, name: Any = None) -> Endpoint:
        """Return an endpoint by its name, ``serving_default`` where none is given.

        Raises:
            Refusal: There is none.
        """
        name = DEFAULT_ENDPOINT if name in (None, "") else name
        if not isinstance(name, str) or name not in self.endpoints:
            raise Refusal(
                f"`signature_name` {shown(name)} is no endpoint of {self.name}; they "
                f"are: {', '.join(sorted(self.endpoints))}."
            )
        return self.endpoints[name]

    def check_name(self, name: str, version: str = "") -> None:
        """Refuse a request for another model or version.

        Raises:
            Refusal: With the status 404.
        """
        if name != self.name or version not in ("", self.version):
            wanted = f"{shown(name)}{' version ' + version if version else ''}"
            raise Refusal(
                f"There is no model {wanted} here; there is {self.name!r} version "
                f"{self.version}.",
                HTTPStatus.NOT_FOUND,
            )

    def answer(
        self, endpoint: Endpoint, given: Mapping[str, np.ndarray]
    ) -> dict[str, np.ndarray]:
        """Call an endpoint.

        Args:
            endpoint: Which.
            given: Arrays of its inputs, each with a shape that was checked. Strings
                that are not given are missing in all rows.

        Raises:
            Refusal: Nothing at all, a number that is missing, unequal lengths, or too
                many pairs.
        """
        rows = _rows(endpoint, given)
        if rows.get("queries", 1) * rows.get("songs", 1) > self.limits.max_pairs:
            raise Refusal(
                f"`{endpoint.name}` scores at most {self.limits.max_pairs} pairs at "
                f"once; received {rows['queries']} queries and {rows['songs']} songs."
            )
        arrays = dict(given)
        for name, field in endpoint.fields.items():
            if name not in arrays:
                if not field.is_string:
                    raise Refusal(
                        f"`inputs.{name}` is missing; `{endpoint.name}` needs it: "
                        f"{field.describe()}."
                    )
                arrays[name] = np.full(rows[field.of], b"", object)
        answer = self._predictor.call(endpoint.name, **arrays)
        # TensorFlow gives a string without axes as Python's bytes.
        strings = {
            n: np.array(v, object) for n, v in answer.items() if type(v) is bytes
        }
        return {**answer, **strings}

    def warm_up(self) -> None:
        """Call every endpoint once: a graph's first call prepares it."""
        encodings: dict[str, np.ndarray] = {}
        for endpoint in self.endpoints.values():
            if all(field.is_string for field in endpoint.fields.values()):
                nothing = {n: np.full(1, b"", object) for n in endpoint.fields}
                encodings |= self._predictor.call(endpoint.name, **nothing)
        if "score" in self.endpoints:
            score = self.endpoints["score"]
            self.answer(score, {name: encodings[name] for name in score.fields})


def name_of(folder: str | Path) -> str:
    """Return what clients call the model of a numbered version.

    Example:
        >>> name_of("exported_models/sentiment/1")
        'sentiment'
    """
    return Path(folder).resolve().parent.name


def _endpoint(name: str, function: Any, queries: set[str]) -> Endpoint:
    """Return what a signature of a SavedModel says of itself.

    Args:
        name: Its name.
        function: What ``saved_model.signatures`` holds.
        queries: Names of the encodings of queries.
    """

    def described(specs: Mapping[str, Any], of: Callable[[str], str]) -> list[Field]:
        return [
            Field(n, np.dtype(spec.dtype.as_numpy_dtype), tuple(spec.shape), of(n))
            for n, spec in sorted(specs.items())
        ]

    def side(field: str) -> str:
        if name != "score":
            return "rows"
        return "queries" if field in queries else "songs"

    inputs = described(function.structured_input_signature[1], side)
    outputs = described(function.structured_outputs, lambda _: "rows")
    return Endpoint(name, inputs, outputs)


def _rows(endpoint: Endpoint, given: Mapping[str, np.ndarray]) -> dict[str, int]:
    """Return the number of rows, of queries and of songs.

    Raises:
        Refusal: Nothing is given, or unequal lengths.
    """
    if endpoint.fields and not given:
        raise Refusal(
            "`inputs` is empty; give at least one of: " + ", ".join(endpoint.fields)
        )
    rows: dict[str, tuple[str, int]] = {}
    for name, array in given.items():
        kind = endpoint.fields[name].of
        first, expected = rows.setdefault(kind, (name, len(array)))
        if len(array) != expected:
            raise Refusal(
                f"`inputs.{name}` has {len(array)} {kind} and `inputs.{first}` has "
                f"{expected}; give as many of each."
            )
    return {kind: number for kind, (_, number) in rows.items()}
