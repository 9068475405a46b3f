import gc
import platform

import pytest

from keras_jtav.process_memory import SELDOM, keep_freed_memory, seldom_collected


def test_glibc_takes_the_settings():
    assert keep_freed_memory() is (platform.libc_ver()[0] == "glibc")


def test_garbage_is_looked_for_seldom_and_then_as_before():
    @seldom_collected()
    def fail():
        meanwhile.append(gc.get_threshold())
        raise KeyError

    meanwhile = []
    before = gc.get_threshold()
    try:
        gc.set_threshold(600, 9, 8)
        with pytest.raises(KeyError):
            fail()
        assert meanwhile == [SELDOM]
        assert gc.get_threshold() == (600, 9, 8)
    finally:
        gc.set_threshold(*before)
