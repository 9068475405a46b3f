"""Questions over gRPC: version 2 of the protocol, and TensorFlow Serving's Predict."""

from __future__ import annotations

from http import HTTPStatus
from typing import Any

import grpc
from google.protobuf.message import DecodeError
from kserve.protocol.dataplane import DataPlane
from kserve.protocol.grpc import grpc_predict_v2_pb2 as messages
from kserve.protocol.grpc.interceptors import ExceptionToStatusInterceptor
from kserve.protocol.grpc.servicer import InferenceServicer
from kserve.protocol.model_repository_extension import ModelRepositoryExtension

from keras_jtav.service.predict_messages import METHOD, PredictRequest, predict_tensors
from keras_jtav.service.refusal import Refusal
from keras_jtav.service.routes import ask
from keras_jtav.service.served_model import ServedModel
from keras_jtav.service.tensors import (
    Tensor,
    TensorRequest,
    describe_output,
    infer,
    to_raw,
)

CODES = {
    HTTPStatus.BAD_REQUEST: grpc.StatusCode.INVALID_ARGUMENT,
    HTTPStatus.FORBIDDEN: grpc.StatusCode.PERMISSION_DENIED,
    HTTPStatus.NOT_FOUND: grpc.StatusCode.NOT_FOUND,
    HTTPStatus.SERVICE_UNAVAILABLE: grpc.StatusCode.UNAVAILABLE,
    HTTPStatus.GATEWAY_TIMEOUT: grpc.StatusCode.DEADLINE_EXCEEDED,
}
# Of a tensor that is not sent as raw bytes: the field that has the values of each type.
CONTENTS = {
    "BYTES": "bytes_contents",
    "BOOL": "bool_contents",
    "FP32": "fp32_contents",
    "INT32": "int_contents",
    "INT64": "int64_contents",
}


class Interceptor(ExceptionToStatusInterceptor):
    """Turns refusals into gRPC's codes, as KServe's does with its own errors."""

    async def handle_exception(
        self, ex: Exception, request_or_iterator: Any, context: Any, method_name: str
    ) -> None:
        """End a call with what its client is told."""
        if isinstance(ex, Refusal):
            code = CODES.get(ex.status, grpc.StatusCode.INTERNAL)
            await context.abort(code, str(ex))
        await super().handle_exception(ex, request_or_iterator, context, method_name)


class TensorService(InferenceServicer):
    """KServe's service of version 2, with our reader of tensors.

    Args:
        dataplane: KServe's way to its models.
        models: KServe's list of them.
    """

    def __init__(self, dataplane: DataPlane, models: ModelRepositoryExtension) -> None:
        super().__init__(dataplane, models)
        self._dataplane = dataplane

    async def ModelInfer(
        self, request: messages.ModelInferRequest, context: Any
    ) -> messages.ModelInferResponse:
        """Answer tensors; all outputs are sent as raw bytes."""
        return await ask(
            self._dataplane,
            request.model_name,
            request.model_version,
            lambda model: _infer_message(model, request),
        )

    async def RepositoryModelLoad(self, request: Any, context: Any) -> None:
        """Refuse."""
        raise _stay(request.model_name)

    async def RepositoryModelUnload(self, request: Any, context: Any) -> None:
        """Refuse."""
        raise _stay(request.model_name)


def predict_handler(dataplane: DataPlane) -> grpc.GenericRpcHandler:
    """Return TensorFlow Serving's ``PredictionService``, of which ``Predict``."""

    async def predict(content: bytes, context: Any) -> bytes:
        try:
            request = PredictRequest.FromString(content)
        except DecodeError:
            raise Refusal("The request is no `PredictRequest`.") from None
        spec = request.model_spec
        version = str(spec.version.value) if spec.HasField("version") else ""

        def question(model: ServedModel) -> bytes:
            return predict_tensors(model, request).SerializeToString()

        return await ask(dataplane, spec.name, version, question)

    service, method = METHOD.lstrip("/").split("/")
    # Without a deserializer the bytes arrive as they are: gRPC would call a request
    # that cannot be read an internal error.
    handler = grpc.unary_unary_rpc_method_handler(predict)
    return grpc.method_handlers_generic_handler(service, {method: handler})


def _infer_message(
    model: ServedModel, request: messages.ModelInferRequest
) -> messages.ModelInferResponse:
    raw = list(request.raw_input_contents)
    if raw and len(raw) != len(request.inputs):
        raise Refusal(
            f"`raw_input_contents` has {len(raw)} parts for {len(request.inputs)} "
            "`inputs`; give one for each."
        )
    tensors = [
        Tensor(
            tensor.name,
            tensor.datatype,
            list(tensor.shape),
            _values(tensor),
            raw[number] if raw else None,
        )
        for number, tensor in enumerate(request.inputs)
    ]
    signature = request.parameters["signature_name"].string_param
    outputs = [output.name for output in request.outputs]
    answer = infer(model, TensorRequest(tensors, signature, outputs))
    response = messages.ModelInferResponse(
        id=request.id, model_name=model.name, model_version=model.version
    )
    for name, array in answer.items():
        response.outputs.add(**describe_output(name, array))
        response.raw_output_contents.append(to_raw(array))
    return response


def _values(tensor: messages.ModelInferRequest.InferInputTensor) -> list:
    return list(getattr(tensor.contents, CONTENTS.get(tensor.datatype, "int_contents")))


def _stay(name: str) -> Refusal:
    return Refusal(
        f"Models of this service stay: {name!r} is not loaded or unloaded.",
        HTTPStatus.FORBIDDEN,
    )
