"""The page to play with: seconds from its start to the first answer, and to others.

Starts ``keras-jtav demo`` on models that were trained for a few steps, for retrieval
with 200 songs, and asks it as its own page does, over HTTP. Needs the extra ``[demo]``.
"""

import os
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

from gradio_client import Client, handle_file
from quick_model import train_quietly

SONGS, QUESTIONS = 200, 30
SETTINGS = ("train.steps=20", f"dataset.songs={2 * SONGS}", "dataset.missing=0.0")
PATIENCE_SECONDS = 120


def unused_port():
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return listener.getsockname()[1]


def connected(port, process):
    """Return a client of a page that has just been started."""
    deadline = time.monotonic() + PATIENCE_SECONDS
    while time.monotonic() < deadline and process.poll() is None:
        try:
            socket.create_connection(("127.0.0.1", port), 1).close()
            return Client(f"http://127.0.0.1:{port}", verbose=False)
        except OSError:
            time.sleep(0.05)
    raise SystemExit("the page did not start")


def question(task, post):
    """Return what the page's form sends about a post."""
    image, caption = handle_file(str(post.image)), post.texts["caption"]
    if task == "retrieval":
        return image, caption
    return image, handle_file(str(post.audio)), post.texts["lyrics"], caption


def measure(task, folder):
    """Return how many songs were asked, and the seconds of the answers."""
    from keras_jtav.data.manifest import write_manifest
    from keras_jtav.data.pairs import first_rows_of_songs, unify_songs
    from keras_jtav.experiments import preset_config
    from keras_jtav.preparation import load_table

    config = preset_config(task, "small").override(SETTINGS)
    model, posts = train_quietly(config, folder), load_table(config).posts
    words = [sys.executable, "-m", "keras_jtav", "demo", str(model)]
    songs = []
    if task == "retrieval":
        posts = unify_songs(posts)
        songs = [posts[row] for row in first_rows_of_songs(posts)][:SONGS]
        write_manifest(songs, folder / "songs.csv")
        words += ["--songs", str(folder / "songs.csv"), "--outside"]
    port = unused_port()
    begin = time.monotonic()
    process = subprocess.Popen(
        [*words, "--port", str(port)],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        page, seconds = connected(port, process), []
        for post in posts[:QUESTIONS]:
            answer = page.predict(*question(task, post), api_name="/ask")
            if "<iframe" not in answer:
                raise SystemExit(f"no answer: {answer}")
            seconds.append(time.monotonic() - begin)
            begin = time.monotonic()
    finally:
        process.terminate()
        process.wait(10)
    return len(songs), seconds


def main():
    for task in ("sentiment", "retrieval"):
        with tempfile.TemporaryDirectory() as folder:
            os.environ["KERAS_JTAV_HOME"] = str(Path(folder) / "home")
            songs, (first, *others) = measure(task, Path(folder))
        print(
            f"{task}, {songs} songs, {os.cpu_count()} CPU cores: first answer "
            f"{first:.1f} s after the start; {len(others)} others in "
            f"{statistics.median(others):.2f} s ({min(others):.2f} to "
            f"{max(others):.2f})"
        )


if __name__ == "__main__":
    main()
