"""Load on ``keras-jtav serve``: mixed requests from many clients, a tenth malformed.

Every answer is compared with what the SavedModel says in this process; a lost or wrong
one, or memory that grows, ends with status 1. Needs the extra ``[serve]``. Models of
one's own are given as arguments, a sentiment model and a retrieval model; without them
small ones are trained for a few steps.
"""

import base64
import contextlib
import http.client
import io
import json
import os
import queue
import random
import signal
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import numpy as np

REQUESTS, CLIENTS, MALFORMED = 2000, 16, 0.1
ROWS = (1, 2, 4)
VARIANTS = 3  # of each form, endpoint and number of rows
SETTINGS = ("train.steps=20", "dataset.songs=60", "data.max_rejected=0.3")
GROWTH = 1.05  # of memory, from the middle to the end
ENDPOINTS = {
    "sentiment": ("serving_default", "encode"),
    "retrieval": ("serving_default", "encode_query", "encode_song", "score"),
}
SIDES = {"encode_query": ("image", "caption"), "encode_song": ("audio", "lyrics")}
PARTS = ("image", "audio", "lyrics", "caption")


@dataclass
class Question:
    """A request, and what its answer must be."""

    form: str
    path: str
    body: bytes
    headers: dict
    expected: dict | str  # arrays, or what the message of a refusal must hold

    def fault(self, status, headers, body):
        """Return what is wrong with an answer, or nothing."""
        if isinstance(self.expected, str):
            said = json.loads(body)["error"]
            if 400 <= status < 500 and self.expected in said:
                return ""
            return f"{status} {said!r}, expected {self.expected!r}"
        if status != 200:
            return f"{status} {body[:200]!r}"
        found = READERS[self.form](body, headers)
        for name, array in self.expected.items():
            values = found[name] if isinstance(found, dict) else found
            if not np.array_equal(np.asarray(values, array.dtype), array):
                return f"{name} differs"
        return ""


def read_rows(body, headers):
    rows = json.loads(body)["predictions"]
    if not isinstance(rows[0], dict):
        return rows
    return {name: [row[name] for row in rows] for name in rows[0]}


def read_columns(body, headers):
    return json.loads(body)["outputs"]


def read_tensors(body, headers):
    length = int(headers.get("Inference-Header-Content-Length", len(body)))
    outputs, rest, found = json.loads(body[:length])["outputs"], body[length:], {}
    types = {"FP32": "float32", "BOOL": "bool", "INT32": "int32"}
    for output in outputs:
        if "data" in output:
            array = np.array(output["data"], types[output["datatype"]])
        else:
            size = output["parameters"]["binary_data_size"]
            array = np.frombuffer(rest[:size], types[output["datatype"]])
            rest = rest[size:]
        found[output["name"]] = array.reshape(output["shape"])
    return found


READERS = {
    "v1 rows": read_rows,
    "v1 columns": read_columns,
    "V2 JSON": read_tensors,
    "V2 binary": read_tensors,
}


def value_of(part, content):
    if not isinstance(content, bytes):
        return content.tolist()
    if part in ("image", "audio"):
        return {"b64": base64.b64encode(content).decode()} if content else ""
    return content.decode()


def question(form, name, endpoint, arrays, expected):
    """Return a request of one form."""
    path, headers = f"/v1/models/{name}:predict", {"Content-Type": "application/json"}
    rows = len(next(iter(arrays.values())))
    if form == "v1 rows":
        instances = [
            {part: value_of(part, array[row]) for part, array in arrays.items()}
            for row in range(rows)
        ]
        request = {"signature_name": endpoint, "instances": instances}
    elif form == "v1 columns":
        inputs = {p: [value_of(p, item) for item in a] for p, a in arrays.items()}
        request = {"signature_name": endpoint, "inputs": inputs}
    else:
        path = f"/v2/models/{name}/infer"
        request, raw = tensors(arrays, form == "V2 binary")
        request["parameters"] = {"signature_name": endpoint}
        if form == "V2 binary":
            request["parameters"]["binary_data_output"] = True
            text = json.dumps(request).encode()
            headers = {
                "Content-Type": "application/octet-stream",
                "Inference-Header-Content-Length": str(len(text)),
            }
            return Question(form, path, b"".join([text, *raw]), headers, expected)
    return Question(form, path, json.dumps(request).encode(), headers, expected)


