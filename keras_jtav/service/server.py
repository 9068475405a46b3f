"""KServe's model server, on loopback and within limits."""

from __future__ import annotations

import asyncio
import logging
import signal
import socket
import warnings
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import grpc
import uvicorn
from fastapi.exceptions import FastAPIDeprecationWarning
from kserve import ModelServer
from kserve.constants.constants import FASTAPI_APP_IMPORT_STRING
from kserve.errors import InvalidInput, ModelNotFound
from kserve.model_server import app
from kserve.protocol.grpc.grpc_predict_v2_pb2_grpc import (
    add_GRPCInferenceServiceServicer_to_server,
)
from kserve.protocol.rest.server import RESTServer

from keras_jtav import console
from keras_jtav.service.body_limit import BodyLimit
from keras_jtav.service.grpc_services import (
    Interceptor,
    TensorService,
    predict_handler,
)
from keras_jtav.service.kserve_model import KServeModel
from keras_jtav.service.limits import Limits
from keras_jtav.service.routes import Routes
from keras_jtav.service.served_model import ServedModel, name_of
from keras_jtav.service.workers import Workers

HOST = "127.0.0.1"
# One line for every request, and what KServe does not have.
CHATTY = ("kserve", "kserve.trace", "uvicorn", "uvicorn.error", "uvicorn.access")


def serve(folders: Sequence[Path], limits: Limits, port: int, grpc_port: int) -> None:
    """Serve exported models until SIGTERM or SIGINT; then finish what is at work.

    Args:
        folders: Numbered versions, such as ``exported_models/sentiment/1``.
        limits: Of the service.
        port: For HTTP; 0 for any that is free.
        grpc_port: For gRPC; 0 for any that is free.

    Raises:
        FileNotFoundError: A folder without a SavedModel.
        ValueError: Two models of one name.
        OSError: A port that is taken, or given twice.
    """
    _check_names(folders)
    with _bound(port, "--port") as listener:  # told now, not when models are loaded
        listener.listen()  # a second socket could take the same port until then
        with _bound(grpc_port, "--grpc-port"):
            pass
    served = [ServedModel(folder, limits) for folder in folders]
    workers = Workers(limits)
    try:
        server = LoopbackServer(limits, port, grpc_port)
        models = [KServeModel(model, workers) for model in served]
        for model in models:
            model.load()
        server.start(models)
    finally:
        workers.close()


def _check_names(folders: Sequence[Path]) -> None:
    """Refuse folders whose models clients could not tell apart.

    Raises:
        ValueError: Two models of one name.
    """
    name, number = Counter(map(name_of, folders)).most_common(1)[0]
    if number > 1:
        raise ValueError(
            f"{number} of the models are called {name!r}, as their folders are. Serve "
            "each from a folder of its own name."
        )


class LoopbackServer(ModelServer):
    """KServe's server with our routes and limits; other machines do not reach it.

    KServe itself listens on all addresses, without a limit on bodies, and leaves
    signals to its HTTP server alone.

    Args:
        limits: Of the service.
        port: For HTTP; 0 for any that is free.
        grpc_port: For gRPC; 0 for any that is free.
    """

    def __init__(self, limits: Limits, port: int, grpc_port: int) -> None:
        super().__init__(
            http_port=port,
            grpc_port=grpc_port,
            workers=1,
            enable_latency_logging=False,
            grace_period=round(limits.grace_seconds),
        )
        for name in CHATTY:
            logging.getLogger(name).setLevel(logging.WARNING)
        logging.getLogger("kserve").addFilter(_is_ours_to_know)
        # KServe's answers to errors are of a class that FastAPI gives up.
        warnings.simplefilter("ignore", FastAPIDeprecationWarning)
        self._limits = limits

    def start(self, models: list[KServeModel]) -> None:
        """Serve models that are loaded, until a signal."""
        for model in models:
            self.register_model(model)
        Routes(self.dataplane, self._limits).add_to(app)  # before KServe's own
        RESTServer(
            FASTAPI_APP_IMPORT_STRING,
            self.dataplane,
            self.model_repository_extension,
            self.http_port,
        ).create_application()
        app.add_middleware(BodyLimit, max_body_bytes=self._limits.max_body_bytes)
        with _bound(self.http_port, "--port") as listener:
            asyncio.run(self._run(listener, [model.served for model in models]))

    async def _run(
        self, listener: socket.socket, models: Sequence[ServedModel]
    ) -> None:
        grpc_server, grpc_port = self._grpc()
        await grpc_server.start()
        http_server = _HttpServer(
            uvicorn.Config(
                app,
                log_config=None,
                access_log=False,
                lifespan="off",
                timeout_graceful_shutdown=self.grace_period,
            )
        )
        stop = asyncio.Event()
        for number in (signal.SIGINT, signal.SIGTERM):
            asyncio.get_running_loop().add_signal_handler(number, stop.set)
        http_task = asyncio.create_task(http_server.serve([listener]))
        while not (http_server.started or http_task.done()):
            await asyncio.sleep(0.01)
        port = listener.getsockname()[1]
        for model in models:
            console.say(f"http://{HOST}:{port}/v1/models/{model.name}:predict")
            console.say(f"http://{HOST}:{port}/v2/models/{model.name}/infer")
        console.say(f"{HOST}:{grpc_port} gRPC, KServe and TensorFlow Serving")
        console.say("SIGTERM or Ctrl-C ends, once what is at work is answered")
        stopped = asyncio.create_task(stop.wait())
        await asyncio.wait([stopped, http_task], return_when=asyncio.FIRST_COMPLETED)
        stopped.cancel()
        http_server.should_exit = True
        await asyncio.gather(http_task, grpc_server.stop(self.grace_period))

    def _grpc(self) -> tuple[grpc.aio.Server, int]:
        """Return the gRPC server, and its port."""
        server = grpc.aio.server(
            interceptors=[Interceptor()],
            options=[
                ("grpc.max_receive_message_length", self._limits.max_body_bytes),
                ("grpc.max_send_message_length", -1),
                ("grpc.so_reuseport", 0),  # a port that is taken is an error
            ],
        )
        service = TensorService(self.dataplane, self.model_repository_extension)
        add_GRPCInferenceServiceServicer_to_server(service, server)
        server.add_generic_rpc_handlers((predict_handler(self.dataplane),))
        try:
            return server, server.add_insecure_port(f"{HOST}:{self.grpc_port}")
        except RuntimeError as error:
            raise _taken(self.grpc_port, "--grpc-port") from error


def _is_ours_to_know(record: logging.LogRecord) -> bool:
    """Return whether a record is of something else than what a client asked wrongly."""
    error = record.exc_info[1] if record.exc_info else None
    return not isinstance(error, (ModelNotFound, InvalidInput))


class _HttpServer(uvicorn.Server):
    """uvicorn's server, which leaves signals to us."""

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


@contextmanager
def _bound(port: int, option: str) -> Iterator[socket.socket]:
    """Take a port on loopback.

    Args:
        port: 0 for any that is free.
        option: What gives it on the command line.

    Raises:
        OSError: The port is taken.
    """
    with socket.socket() as listener:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            listener.bind((HOST, port))
        except OSError as error:
            raise _taken(port, option) from error
        yield listener


def _taken(port: int, option: str) -> OSError:
    return OSError(
        f"Port {port} on {HOST} is taken. Give another with {option}, or 0 for any "
        "that is free."
    )
