"""The service itself, asked by real clients; `make test-web` runs this in its own
environment."""

import base64
import contextlib
import http.client
import importlib.util
import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time

import numpy as np
import pytest
import tensorflow as tf

# Not imported: KServe and tritonclient declare messages of the same names.
if importlib.util.find_spec("kserve") is None:
    pytest.skip("KServe is not installed", allow_module_level=True)
pytest.importorskip("tensorflow_serving")
pytest.importorskip("tritonclient")

import grpc
import tritonclient.grpc
import tritonclient.http
from tensorflow_serving.apis import predict_pb2, prediction_service_pb2_grpc
from tritonclient.utils import InferenceServerException

PATIENCE_SECONDS = 300
ROWS = 4


def environment():
    """Return the environment of a user, without what the tests set."""
    return {k: v for k, v in os.environ.items() if k != "TF_CPP_MIN_LOG_LEVEL"}


class Service:
    """A service in a process of its own, and how it is asked."""

    def __init__(self, folder, log, *options):
        words = [sys.executable, "-m", "keras_jtav", "serve", str(folder)]
        words += ["--port", "0", "--grpc-port", "0", "--max-rows", str(ROWS)]
        self.log = log
        with open(log, "wb") as errors:
            self.process = subprocess.Popen(
                [*words, *options],
                stdout=subprocess.PIPE,
                stderr=errors,
                text=True,
                env=environment(),
            )
        lines = [self.process.stdout.readline() for _ in range(4)]
        assert "SIGTERM" in lines[3], f"{lines} {log.read_text()}"
        self.name = lines[0].split("/models/")[1].split(":")[0]
        self.host = lines[0].split("/")[2]
        self.grpc_host = lines[2].split()[0]

    def ask(self, method, path, body=None, headers=()):
        """Return status, headers and body of an answer."""
        connection = http.client.HTTPConnection(self.host, timeout=PATIENCE_SECONDS)
        with contextlib.closing(connection):
            connection.request(method, path, body, dict(headers))
            response = connection.getresponse()
            return response.status, response.headers, response.read()

    def post(self, body, path=None, headers=()):
        """Return status and JSON of an answer of version 1, or of another path."""
        text = body if isinstance(body, bytes) else json.dumps(body).encode()
        path = path or f"/v1/models/{self.name}:predict"
        status, _, answer = self.ask("POST", path, text, headers)
        return status, json.loads(answer)

    def stop(self, patience=PATIENCE_SECONDS):
        """End the service as a container does; return its exit status."""
        with self.process:
            self.process.send_signal(signal.SIGTERM)
            return self.process.wait(patience)


@pytest.fixture(scope="module")
def service(finished_run, tmp_path_factory):
    log = tmp_path_factory.mktemp("service") / "log"
    service = Service(finished_run[1].exported, log, "--max-body-mb", "1")
    yield service
    assert service.stop() == 0
    assert log.read_text() == ""  # nothing went wrong, whatever was asked


def as_json(part, value):
    is_media = part in ("image", "audio")
    return {"b64": base64.b64encode(value).decode()} if is_media else value.decode()


def same(found, expected, names=None):
    for name in names or expected:
        array = np.array(found[name], expected[name].dtype)
        np.testing.assert_array_equal(array, expected[name])


@pytest.fixture(scope="module")
def expected(predictor, media):
    return predictor.call("serving_default", **media)


def test_rows_by_plain_http(service, media, expected):
    rows = [{n: as_json(n, a[row]) for n, a in media.items()} for row in range(ROWS)]
    status, answer = service.post({"instances": rows})
    assert status == 200
    found = {n: [row[n] for row in answer["predictions"]] for n in expected}
    same(found, expected)


def test_columns_by_plain_http(service, media, expected):
    columns = {n: [as_json(n, value) for value in a] for n, a in media.items()}
    path = f"/v1/models/{service.name}/versions/1:predict"
    status, answer = service.post({"inputs": columns}, path)
    assert status == 200
    same(answer["outputs"], expected)


def tensors(module, media):
    inputs = []
    for name, array in media.items():
        inputs.append(module.InferInput(name, [len(array)], "BYTES"))
        inputs[-1].set_data_from_numpy(array)
    return inputs


def test_version_2_by_tritonclient_over_http(service, media, expected):
    with tritonclient.http.InferenceServerClient(service.host) as client:
        assert client.is_server_live()
        assert client.is_server_ready()
        assert client.is_model_ready(service.name)
        result = client.infer(service.name, tensors(tritonclient.http, media))
        same({name: result.as_numpy(name) for name in expected}, expected)
        wanted = [tritonclient.http.InferRequestedOutput("logit", binary_data=False)]
        result = client.infer(
            service.name, tensors(tritonclient.http, media), outputs=wanted
        )
        same({"logit": result.as_numpy("logit")}, expected, ["logit"])
        assert result.as_numpy("image_ok") is None


