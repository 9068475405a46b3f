"""A request that is not answered, and what its sender is told."""

from __future__ import annotations

from http import HTTPStatus


class Refusal(Exception):
    """Says why a request gets no answer; the text goes to the client.

    Args:
        message: What was received, what was expected, and where.
        status: As in HTTP; the gRPC services turn it into their own codes.
    """

    def __init__(
        self, message: str, status: HTTPStatus = HTTPStatus.BAD_REQUEST
    ) -> None:
        super().__init__(message)
        self.status = status


def shown(value: object, length: int = 60) -> str:
    """Return a value as a message shows it: cut, so that no request is sent back whole.

    Example:
        >>> shown("a" * 100, 10)
        "'aaaaaa..."
    """
    text = repr(value[: 2 * length] if isinstance(value, str | bytes) else value)
    return text if len(text) <= length else text[: length - 3] + "..."
