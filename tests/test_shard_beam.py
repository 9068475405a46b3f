"""Beam's own runner on this machine; the others take the same pipeline."""

import pytest

from keras_jtav.experiments import preset_config
from keras_jtav.recording import prepare_records

pytest.importorskip("apache_beam")


@pytest.fixture(scope="module")
def config(tiny_settings):
    settings = [*tiny_settings, "dataset.songs=16"]
    return preset_config("retrieval", "small").override(settings)


@pytest.fixture(scope="module")
def of_pool(config, tmp_path_factory):
    folder = tmp_path_factory.mktemp("pool")
    prepare_records(config, str(folder), num_shards=2, workers=1)
    return contents(folder)


def contents(folder):
    return {path.name: path.read_bytes() for path in folder.iterdir()}


@pytest.mark.parametrize("workers", [1, pytest.param(2, marks=pytest.mark.slow)])
def test_beam_makes_the_same_bytes_as_the_pool(config, of_pool, tmp_path, workers):
    prepare_records(config, str(tmp_path), 2, runner="direct", workers=workers)
    assert contents(tmp_path) == of_pool


def test_beam_goes_on_where_the_pool_was(config, of_pool, tmp_path, capsys):
    for name, content in of_pool.items():
        if not name.startswith("test-"):
            (tmp_path / name).write_bytes(content)
    options = ["--job_name=records"]
    prepare_records(config, str(tmp_path), 2, "direct", 1, options)
    assert "1 made before" not in capsys.readouterr().out
    assert contents(tmp_path) == of_pool