def test_version_2_by_tritonclient_over_grpc(service, media, expected, predictor):
    with tritonclient.grpc.InferenceServerClient(service.grpc_host) as client:
        assert client.is_server_live()
        assert client.is_model_ready(service.name)
        metadata = client.get_model_metadata(service.name)
        assert {value.name for value in metadata.inputs} == set(media)
        assert {value.name for value in metadata.outputs} == set(expected)
        result = client.infer(service.name, tensors(tritonclient.grpc, media))
        same({name: result.as_numpy(name) for name in expected}, expected)
        parameters = {"signature_name": "settings"}
        result = client.infer(service.name, [], parameters=parameters)
        settings = json.loads(result.as_numpy("settings").item())
        assert settings == predictor.settings


def test_the_official_stubs_of_tensorflow_serving(service, media, expected):
    with grpc.insecure_channel(service.grpc_host) as channel:
        stub = prediction_service_pb2_grpc.PredictionServiceStub(channel)
        request = predict_pb2.PredictRequest()
        request.model_spec.name = service.name
        request.model_spec.version.value = 1
        request.model_spec.signature_name = "serving_default"
        for name, array in media.items():
            request.inputs[name].CopyFrom(tf.make_tensor_proto(array))
        response = stub.Predict(request, timeout=PATIENCE_SECONDS)
        found = {name: tf.make_ndarray(t) for name, t in response.outputs.items()}
        assert set(found) == set(expected)
        same(found, expected)
        assert response.model_spec.version.value == 1
        request.output_filter.append("logit")
        assert list(stub.Predict(request, timeout=PATIENCE_SECONDS).outputs) == [
            "logit"
        ]


def test_encodings_and_scores(finished_run, service, media, predictor):
    if finished_run[0].task == "sentiment":
        columns = {n: [as_json(n, value) for value in a] for n, a in media.items()}
        status, answer = service.post({"signature_name": "encode", "inputs": columns})
        assert status == 200
        same(answer["outputs"], predictor.call("encode", **media))
        return
    arrays = {}
    for name, parts in (
        ("encode_query", ("image", "caption")),
        ("encode_song", ("audio", "lyrics")),
    ):
        columns = {n: [as_json(n, value) for value in media[n]] for n in parts}
        status, answer = service.post({"signature_name": name, "inputs": columns})
        assert status == 200
        arrays |= {n: v for n, v in answer["outputs"].items() if n[-3:] != "_ok"}
    status, answer = service.post({"signature_name": "score", "inputs": arrays})
    assert status == 200
    pairs = predictor.call("serving_default", **media)["logit"]
    np.testing.assert_allclose(np.diag(answer["outputs"]), pairs, atol=1e-5)


def test_health_metadata_and_metrics(service, media):
    assert json.loads(service.ask("GET", "/")[2]) == {"status": "alive"}
    for path in ("/v2/health/live", "/v2/health/ready", f"/v2/models/{service.name}"):
        assert service.ask("GET", path)[0] == 200
    answer = json.loads(service.ask("GET", f"/v1/models/{service.name}")[2])
    assert answer["ready"] in (True, "True")
    inputs = json.loads(service.ask("GET", f"/v2/models/{service.name}")[2])["inputs"]
    assert {item["name"]: item["datatype"] for item in inputs} == dict.fromkeys(
        media, "BYTES"
    )
    before = predictions(service)
    service.post({"instances": [{"caption": "hi"}]})
    assert predictions(service) == before + 1


def predictions(service):
    text = service.ask("GET", "/metrics")[2].decode()
    counted = f'request_predict_seconds_count{{model_name="{service.name}"}}'
    (line,) = [line for line in text.splitlines() if line.startswith(counted)]
    return float(line.split()[-1])


@pytest.mark.parametrize(
    ("body", "message"),
    [
        (b"", "is no JSON"),
        (b"{", "is no JSON"),
        (b"\xff", "is no JSON"),
        (b"[" * 100_000, "nested too deep"),
        ({"instances": [{}] * 5}, "`instances` must have 1 to 4 rows; received 5"),
        ({"instances": [{"pic": ""}]}, "`instances[0].pic` is no input"),
        ({"instances": [{"lyrics": 3}]}, "`instances[0].lyrics` must be a string"),
        ({"instances": [{"image": {"b64": "?"}}]}, "`instances[0].image.b64` is no"),
        ({"instances": [{}], "signature_name": "x"}, "`signature_name` 'x' is no"),
        (
            {"inputs": {"lyrics": ["a"], "caption": ["b", "c"]}},
            "`inputs.caption` has 2 rows and `inputs.lyrics` has 1",
        ),
    ],
)
def test_bad_requests_of_version_1(service, body, message):
    status, answer = service.post(body)
    assert status == 400
    assert message in answer["error"]


