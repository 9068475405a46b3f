"""The order of DESIGN: data flows left to right, imports go one way."""

import ast
from pathlib import Path

import pytest

import keras_jtav

PACKAGE = Path(keras_jtav.__file__).parent
ORDER = (
    "versions",
    "quiet",
    "process_memory",
    "options",
    "config",
    "devices",
    "data",
    "features",
    "layers",
    "encoders",
    "fusion",
    "tasks",
    "model",
    "corpus",
    "preparation",
    "training_state",
    "training",
    "evaluation",
    "judging",
    "canonical_start",
    "twin",
    "transfer",
    "reporting",
    "serving",
    "attribution",
    "onnx_files",
    "experiments",
    "row_weights",
    "shared_options",
    "predict",
    "index_songs",
    "pages",
    "explain_posts",
    "console",
    "explain_command",
    "demo",
    "demo_command",
    "service",
    "serve_command",
    "index_command",
    "manifest_command",
    "predict_command",
    "train_along",
    "running",
    "later_export",
    "table_lines",
    "measuring",
    "row_workers",
    "sharding",
    "shard_beam",
    "recording",
    "tabulate",
    "train_command",
    "cli",
)
TENSORFLOW_ROOMS = {
    "devices",
    "data",
    "features",
    "serving",
    "service",
    "training",
    "attribution",
    "onnx_files",
}
FILES = sorted(path for path in PACKAGE.rglob("*.py") if path.stem not in ("__main__",))


def imported_modules(path):
    """Return the modules a file imports, at its top or inside a function."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            if node.module == "keras_jtav":
                yield from (f"keras_jtav.{alias.name}" for alias in node.names)
            else:
                yield node.module


def room_of(path):
    return path.relative_to(PACKAGE).with_suffix("").parts[0]


@pytest.mark.parametrize("path", FILES, ids=lambda p: str(p.relative_to(PACKAGE)))
def test_a_file_imports_only_from_rooms_before_its_own(path):
    if path == PACKAGE / "__init__.py":
        return  # names only; they are loaded when used
    own = ORDER.index(room_of(path))
    for module in imported_modules(path):
        if module.startswith("keras_jtav."):
            room = module.split(".")[1]
            assert ORDER.index(room) <= own, f"{path.name} imports {module}"


@pytest.mark.parametrize("path", FILES, ids=lambda p: str(p.relative_to(PACKAGE)))
def test_tensorflow_is_used_in_its_rooms_alone(path):
    if room_of(path) not in TENSORFLOW_ROOMS:
        assert not any(m.split(".")[0] == "tensorflow" for m in imported_modules(path))


@pytest.mark.parametrize("path", FILES, ids=lambda p: str(p.relative_to(PACKAGE)))
def test_nothing_asks_how_the_package_was_installed(path):
    """``train.py`` runs from a checkout where only the requirements are installed."""
    assert "importlib.metadata" not in set(imported_modules(path))


@pytest.mark.parametrize("path", FILES, ids=lambda p: str(p.relative_to(PACKAGE)))
def test_modules_stay_short(path):
    assert len(path.read_text(encoding="utf-8").splitlines()) <= 300
