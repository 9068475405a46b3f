"""No file that the package reads can make it run code."""

import ast
import pickle
from pathlib import Path

import keras
import numpy as np
import pytest

import keras_jtav
from keras_jtav.data.array_files import ArrayFolder
from keras_jtav.data.cache import FeatureCache
from keras_jtav.encoders.image_weights import load_backbone
from keras_jtav.features.vocabulary import Vocabulary
from keras_jtav.serving.index_part import IndexPart
from keras_jtav.serving.song_index import SongIndex

PACKAGE = Path(keras_jtav.__file__).parent
FILES = sorted(PACKAGE.rglob("*.py"))
# What turns text or bytes into code, and modules whose files are programs.
CODE = {"eval", "exec", "compile", "__import__"}
PROGRAMS = {"pickle", "marshal", "shelve", "dill", "cloudpickle", "joblib", "yaml"}
FORBIDDEN = {"Lambda", "enable_unsafe_deserialization", "system", "popen"}
SAFE = {  # loaders, and the argument that must stand in every call
    "load_model": ("safe_mode", True),
    "load": ("allow_pickle", False),
}


def imports(tree):
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name.split(".")[0] for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield node.module.split(".")[0]
            yield from (alias.name for alias in node.names)


def calls(tree):
    """Yield the called name, what it is an attribute of, and its keywords."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Call):
            keywords = {
                keyword.arg: getattr(keyword.value, "value", None)
                for keyword in node.keywords
            }
            if isinstance(node.func, ast.Name):
                yield node.func.id, "", keywords
            elif isinstance(node.func, ast.Attribute):
                yield node.func.attr, ast.unparse(node.func.value), keywords


def unsafe(source):
    """Return what in a source could run code that comes with a file."""
    tree = ast.parse(source)
    found = {name for name in imports(tree) if name in PROGRAMS | CODE}
    for name, owner, keywords in calls(tree):
        if (name in CODE and owner in ("", "builtins")) or name in FORBIDDEN:
            found.add(name)
        if keywords.get("shell"):
            found.add("shell")
        key, value = SAFE.get(name, ("", None))
        loads = name == "load_model" or owner in ("np", "numpy")
        if key and loads and keywords.get(key) is not value:
            found.add(f"{name} without {key}={value}")
    return found


@pytest.mark.parametrize("path", FILES, ids=lambda p: str(p.relative_to(PACKAGE)))
def test_no_file_of_the_package_runs_what_it_loads(path):
    assert unsafe(path.read_text(encoding="utf-8")) == set()


@pytest.mark.parametrize(
    "source",
    [
        "eval(text)",
        "import builtins; builtins.exec(text)",
        "from pickle import load",
        "import joblib",
        "subprocess.run(words, shell=True)",
        "os.system(name)",
        "np.load(path)",
        "np.load(path, allow_pickle=True)",
        "keras.saving.load_model(path)",
        "keras.saving.load_model(path, safe_mode=False)",
        "keras.layers.Lambda(f)",
        "keras.config.enable_unsafe_deserialization()",
    ],
)
def test_the_look_at_the_sources_sees(source):
    assert unsafe(source)


@pytest.mark.parametrize(
    "source",
    [
        "model.compile(loss)",
        "re.compile(text)",
        "np.load(path, allow_pickle=False)",
        "json.loads(text)",
        "Config.load(path)",
        "keras.saving.load_model(path, safe_mode=True)",
    ],
)
def test_the_look_at_the_sources_spares(source):
    assert not unsafe(source)


class Bomb:
    """Writes a file when it is unpickled."""

    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return Path.touch, (self.path,)


@pytest.fixture
def bomb(tmp_path):
    """An array whose loading with pickle writes a file, and that file."""
    went_off = tmp_path / "went-off"
    array = np.array([Bomb(went_off)], object)
    pickle.loads(pickle.dumps(array))
    assert went_off.exists(), "a bomb that does not go off proves nothing"
    went_off.unlink()
    yield array
    assert not went_off.exists()


def test_a_cached_feature_is_no_program(bomb, tmp_path):
    cache = FeatureCache(tmp_path, "image", {})
    cache.put("ab12", np.zeros(1))
    (path,) = tmp_path.glob("image-*/*/*.npy")
    np.save(path, bomb, allow_pickle=True)
    with pytest.raises(ValueError, match="Python objects"):
        cache.get("ab12")


def test_a_given_array_is_no_program(bomb, tmp_path):
    np.save(tmp_path / "x.npy", bomb, allow_pickle=True)
    with pytest.raises(ValueError, match="cannot be read as an array of numbers"):
        ArrayFolder(tmp_path).open("x.npy", ("posts",))


def test_a_vocabulary_is_no_program(bomb, tmp_path):
    np.savez(tmp_path / "v.npz", words=bomb, matrix=bomb, ngrams=bomb)
    with pytest.raises(ValueError, match="is no vocabulary"):
        Vocabulary.load(tmp_path / "v.npz")


@pytest.fixture
def index(tmp_path):
    index = SongIndex("model")
    encodings = {"song_tower": np.ones((2, 4), "float32")}
    index.add(["a", "b"], encodings)
    index.save(tmp_path / "index")
    return tmp_path / "index"


def test_an_index_is_no_program(bomb, index):
    (path,) = index.glob("part-*/id.ends.npy")
    np.save(path, bomb, allow_pickle=True)
    with pytest.raises(ValueError, match="Python objects"):
        SongIndex.load(index)
    with pytest.raises(ValueError, match="Python objects"):
        IndexPart.open(path.parent)


def test_a_list_of_removed_songs_is_no_program(bomb, index):
    loaded = SongIndex.load(index)
    loaded.remove(["a"])
    loaded.save(index)
    (path,) = index.glob("removed-*.npy")
    np.save(path, bomb, allow_pickle=True)
    with pytest.raises(ValueError, match="Object arrays cannot be loaded"):
        SongIndex.load(index)


def test_a_model_of_weights_is_no_program(tmp_path):
    image = keras.Input((4, 4, 3))
    output = keras.layers.Lambda(lambda x: x + 1)(image)
    keras.Model(image, output).save(tmp_path / "weights.keras")
    backbone = keras.Sequential([keras.Input((2,)), keras.layers.Dense(1)])
    with pytest.raises(ValueError, match="without Lambda layers"):
        load_backbone(backbone, tmp_path / "weights.keras")
