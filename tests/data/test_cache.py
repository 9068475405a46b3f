import hashlib
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import numpy as np

from keras_jtav.data.cache import FeatureCache, content_digest


def test_digest_is_the_sha256_of_the_bytes(tmp_path):
    path = tmp_path / "file"
    path.write_bytes(b"la la")
    assert content_digest(path) == hashlib.sha256(b"la la").hexdigest()


def test_what_is_put_is_got(tmp_path):
    cache = FeatureCache(tmp_path, "image", {"size": 3})
    array = np.arange(12, dtype=np.float32).reshape(3, 4)
    assert "ab" not in cache
    cache.put("ab", array)
    assert "ab" in cache
    np.testing.assert_array_equal(cache.get("ab"), array)


def test_other_settings_are_another_cache(tmp_path):
    FeatureCache(tmp_path, "image", {"size": 3}).put("ab", np.zeros(1))
    assert "ab" not in FeatureCache(tmp_path, "image", {"size": 4})
    assert "ab" not in FeatureCache(tmp_path, "spectrogram", {"size": 3})
    assert "ab" in FeatureCache(tmp_path, "image", {"size": 3})


def test_nothing_is_left_beside_the_entries(tmp_path):
    cache = FeatureCache(tmp_path, "image", {})
    cache.put("ab", np.zeros(1))
    cache.put("ab", np.ones(1))
    assert [p.name for p in tmp_path.rglob("*") if p.is_file()] == ["ab.npy"]
    np.testing.assert_array_equal(cache.get("ab"), [1.0])


def test_heads_of_files_are_read_one_after_the_other(tmp_path, monkeypatch):
    """Several threads that parse may fail, by a fault of Python."""
    cache = FeatureCache(tmp_path, "image", {})
    cache.put("ab", np.arange(3))
    load, busy = np.load, threading.Lock()

    def slow_load(*arguments, **options):
        assert busy.acquire(blocking=False), "two threads at once"
        time.sleep(0.01)
        array = load(*arguments, **options)
        busy.release()
        return array

    monkeypatch.setattr(np, "load", slow_load)
    with ThreadPoolExecutor(4) as pool:
        arrays = list(pool.map(cache.get, ["ab"] * 8))
    assert all((array == np.arange(3)).all() for array in arrays)
