"""Messages of TensorFlow Serving's ``PredictionService/Predict``, and their tensors.

The official Python package with these messages pins other packages, so the few that
``Predict`` needs are declared here: what counts on the wire are the numbers and types
of fields. A tensor is kept as its bytes, which are encoded like a message, so that one
that cannot be read is refused by its name.
Source: TensorFlow Serving, ``apis/predict.proto`` and ``apis/model.proto``.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import tensorflow as tf
from google.protobuf import descriptor_pb2, descriptor_pool, message_factory
from google.protobuf.message import DecodeError
from tensorflow.core.framework import tensor_pb2

from keras_jtav.service.fields import Endpoint
from keras_jtav.service.refusal import Refusal, shown
from keras_jtav.service.served_model import ServedModel

METHOD = "/tensorflow.serving.PredictionService/Predict"
PACKAGE = "keras_jtav.predict"
_FIELD = descriptor_pb2.FieldDescriptorProto
# Of each message: its fields by name, with number and type. A type in capitals is a
# message; a map is a repeated message of keys and values.
MESSAGES: dict[str, dict[str, tuple[int, Any]]] = {
    "Version": {"value": (1, _FIELD.TYPE_INT64)},  # google.protobuf.Int64Value
    "ModelSpec": {
        "name": (1, _FIELD.TYPE_STRING),
        "version": (2, "Version"),
        "signature_name": (3, _FIELD.TYPE_STRING),
        "version_label": (4, _FIELD.TYPE_STRING),
    },
    "NamedTensor": {"key": (1, _FIELD.TYPE_STRING), "value": (2, _FIELD.TYPE_BYTES)},
    "PredictRequest": {
        "model_spec": (1, "ModelSpec"),
        "inputs": (2, ["NamedTensor"]),
        "output_filter": (3, [_FIELD.TYPE_STRING]),
    },
    "PredictResponse": {
        "outputs": (1, ["NamedTensor"]),
        "model_spec": (2, "ModelSpec"),
    },
}


def _message_classes() -> dict[str, type]:
    file = descriptor_pb2.FileDescriptorProto(
        name="keras_jtav/predict.proto", package=PACKAGE, syntax="proto3"
    )
    for name, declared in MESSAGES.items():
        message = file.message_type.add(name=name)
        for field_name, (number, kind) in declared.items():
            is_repeated = isinstance(kind, list)
            kind = kind[0] if is_repeated else kind
            label = _FIELD.LABEL_REPEATED if is_repeated else _FIELD.LABEL_OPTIONAL
            field = message.field.add(name=field_name, number=number, label=label)
            if isinstance(kind, str):
                field.type = _FIELD.TYPE_MESSAGE
                field.type_name = f".{PACKAGE}.{kind}"
            else:
                field.type = kind
    pool = descriptor_pool.DescriptorPool()
    pool.Add(file)
    return {
        name: message_factory.GetMessageClass(
            pool.FindMessageTypeByName(f"{PACKAGE}.{name}")
        )
        for name in MESSAGES
    }


_CLASSES = _message_classes()
PredictRequest, PredictResponse = (
    _CLASSES["PredictRequest"],
    _CLASSES["PredictResponse"],
)


def predict_tensors(model: ServedModel, request: Any) -> Any:
    """Answer a ``PredictRequest`` by a ``PredictResponse``.

    Raises:
        Refusal: A request that does not fit the model; it names the field.
    """
    spec = request.model_spec
    endpoint = model.endpoint(spec.signature_name)
    wanted = list(request.output_filter) or list(endpoint.outputs)
    for name in wanted:
        if name not in endpoint.outputs:
            raise Refusal(
                f"`output_filter`: {shown(name)} is no output of `{endpoint.name}`; "
                f"its outputs are: {', '.join(endpoint.outputs)}."
            )
    arrays = {
        item.key: _array(model, endpoint, item.key, item.value)
        for item in request.inputs
    }
    answer = model.answer(endpoint, arrays)
    response = PredictResponse()
    response.model_spec.name = model.name
    response.model_spec.signature_name = endpoint.name
    if model.version.isdigit():
        response.model_spec.version.value = int(model.version)
    for name in wanted:
        tensor = tf.make_tensor_proto(answer[name]).SerializeToString()
        response.outputs.add(key=name, value=tensor)
    return response


def _array(
    model: ServedModel, endpoint: Endpoint, name: str, content: bytes
) -> np.ndarray:
    where = f"inputs.{name[:60]}"
    field = endpoint.field(name, where)
    try:
        tensor = tensor_pb2.TensorProto.FromString(content)
        dtype = np.dtype(tf.as_dtype(tensor.dtype).as_numpy_dtype)
    except (DecodeError, TypeError, ValueError, KeyError) as error:
        raise Refusal(f"`{where}` is no tensor: {str(error)[:200]}.") from None
    if dtype != field.dtype:
        raise Refusal(f"`{where}` must be {field.describe()}; received {dtype.name}.")
    sizes = [dim.size for dim in tensor.tensor_shape.dim]
    field.check_shape(sizes, where, model.limits)
    try:
        array = tf.make_ndarray(tensor)
    except (TypeError, ValueError, IndexError) as error:
        raise Refusal(
            f"`{where}` holds no values of its shape {sizes}: {str(error)[:200]}."
        ) from None
    return array.reshape(sizes)