def test_bad_requests_of_version_2(service):
    path = f"/v2/models/{service.name}/infer"
    good = {"name": "lyrics", "datatype": "BYTES", "shape": [1], "data": ["a"]}
    for item, message in (
        ({**good, "name": "pic"}, "`inputs.pic` is no input"),
        ({**good, "datatype": "FP32"}, "must have the datatype BYTES"),
        ({**good, "shape": [2]}, "takes 2 values; received 1"),
    ):
        status, answer = service.post({"inputs": [item]}, path)
        assert status == 400
        assert message in answer["error"]
    headers = {"Inference-Header-Content-Length": "9999"}
    status, answer = service.post({"inputs": [good]}, path, headers)
    assert status == 400
    assert "Inference-Header-Content-Length" in answer["error"]
    with (
        tritonclient.grpc.InferenceServerClient(service.grpc_host) as client,
        pytest.raises(InferenceServerException, match=r"`inputs\.pic` is no input"),
    ):
        client.infer(service.name, tensors(tritonclient.grpc, {"pic": np.array([b""])}))


def predict_stub(channel, content):
    call = channel.unary_unary("/tensorflow.serving.PredictionService/Predict")
    return call(content, timeout=PATIENCE_SECONDS)


def test_bad_requests_of_predict(service):
    def request(name, **inputs):
        message = predict_pb2.PredictRequest()
        message.model_spec.name = name
        for key, value in inputs.items():
            message.inputs[key].CopyFrom(tf.make_tensor_proto(value))
        return message.SerializeToString()

    wrong_version = predict_pb2.PredictRequest()
    wrong_version.model_spec.name = service.name
    wrong_version.model_spec.version.value = 9
    for content, code, message in (
        (b"\xff\xff", "INVALID_ARGUMENT", "is no `PredictRequest`"),
        (request("ghost"), "NOT_FOUND", "ghost"),
        (wrong_version.SerializeToString(), "NOT_FOUND", "version 9"),
        (request(service.name), "INVALID_ARGUMENT", "`inputs` is empty"),
        (request(service.name, pic=["a"]), "INVALID_ARGUMENT", "`inputs.pic` is no"),
        (request(service.name, lyrics=[1.0]), "INVALID_ARGUMENT", "`inputs.lyrics` m"),
    ):
        with grpc.insecure_channel(service.grpc_host) as channel:
            with pytest.raises(grpc.RpcError) as caught:
                predict_stub(channel, content)
            assert caught.value.code() == grpc.StatusCode[code]
            assert message in caught.value.details()


def test_unknown_models_and_paths(service):
    for path in (
        "/v1/models/ghost:predict",
        "/v2/models/ghost/infer",
        f"/v1/models/{service.name}/versions/9:predict",
    ):
        status, answer = service.post({"instances": [{}]}, path)
        assert status == 404
        assert "error" in answer
    assert service.ask("GET", "/v1/models/ghost")[0] == 404
    assert service.ask("GET", "/nonsense")[0] == 404


def test_a_model_cannot_be_taken_away(service):
    for verb in ("unload", "load"):
        path = f"/v2/repository/models/{service.name}/{verb}"
        assert service.post({}, path)[0] == 403
    with (
        tritonclient.grpc.InferenceServerClient(service.grpc_host) as client,
        pytest.raises(InferenceServerException, match="stay"),
    ):
        client.unload_model(service.name)
    assert service.ask("GET", f"/v1/models/{service.name}")[0] == 200


def test_bodies_that_are_too_large(service, media):
    body = json.dumps({"instances": [{"lyrics": "a" * 2**21}]}).encode()
    status, answer = service.post(body)
    assert status == 413
    assert "at most 1 MiB" in answer["error"]
    chunks = (body[start : start + 2**16] for start in range(0, len(body), 2**16))
    status, _, answer = service.ask(
        "POST", f"/v1/models/{service.name}:predict", chunks
    )
    assert status == 413
    assert "at most 1 MiB" in json.loads(answer)["error"]
    large = tensors(tritonclient.grpc, {"lyrics": np.array([b"a" * 2**21], object)})
    with (
        tritonclient.grpc.InferenceServerClient(service.grpc_host) as client,
        pytest.raises(InferenceServerException, match="larger than max"),
    ):
        client.infer(service.name, large)


