import importlib.util
import os
import subprocess
import sys

import pytest

import keras_jtav


def test_every_name_loads():
    for name in keras_jtav.__all__:
        assert callable(getattr(keras_jtav, name))
    assert set(keras_jtav.__all__) <= set(dir(keras_jtav))


@pytest.mark.parametrize("before", ["", "import keras_jtav.cli, keras_jtav.tabulate"])
def test_run_is_a_function_and_not_its_file(before):
    call = 'run(Config().override(["fusion=nonsense"]))'
    process = subprocess.run(
        [sys.executable, "-c", f"{before}\nfrom keras_jtav import Config, run; {call}"],
        capture_output=True,
        text=True,
    )
    assert "ValueError: `fusion` must be one of" in process.stderr


def test_an_unknown_name_is_an_attribute_error():
    with pytest.raises(AttributeError, match="no attribute 'nonsense'"):
        keras_jtav.nonsense  # noqa: B018 - the access is the test


def test_importing_loads_nothing_heavy():
    code = (
        "import sys, keras_jtav; "
        "print({'keras', 'tensorflow', 'numpy'} & set(sys.modules))"
    )
    output = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    ).stdout
    assert output.strip() == "set()"


def test_build_model_needs_no_more_than_a_config():
    settings = ["features.vocabulary_size=50", "features.embedding_dim=8"]
    config = keras_jtav.preset_config("sentiment", "small").override(settings)
    models = keras_jtav.build_model(config)
    assert models["train"].output_shape == (None,)
    assert models["encode"].output_shape == (None, 64)


@pytest.mark.parametrize(
    "backend", ["tensorflow", pytest.param("jax", marks=pytest.mark.slow)]
)
def test_build_model_needs_no_package_but_keras_and_its_backend(backend):
    if importlib.util.find_spec(backend) is None:
        pytest.skip(f"{backend} is not installed")
    absent = {"tensorflow", "soundfile", "librosa", "fasttext", "soxr"} - {backend}
    code = (
        "import sys\n"
        f"sys.modules.update(dict.fromkeys({absent!r}))\n"
        "from keras_jtav import build_model, preset_config\n"
        "config = preset_config('sentiment', 'small')\n"
        "config = config.override(['features.vocabulary_size=50'])\n"
        "print(build_model(config)['train'].output_shape)"
    )
    output = subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        text=True,
        check=True,
        env={**os.environ, "KERAS_BACKEND": backend},
    ).stdout
    assert output.strip() == "(None,)"
