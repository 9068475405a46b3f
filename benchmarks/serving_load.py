"""Load on ``keras-jtav serve``: mixed requests from many clients, a tenth malformed.

Every answer is compared with what the SavedModel says in this process; a lost or wrong
one, or memory that grows, ends with status 1. Needs the extra ``[serve]``. Models of
one's own are given as arguments, a sentiment model and a retrieval model; without them
small ones are trained for a few steps.
"""

import http.client
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
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

from load_requests import ENDPOINTS, READERS, malformed, questions
from quick_model import train_quietly

REQUESTS, CLIENTS, MALFORMED = 2000, 16, 0.1
SETTINGS = ("train.steps=20", "dataset.songs=60", "data.max_rejected=0.3")
GROWTH = 1.05  # of memory, from the middle to the end


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
        models = given or [
            train_quietly(settings(task), Path(folder)) for task in ENDPOINTS
        ]
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
