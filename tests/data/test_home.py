from keras_jtav.data.home import clear_cache, kept_bytes


def fill(home):
    sizes = {"features": 30, "vectors": 20, "synthetic": 10, "weights": 5}
    for name, size in sizes.items():
        (home / name / "ab").mkdir(parents=True)
        (home / name / "ab" / "file").write_bytes(b"x" * size)
    return sizes


def test_sizes_are_those_of_the_files(tmp_path, monkeypatch):
    monkeypatch.setenv("KERAS_JTAV_HOME", str(tmp_path))
    sizes = fill(tmp_path)
    assert kept_bytes() == dict(sorted(sizes.items()))


def test_clearing_leaves_what_was_fetched(tmp_path, monkeypatch):
    monkeypatch.setenv("KERAS_JTAV_HOME", str(tmp_path))
    fill(tmp_path)
    assert clear_cache() == 60
    assert kept_bytes() == {"weights": 5}
    assert clear_cache() == 0


def test_nothing_is_kept_in_a_home_that_does_not_exist(tmp_path, monkeypatch):
    monkeypatch.setenv("KERAS_JTAV_HOME", str(tmp_path / "nowhere"))
    assert kept_bytes() == {}
