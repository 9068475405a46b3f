"""Thousands of hostile files: each is used or rejected by name, and nothing breaks."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

HOSTILE = Path(__file__).with_name("hostile")
PATIENCE_SECONDS = 900
PEAK_BYTES = 6e9  # TensorFlow itself, and pictures at the limit in one batch
for_sentiment = pytest.mark.parametrize("finished_run", ["sentiment"], indirect=True)


def read(folder, model, every):
    environment = {**os.environ, "KERAS_JTAV_HOME": str(folder / "home")}

    def run(script, argument):
        return subprocess.run(
            [sys.executable, str(HOSTILE / script), str(folder), str(argument)],
            capture_output=True,
            text=True,
            timeout=PATIENCE_SECONDS,
            env=environment,
        )

    written = run("write_all.py", every)
    assert written.returncode == 0, written.stderr[-4000:]
    process = run("read_all.py", model)
    at_hand = folder / "at-hand"
    last = at_hand.read_text(errors="replace") if at_hand.exists() else "the start"
    assert process.returncode == 0, f"died at {last}\n{process.stderr[-4000:]}"
    return json.loads((folder / "found.json").read_text())


def check(found):
    counts = found["counts"]
    assert found["faults"] == []
    assert found["peak_bytes"] < PEAK_BYTES
    assert counts["used"] + counts["rejected"] == counts["media"]
    assert counts["served"] + counts["flagged"] == counts["media"]
    assert counts["tables used"] + counts["tables rejected"] == counts["tables"]
    for kind in ("used", "rejected", "served", "flagged", "rows rejected"):
        assert counts[kind] > 0, counts


@for_sentiment
def test_a_sample_of_hostile_files_is_used_or_rejected_by_name(finished_run, tmp_path):
    check(read(tmp_path, finished_run[1].exported, every=37))


@pytest.mark.endurance
@for_sentiment
def test_hostile_files_are_used_or_rejected_by_name(finished_run, tmp_path):
    found = read(tmp_path, finished_run[1].exported, every=1)
    check(found)
    counts = found["counts"]
    assert counts["media"] + counts["tables"] >= 2_000