def test_media_that_cannot_be_decoded_are_answered_and_flagged(service):
    rows = [{"image": as_json("image", b"no picture"), "caption": "hi"}]
    status, answer = service.post({"instances": rows})
    assert status == 200
    assert answer["predictions"][0]["image_ok"] is False


def test_a_client_that_goes_away_does_no_harm(service):
    host, port = service.host.split(":")
    head = f"POST /v1/models/{service.name}:predict HTTP/1.1\r\nHost: {host}\r\n"
    with socket.create_connection((host, int(port))) as connection:
        connection.sendall(f"{head}Content-Length: 1000\r\n\r\n{{".encode())
    assert service.post({"instances": [{"caption": "hi"}]})[0] == 200


def test_it_listens_on_loopback_alone(service):
    port = int(service.host.split(":")[1])
    own = socket.gethostbyname(socket.gethostname())
    if own.startswith("127."):
        pytest.skip("this machine has no other address")
    with pytest.raises(OSError, match="refused"):
        socket.create_connection((own, port), timeout=5)


def test_many_at_once_get_their_own_answers(service, media, predictor):
    answers = {}

    def ask(number):
        caption = f"{'so ' * number}happy"
        status, answer = service.post({"inputs": {"caption": [caption]}})
        answers[number] = (status, answer["outputs"]["logit"], caption)

    threads = [threading.Thread(target=ask, args=(n,)) for n in range(12)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    nothing = np.full(1, b"", object)
    for status, logit, caption in answers.values():
        given = {
            **dict.fromkeys(media, nothing),
            "caption": np.array([caption], object),
        }
        expected = predictor.call("serving_default", **given)["logit"]
        assert status == 200
        np.testing.assert_array_equal(np.array(logit, "float32"), expected)


@pytest.mark.parametrize("finished_run", ["sentiment"], indirect=True)
def test_time_outs_and_a_stop_that_finishes_what_is_at_work(
    finished_run, media, tmp_path
):
    rows = [{n: as_json(n, a[0]) for n, a in media.items()}] * ROWS
    exported = finished_run[1].exported
    service = Service(exported, tmp_path / "log", "--timeout", "0.001")
    status, answer = service.post({"instances": rows})
    assert status == 504
    assert "No answer within 0.001 seconds" in answer["error"]
    assert service.stop() == 0

    service = Service(exported, tmp_path / "log", "--at-work", "1")
    results = []

    def ask():
        results.append(service.post({"instances": rows}))

    threads = [threading.Thread(target=ask) for _ in range(6)]
    for thread in threads:
        thread.start()
    deadline = time.monotonic() + PATIENCE_SECONDS
    while not results:  # the first is answered: the others are inside by now
        assert time.monotonic() < deadline
        time.sleep(0.001)
    assert service.stop() == 0
    for thread in threads:
        thread.join()
    assert [status for status, _ in results] == [200] * 6
    with pytest.raises(ConnectionRefusedError):
        service.post({"instances": rows})


def words_of_a_failed_start(*arguments):
    command = [sys.executable, "-m", "keras_jtav", "serve", *map(str, arguments)]
    process = subprocess.run(
        command,
        capture_output=True,
        text=True,
        timeout=PATIENCE_SECONDS,
        env=environment(),
    )
    assert process.returncode == 1
    (line,) = process.stderr.splitlines()
    return line


@pytest.mark.parametrize("option", ["--port", "--grpc-port"])
def test_a_port_that_is_taken_is_named(tmp_path, option):
    # Before a model is loaded, which takes long: this folder holds none.
    other = "--grpc-port" if option == "--port" else "--port"
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        ports = [option, taken.getsockname()[1], other, 0]
        said = words_of_a_failed_start(tmp_path / "sentiment/1", *ports)
    assert f"is taken. Give another with {option}" in said


def test_one_port_for_both_is_refused(tmp_path):
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    ports = ["--port", port, "--grpc-port", port]
    said = words_of_a_failed_start(tmp_path / "sentiment/1", *ports)
    assert f"Port {port} on 127.0.0.1 is taken. Give another with --grpc-port" in said


def test_two_models_of_one_name_are_refused(tmp_path):
    folders = [tmp_path / old_or_new / "sentiment/1" for old_or_new in ("old", "new")]
    said = words_of_a_failed_start(*folders)
    assert "2 of the models are called 'sentiment'" in said