def tensors(arrays, in_binary):
    """Return the JSON of inputs, and what follows it."""
    types = {"object": "BYTES", "float32": "FP32", "bool": "BOOL", "int32": "INT32"}
    inputs, raw = [], []
    for name, array in arrays.items():
        datatype = types[array.dtype.name]
        item = {"name": name, "datatype": datatype, "shape": list(array.shape)}
        if in_binary:
            content = array.tobytes()
            if datatype == "BYTES":
                items = array.tolist()
                content = b"".join(len(i).to_bytes(4, "little") + i for i in items)
            item["parameters"] = {"binary_data_size": len(content)}
            raw.append(content)
        elif name in ("image", "audio"):
            item["data"] = [base64.b64encode(content).decode() for content in array]
        elif datatype == "BYTES":
            item["data"] = [content.decode() for content in array]
        else:
            item["data"] = array.ravel().tolist()
        inputs.append(item)
    return {"inputs": inputs}, raw


def malformed(name):
    """Return requests that must be refused, each with what the message names."""
    v1, v2 = f"/v1/models/{name}:predict", f"/v2/models/{name}/infer"
    good = {"name": "lyrics", "datatype": "BYTES", "shape": [1], "data": ["a"]}
    long = {"instances": [{}] * 1000}
    uneven = {"inputs": {"lyrics": ["a"], "caption": ["a", "b"]}}
    cases = (
        (v1, b"{", "no JSON"),
        (v1, {"instances": [{"picture": ""}]}, "instances[0].picture"),
        (v1, {"instances": [{"image": {"b64": "?"}}]}, "instances[0].image.b64"),
        (v1, {"instances": [{"lyrics": 3}]}, "instances[0].lyrics"),
        (v1, {"instances": [{}], "signature_name": "x"}, "signature_name"),
        (v1, long, "instances"),
        (v1, uneven, "inputs.caption"),
        (v2, {"inputs": [{**good, "name": "pic"}]}, "inputs.pic"),
        (v2, {"inputs": [{**good, "shape": [2]}]}, "inputs.lyrics"),
        (v2, {"inputs": [{**good, "datatype": "FP32"}]}, "inputs.lyrics"),
        ("/v1/models/ghost:predict", {"instances": [{}]}, "ghost"),
    )
    return [
        Question(
            "malformed",
            path,
            body if isinstance(body, bytes) else json.dumps(body).encode(),
            {"Content-Type": "application/json"},
            named,
        )
        for path, body, named in cases
    ]


def questions(predictor, posts, draw):
    """Return well-formed requests of all forms and endpoints, with their answers."""
    name, found = predictor.folder.parent.name, []
    for endpoint in ENDPOINTS[predictor.task]:
        for rows in ROWS * VARIANTS:
            chosen = draw.sample(posts, rows)
            media = {p: np.array([post[p] for post in chosen], object) for p in PARTS}
            arrays = {p: media[p] for p in SIDES.get(endpoint, PARTS)}
            if endpoint == "score":
                arrays = {}
                for side, parts in SIDES.items():
                    given = {part: media[part] for part in parts}
                    arrays |= predictor.call(side, **given)
                arrays = {n: a for n, a in arrays.items() if not n.endswith("_ok")}
            answer = predictor.call(endpoint, **arrays)
            found += [question(f, name, endpoint, arrays, answer) for f in READERS]
    return found


def contents(config):
    """Return the bytes of posts, by part."""
    from keras_jtav.preparation import load_table

    def read(path):
        return b"" if path is None else path.read_bytes()

    return [
        {
            "image": read(post.image),
            "audio": read(post.audio),
            "lyrics": post.texts.get("lyrics", "").encode(),
            "caption": post.texts.get("caption", "").encode(),
        }
        for post in load_table(config).posts[:100]
    ]


def train(task, folder):
    """Return the folder of a small model."""
    from keras_jtav.running import run

    with (
        contextlib.redirect_stdout(io.StringIO()),
        contextlib.redirect_stderr(io.StringIO()),
    ):
        result = run(settings(task), folder / "runs", folder / "exported_models")
    return result.exported


def settings(task):
    from keras_jtav.experiments import preset_config

    return preset_config(task, "small").override(SETTINGS)


