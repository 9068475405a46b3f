"""Requests to ``keras-jtav serve`` of all forms, and what each must be answered."""

import base64
import json
from dataclasses import dataclass

import numpy as np

ROWS = (1, 2, 4)
VARIANTS = 3  # of each form, endpoint and number of rows
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
