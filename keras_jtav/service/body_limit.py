"""Refuses a request whose body is too large, without keeping it."""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable
from http import HTTPStatus
from typing import Any

from keras_jtav.service.limits import MEBIBYTE
from keras_jtav.service.refusal import Refusal

PATIENCE = 8
Message = dict[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
Application = Callable[[dict, Receive, Send], Awaitable[None]]


class BodyLimit:
    """ASGI middleware that counts the bytes of a body while they arrive.

    The rest of a body that is too large is read and dropped, up to ``PATIENCE`` times
    the limit: most clients send all before they read an answer.

    Args:
        app: What is asked.
        max_body_bytes: Largest body.
    """

    def __init__(self, app: Application, max_body_bytes: int) -> None:
        self._app = app
        self._max_body_bytes = max_body_bytes

    async def __call__(self, scope: dict, receive: Receive, send: Send) -> None:
        """Pass a request on, or answer it with status 413."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        length = dict(scope["headers"]).get(b"content-length", b"")
        if length.isdigit() and int(length) > self._max_body_bytes:
            await self._drop(receive, 0)
            await _answer(send, self._refusal(int(length)))
            return
        received = 0

        async def counted() -> Message:
            nonlocal received
            message = await receive()
            received += len(message.get("body", b""))
            if received > self._max_body_bytes:  # sent in chunks, without a length
                if message.get("more_body", False):
                    received = await self._drop(receive, received)
                raise self._refusal(received)
            return message

        await self._app(scope, counted, send)

    async def _drop(self, receive: Receive, received: int) -> int:
        """Read on, and return how many bytes there were."""
        more = True
        while more and received <= PATIENCE * self._max_body_bytes:
            message = await receive()
            received += len(message.get("body", b""))
            more = message.get("more_body", False)
        return received

    def _refusal(self, size: int) -> Refusal:
        return Refusal(
            f"The body must be at most {self._max_body_bytes / MEBIBYTE:g} MiB; "
            f"received {size / MEBIBYTE:.1f} or more. Send fewer rows at once.",
            HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
        )


async def _answer(send: Send, refusal: Refusal) -> None:
    body = json.dumps({"error": str(refusal)}).encode()
    headers = [
        (b"content-type", b"application/json"),
        (b"content-length", str(len(body)).encode()),
    ]
    status = int(refusal.status)
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body})
