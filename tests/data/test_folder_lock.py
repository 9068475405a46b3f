import errno
import os
import signal
import subprocess
import sys

import pytest

from keras_jtav.data import folder_lock
from keras_jtav.data.folder_lock import LOCK_FILE, locked

HOLD = """
import subprocess, sys, time
from pathlib import Path
from keras_jtav.data.folder_lock import locked

with locked(Path(sys.argv[1])):
    started = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"])
    print(started.pid, flush=True)
    time.sleep(60)
"""


def test_a_second_command_is_refused(tmp_path):
    with locked(tmp_path), pytest.raises(BlockingIOError) as refused, locked(tmp_path):
        pytest.fail("two commands in one folder")
    assert str(refused.value).startswith(f"{tmp_path} is in use: another command is")
    assert "another --runs-dir" in str(refused.value)


def test_the_lock_ends_with_the_command(tmp_path):
    (tmp_path / "results.jsonl").touch()
    for _ in range(2):
        with locked(tmp_path):
            pass
    with pytest.raises(KeyboardInterrupt), locked(tmp_path):
        raise KeyboardInterrupt
    with locked(tmp_path):
        assert (tmp_path / LOCK_FILE).exists()


def test_a_killed_command_leaves_no_lock_to_what_it_started(tmp_path):
    command = [sys.executable, "-c", HOLD, str(tmp_path)]
    with subprocess.Popen(command, stdout=subprocess.PIPE) as process:
        started = int(process.stdout.readline())
        try:
            with pytest.raises(BlockingIOError), locked(tmp_path):
                pytest.fail("two commands in one folder")
            process.kill()
            process.wait()
            with locked(tmp_path):
                os.kill(started, 0)  # it is still there
        finally:
            process.kill()
            os.kill(started, signal.SIGKILL)


def test_a_folder_in_which_nothing_came_to_be_is_removed(tmp_path):
    folder = tmp_path / "runs" / "table"
    with pytest.raises(ValueError, match="no posts"), locked(folder):
        raise ValueError("no posts")
    assert not folder.exists()
    with locked(folder):
        (folder / ".hidden").touch()
    assert sorted(os.listdir(folder)) == [".hidden", LOCK_FILE]


def test_a_disk_that_knows_no_locks_is_told_of(tmp_path, monkeypatch, caplog):
    def refuse(*_):
        raise OSError(errno.ENOLCK, "No locks available")

    monkeypatch.setattr(folder_lock.fcntl, "flock", refuse)
    with locked(tmp_path / "table"), locked(tmp_path / "table"):
        (tmp_path / "table" / "results.jsonl").touch()
    assert f"{tmp_path / 'table'} cannot be locked (No locks available)" in caplog.text


def test_nothing_is_locked_on_windows(tmp_path, monkeypatch):
    monkeypatch.setattr(folder_lock, "fcntl", None)
    with locked(tmp_path / "table"), locked(tmp_path / "table"):
        assert (tmp_path / "table").is_dir()
