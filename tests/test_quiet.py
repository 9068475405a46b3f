import os

import pytest

from keras_jtav.quiet import LEVEL, quiet_import


@pytest.fixture(autouse=True)
def _level(monkeypatch):
    monkeypatch.delenv(LEVEL)


def test_chatter_is_held_back_and_the_screen_comes_back(capfd):
    with quiet_import():
        os.write(2, b"I0000 port.cc\n")
    os.write(2, b"after\n")
    assert capfd.readouterr().err == "after\n"
    assert os.environ[LEVEL] == "3"


def test_a_failed_import_shows_what_was_held_back(capfd):
    @quiet_import()
    def fail():
        os.write(2, b"why it failed\n")
        raise ImportError

    with pytest.raises(ImportError):
        fail()
    assert capfd.readouterr().err == "why it failed\n"


@pytest.mark.parametrize(("level", "shown"), [("0", "port.cc\n"), ("2", "")])
def test_who_asks_for_every_line_gets_it(capfd, monkeypatch, level, shown):
    monkeypatch.setenv(LEVEL, level)
    with quiet_import():
        os.write(2, b"port.cc\n")
    assert capfd.readouterr().err == shown
    assert os.environ[LEVEL] == level
