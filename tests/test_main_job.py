"""The two commands of the README at full length, and what they promise."""

import json
import re
import subprocess
import sys
from pathlib import Path

import pytest

from keras_jtav.data.synthetic import load_synthetic

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text(encoding="utf-8")
NUMBER = re.compile(r"\d+(\.\d+)?")


def python(folder, *arguments):
    command = [sys.executable, *map(str, arguments)]
    done = subprocess.run(command, capture_output=True, text=True, cwd=folder)
    assert done.returncode == 0, done.stderr
    return done.stdout


def train(folder, task):
    """Return what ``python train.py --task TASK`` prints, and its test metrics."""
    printed = python(folder, ROOT / "train.py", "--task", task)
    saved = (folder / "runs" / f"{task}-synthetic-001/metrics.json").read_text()
    return printed, json.loads(saved)["metrics"]["strict"]


def run_printed_lines(folder, printed, **parts):
    """Run the Python that a training prints; the parts of a post are its variables."""
    lines = re.findall(r"^ {4}(.*)$", printed.partition("use it, ")[2], re.M)
    assert len(lines) == 3
    values = [f"{name} = {value!r}" for name, value in parts.items()]
    lines[-1] = f"print(sorted({lines[-1]}))"
    (folder / "use_it.py").write_text("\n".join([*values, *lines]))
    return python(folder, "use_it.py")


@pytest.fixture(scope="module")
def post():
    """A synthetic post that has all its parts, as an exported model takes them."""
    posts = load_synthetic().posts
    whole = next(p for p in posts if p.image and p.audio and all(p.texts.values()))
    return {
        "image": whole.image.read_bytes(),
        "audio": whole.audio.read_bytes(),
        **{name: whole.texts[name].encode() for name in ("lyrics", "caption")},
    }


@pytest.mark.slow
def test_retrieval(tmp_path, post):
    printed, metrics = train(tmp_path, "retrieval")
    ours = next(value for name, value in metrics.items() if name.startswith("JTAV"))
    assert ours["R@10"] >= 3 * metrics["chance"]["R@10"] > 0
    quoted = re.search(r"```\n(keras_jtav retrieval.*?)```", README, re.S).group(1)
    assert NUMBER.sub("0", printed).split() == NUMBER.sub("0", quoted).split()
    query = {name: post[name] for name in ("image", "caption")}
    assert "vector" in run_printed_lines(tmp_path, printed, **query)


@pytest.mark.endurance
def test_sentiment(tmp_path, post):
    printed, metrics = train(tmp_path, "sentiment")
    ours = next(value for name, value in metrics.items() if name.startswith("JTAV"))
    assert ours["auc"] >= 0.85
    for part in ("text", "audio", "image"):
        alone = metrics[f"logistic {part}"]["auc"]
        assert 0.5 < alone < ours["auc"], part
    assert "probability" in run_printed_lines(tmp_path, printed, **post)
