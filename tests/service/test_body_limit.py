import asyncio
import json

import pytest

from keras_jtav.service.body_limit import BodyLimit
from keras_jtav.service.refusal import Refusal


def ask(chunks, headers=(), kind="http"):
    """Send chunks to an application that reads them all; return what it answers."""
    sent, waiting = [], list(chunks)

    async def receive():
        body = waiting.pop(0)
        return {"type": "http.request", "body": body, "more_body": bool(waiting)}

    async def send(message):
        sent.append(message)

    async def app(scope, receive, send):
        message, size = await receive(), 0
        while True:
            size += len(message["body"])
            if not message["more_body"]:
                break
            message = await receive()
        await send({"size": size})

    scope = {"type": kind, "headers": list(headers)}
    asyncio.run(BodyLimit(app, 2**20)(scope, receive, send))
    return sent


def test_a_body_within_the_limit_passes():
    assert ask([b"x" * 2**19] * 2) == [{"size": 2**20}]
    length = (b"content-length", str(2**20).encode())
    assert ask([b"x" * 2**20], [length]) == [{"size": 2**20}]
    assert ask([b"x" * 2**21], kind="websocket") == [{"size": 2**21}]


def test_a_length_above_it_is_refused():
    chunks = [b"x" * 2**19] * 3
    start, body = ask(chunks, [(b"content-length", str(3 * 2**19).encode())])
    assert start["status"] == 413
    said = json.loads(body["body"])["error"]
    assert said.startswith("The body must be at most 1 MiB; received 1.5 or more.")
    assert dict(start["headers"])[b"content-length"] == str(len(body["body"])).encode()


def test_chunks_above_it_are_refused():
    for chunks in ([b"x" * 2**20, b"y"], [b"x" * 2**20, b"y", b"z" * 2**20]):
        with pytest.raises(Refusal, match="at most 1 MiB") as caught:
            ask(chunks)
        assert caught.value.status == 413


@pytest.mark.parametrize("headers", [[], [(b"content-length", b"99999999")]])
def test_what_never_ends_is_not_read_to_its_end(headers):
    taken = []

    def endless():
        while True:
            taken.append(2**20)
            yield b"x" * 2**20

    sent, chunks = [], endless()

    async def receive():
        return {"type": "http.request", "body": next(chunks), "more_body": True}

    async def send(message):
        sent.append(message)

    async def app(scope, receive, send):
        while True:
            await receive()

    limit = BodyLimit(app, 2**20)({"type": "http", "headers": headers}, receive, send)
    if headers:
        asyncio.run(limit)
        assert sent[0]["status"] == 413
    else:
        with pytest.raises(Refusal, match="at most 1 MiB"):
            asyncio.run(limit)
    assert len(taken) == 9
