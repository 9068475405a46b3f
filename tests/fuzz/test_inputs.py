"""Inputs that once broke a promise, or that are at its edge, keep it from now on."""

import importlib.util
from pathlib import Path

import pytest

HERE = Path(__file__).parent
INPUTS = sorted(path for path in (HERE / "inputs").glob("*/*") if path.is_file())


@pytest.fixture(scope="module")
def targets():
    spec = importlib.util.spec_from_file_location("targets", HERE / "targets.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module.TARGETS


@pytest.mark.parametrize(
    "path", INPUTS, ids=lambda path: f"{path.parent.name}-{path.name}"
)
def test_an_input_keeps_the_promise(targets, path):
    targets[path.parent.name](path.read_bytes())


def test_a_broken_promise_is_seen(targets, monkeypatch):
    monkeypatch.setitem(targets["media"].__globals__, "decode_image", lambda *_: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        targets["media"](b"\1no picture")
