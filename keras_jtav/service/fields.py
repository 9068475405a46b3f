"""Inputs and outputs of an endpoint, and what an input may look like."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from keras_jtav.service.limits import Limits
from keras_jtav.service.refusal import Refusal, shown

MEDIA = ("image", "audio")
STRING = np.dtype(object)


@dataclass(frozen=True)
class Field:
    """One input of an endpoint.

    Args:
        name: Its name.
        dtype: Its type; ``object`` for strings.
        shape: With the batch axis; ``None`` may have any size.
        of: What its rows are: ``rows``, or in ``score`` ``queries`` or ``songs``.
    """

    name: str
    dtype: np.dtype
    shape: tuple[int | None, ...]
    of: str = "rows"

    @property
    def is_string(self) -> bool:
        """Whether it holds texts or encoded media."""
        return self.dtype == STRING

    @property
    def is_media(self) -> bool:
        """Whether it holds the bytes of files."""
        return self.is_string and self.name in MEDIA

    def describe(self) -> str:
        """Return type and shape for a message.

        Example:
            >>> Field("image_vector", np.dtype("float32"), (None, 8)).describe()
            'float32 (rows, 8)'
        """
        sizes = [self.of, *("any" if n is None else str(n) for n in self.shape[1:])]
        inner = ", ".join(sizes) + ("," if len(sizes) == 1 else "")
        return f"{'string' if self.is_string else self.dtype.name} ({inner})"

    def check_shape(self, shape: Sequence[int], where: str, limits: Limits) -> None:
        """Refuse a shape that does not fit, before anything of it is decoded.

        Args:
            shape: Received.
            where: How the client knows this input.
            limits: Of the service.

        Raises:
            Refusal: Other axes or sizes, no rows, or too many.
        """
        fits = len(shape) == len(self.shape) and all(
            expected in (None, size) and size >= 0
            for size, expected in zip(shape, self.shape, strict=True)
        )
        if not fits:
            raise Refusal(
                f"`{where}` must be {self.describe()}; received the shape "
                f"{shown(tuple(shape))}."
            )
        # What one query is compared with may be more than a batch.
        most = limits.max_rows if self.of == "rows" else limits.max_pairs
        if not 1 <= shape[0] <= most:
            raise Refusal(
                f"`{where}` must have 1 to {most} {self.of}; received {shape[0]}."
            )


class Endpoint:
    """One signature of a model.

    Args:
        name: Its name.
        fields: Its inputs.
        outputs: What it answers.
    """

    def __init__(
        self, name: str, fields: Sequence[Field], outputs: Sequence[Field]
    ) -> None:
        self.name = name
        self.fields = {field.name: field for field in fields}
        self.outputs = {field.name: field for field in outputs}

    def field(self, name: Any, where: str) -> Field:
        """Return an input by its name.

        Raises:
            Refusal: There is none.
        """
        if not isinstance(name, str) or name not in self.fields:
            known = ", ".join(self.fields) or "none"
            raise Refusal(
                f"`{where}` is no input of `{self.name}`; its inputs are: {known}."
            )
        return self.fields[name]