def megabytes(process):
    status = Path(f"/proc/{process.pid}/status").read_text()
    (line,) = (line for line in status.splitlines() if line.startswith("VmRSS:"))
    return int(line.split()[1]) / 1024


def start(models):
    """Start the service; return its process and address."""
    words = [sys.executable, "-m", "keras_jtav", "serve", *map(str, models)]
    process = subprocess.Popen(
        [*words, "--port", "0", "--grpc-port", "0"], stdout=subprocess.PIPE, text=True
    )
    address = ""
    for line in process.stdout:
        address = address or line.split("/")[2]
        if "SIGTERM" in line:
            return process, address
    raise SystemExit("the service did not start")


def ask_all(address, asked, watch):
    """Ask from many clients; return seconds and faults by form, and the time."""
    waiting = queue.SimpleQueue()
    for item in enumerate(asked):
        waiting.put(item)
    seconds = {form: [] for form in (*READERS, "malformed")}
    faults, lock, done = [], threading.Lock(), Counter()

    def client():
        connection = http.client.HTTPConnection(address, timeout=120)
        while True:
            try:
                number, item = waiting.get_nowait()
            except queue.Empty:
                connection.close()
                return
            begin = time.perf_counter()
            try:
                connection.request("POST", item.path, item.body, item.headers)
                response = connection.getresponse()
                body = response.read()
                took = time.perf_counter() - begin
                fault = item.fault(response.status, response.headers, body)
            except Exception as error:
                connection.close()
                took, fault = time.perf_counter() - begin, f"lost: {error!r}"
            with lock:
                seconds[item.form].append(took)
                done["requests"] += 1
                watch(done["requests"])
                if fault:
                    faults.append(f"request {number}, {item.form} {item.path}: {fault}")

    threads = [threading.Thread(target=client) for _ in range(CLIENTS)]
    begin = time.perf_counter()
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return seconds, faults, time.perf_counter() - begin


def show(seconds, wall):
    print(f"{'requests':12}{'number':>8}{'p50':>9}{'p95':>9}{'p99':>9}   milliseconds")
    every = [value for values in seconds.values() for value in values]
    for form, values in {**seconds, "all": every}.items():
        cuts = statistics.quantiles(values, n=100, method="inclusive")
        numbers = "".join(f"{1000 * cuts[p - 1]:9.0f}" for p in (50, 95, 99))
        print(f"{form:12}{len(values):8}{numbers}")
    print(f"{len(every) / wall:.1f} requests a second, {wall:.0f} seconds")


def main():
    draw = random.Random(0)
    with tempfile.TemporaryDirectory() as folder:
        os.environ["KERAS_JTAV_HOME"] = str(Path(folder) / "home")
        from keras_jtav.serving.predictor import Predictor

        given = [Path(path) for path in sys.argv[1:]]
        models = given or [train(task, Path(folder)) for task in ENDPOINTS]
        posts = contents(settings("sentiment"))
        predictors = [Predictor(model) for model in models]
        good = [q for p in predictors for q in questions(p, posts, draw)]
        bad = [q for p in predictors for q in malformed(p.folder.parent.name)]
        number = round(MALFORMED * REQUESTS)
        asked = draw.choices(good, k=REQUESTS - number) + draw.choices(bad, k=number)
        draw.shuffle(asked)
        process, address = start(models)
        memory = {0: megabytes(process)}

        def watch(count):
            if count % (REQUESTS // 4) == 0:
                memory[count] = megabytes(process)

        seconds, faults, wall = ask_all(address, asked, watch)
        process.send_signal(signal.SIGTERM)
        status = process.wait(60)
    print(f"{os.cpu_count()} cores, {CLIENTS} clients, {REQUESTS} requests\n")
    show(seconds, wall)
    print("memory of the service, MiB after requests:", end=" ")
    print(", ".join(f"{value:.0f} ({count})" for count, value in memory.items()))
    grown = memory[REQUESTS] / memory[REQUESTS // 2]
    lost = sum(": lost" in fault for fault in faults)
    print(f"{lost} lost, {len(faults) - lost} wrong, exit status {status}")
    for fault in faults[:10]:
        print(fault)
    if faults or status or grown > GROWTH:
        raise SystemExit(1)


if __name__ == "__main__":
    main()
