"""Questions over HTTP: versions 1 and 2 of the protocol.

They stand before KServe's own routes of the same names, whose reader of binary tensors
takes every string for UTF-8. Health, metadata and metrics are KServe's.
"""

from __future__ import annotations

import asyncio
import json
from http import HTTPStatus
from typing import Any

import fastapi
from fastapi import Request, Response
from kserve.protocol.dataplane import DataPlane
from starlette.requests import ClientDisconnect

from keras_jtav.service.kserve_model import Question
from keras_jtav.service.limits import Limits
from keras_jtav.service.refusal import Refusal
from keras_jtav.service.rows_and_columns import predict
from keras_jtav.service.served_model import ServedModel
from keras_jtav.service.tensor_bodies import HEADER, infer_body

CLOSED = 499  # the client went away; nobody reads it


class Routes:
    """Reads requests, asks the model, and writes what it answers.

    Args:
        dataplane: KServe's way to its models.
        limits: Of the service.
    """

    def __init__(self, dataplane: DataPlane, limits: Limits) -> None:
        self._dataplane = dataplane
        self._limits = limits

    def add_to(self, app: fastapi.FastAPI) -> None:
        """Add the routes and what they refuse with to KServe's application."""
        for versions in ("", "/versions/{version}"):
            for path, answer in (
                (f"/v1/models/{{name}}{versions}:predict", self.predict),
                (f"/v2/models/{{name}}{versions}/infer", self.infer),
            ):
                app.add_api_route(path, answer, methods=["POST"], response_model=None)
        # KServe lets anyone take a model away.
        path = "/v2/repository/models/{name}/{verb}"
        app.add_api_route(path, _keep, methods=["POST"], response_model=None)
        app.add_exception_handler(Refusal, _refuse)
        app.add_exception_handler(ClientDisconnect, _forget)

    async def predict(self, request: Request, name: str, version: str = "") -> Response:
        """Answer rows or columns."""
        body = await self._body(request)
        answer = await ask(
            self._dataplane, name, version, lambda model: predict(model, body)
        )
        return Response(answer, media_type="application/json")

    async def infer(self, request: Request, name: str, version: str = "") -> Response:
        """Answer tensors."""
        body = await self._body(request)
        length = request.headers.get(HEADER)
        answer, json_length = await ask(
            self._dataplane,
            name,
            version,
            lambda model: infer_body(model, body, length),
        )
        if json_length is None:
            return Response(answer, media_type="application/json")
        headers = {HEADER: str(json_length)}
        return Response(answer, headers=headers, media_type="application/octet-stream")

    async def _body(self, request: Request) -> bytes:
        seconds = self._limits.timeout_seconds
        try:
            return await asyncio.wait_for(request.body(), seconds)
        except TimeoutError:
            raise Refusal(
                f"The body did not arrive within {seconds:g} seconds.",
                HTTPStatus.REQUEST_TIMEOUT,
            ) from None


async def ask(dataplane: DataPlane, name: str, version: str, question: Question) -> Any:
    """Return what a model answers; KServe counts and times it.

    Raises:
        Refusal: Another version of the model, or a question that it does not take.
        kserve.errors.ModelNotFound: There is no such model.
    """

    def checked(model: ServedModel) -> Any:
        model.check_name(name, version)
        return question(model)

    answer, _ = await dataplane.infer(model_name=name, request=checked, headers={})
    return answer


async def _keep(name: str, verb: str) -> Response:
    raise Refusal(
        f"Models of this service stay: {verb!r} of {name!r} is not allowed.",
        HTTPStatus.FORBIDDEN,
    )


async def _refuse(_: Request, refusal: Refusal) -> Response:
    content = json.dumps({"error": str(refusal)})
    return Response(content, refusal.status, media_type="application/json")


async def _forget(_: Request, __: ClientDisconnect) -> Response:
    return Response(status_code=CLOSED)
