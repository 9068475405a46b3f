"""A few kills in each stage; ``kill_many.py`` does as many as are asked for."""

import subprocess
import sys
from pathlib import Path

import pytest

SCRIPT = Path(__file__).with_name("kill_many.py")


@pytest.mark.endurance
@pytest.mark.parametrize(
    "stage", ["records", "preparation", "training", "checkpointing", "export"]
)
def test_killed_jobs_end_as_undisturbed_ones(stage):
    command = [sys.executable, str(SCRIPT), "--times", "2", "--stages", stage]
    process = subprocess.run(command, capture_output=True, text=True)
    assert process.returncode == 0, process.stdout + process.stderr[-4000:]
    assert f"{stage}: 2 kills between" in process.stdout
    assert "0 kills left something wrong" in process.stdout
