"""The notebooks: their files, and, marked `notebook`, their execution."""

import ast
import os
import re
import sys
import tomllib
from pathlib import Path

import nbformat
import pytest
from nbclient import NotebookClient

ROOT = Path(__file__).parents[1]
NOTEBOOKS = sorted((ROOT / "notebooks").glob("*.ipynb"))
COLAB = "https://colab.research.google.com"
BADGE = re.compile(rf"\[!\[[^\]]*\]\({COLAB}/assets/colab-badge\.svg\)\]\(([^)]*)\)")
MOST_BYTES = 150_000
SECONDS_A_CELL = 900  # a hang ends; how long a cell should take is in the README
# What a command that `!` starts prints when it fails: that alone stops no notebook.
FAILED = ("keras-jtav: ", "Traceback", "command not found", "usage: ")

every_notebook = pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
# Of two processes that run notebooks one takes these, which last as long as the others.
ONE_HALF = ("01_quick_start", "04_explain")
in_halves = pytest.mark.parametrize(
    "path",
    [
        pytest.param(path, marks=pytest.mark.xdist_group(str(path.stem in ONE_HALF)))
        for path in NOTEBOOKS
    ],
    ids=lambda path: path.stem,
)


@pytest.fixture(scope="module")
def address():
    """The repository's address, which stands in pyproject.toml alone."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    return project["urls"]["Repository"]


def read(path):
    return nbformat.read(path, as_version=4)


def code_of(notebook):
    return [cell.source for cell in notebook.cells if cell.cell_type == "code"]


def badge_target(address, path):
    place = address.removeprefix("https://github.com")
    return f"{COLAB}/github{place}/blob/main/notebooks/{path.name}"


def test_there_are_five_in_order():
    assert [path.name[:2] for path in NOTEBOOKS] == ["01", "02", "03", "04", "05"]


@every_notebook
def test_a_notebook_is_valid_and_small(path):
    nbformat.validate(read(path))
    assert path.stat().st_size <= MOST_BYTES


@every_notebook
def test_a_notebook_keeps_no_outputs(path):
    for cell in read(path).cells:
        if cell.cell_type == "code":
            assert cell.outputs == []
            assert cell.execution_count is None


@every_notebook
def test_a_badge_opens_the_notebook_itself(path, address):
    title = read(path).cells[0].source
    assert title.startswith("# ")
    assert BADGE.findall(title) == [badge_target(address, path)]


@pytest.mark.parametrize("page", ["README.md", "notebooks/README.md"])
def test_pages_have_the_badge_of_every_notebook(page, address):
    targets = BADGE.findall((ROOT / page).read_text(encoding="utf-8"))
    assert targets == [badge_target(address, path) for path in NOTEBOOKS]


@every_notebook
def test_the_first_cell_installs_only_where_nothing_is(path, address):
    first = code_of(read(path))[0]
    assert 'find_spec("keras_jtav") is None' in first
    installs = re.findall(r"^ +%pip install --quiet (\S+)$", first, re.MULTILINE)
    assert installs == [f"git+{address}"]


@every_notebook
def test_no_other_cell_installs_or_names_the_address(path, address):
    for source in code_of(read(path))[1:]:
        assert "pip install" not in source
        assert address not in source


@every_notebook
def test_a_notebook_defines_no_class_and_no_function(path):
    defining = (ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)
    for source in code_of(read(path)):
        plain = re.sub(r"^(\s*)[!%].*", r"\1pass", source, flags=re.MULTILINE)
        tree = ast.parse(plain)
        assert not any(isinstance(node, defining) for node in ast.walk(tree))


@every_notebook
def test_a_notebook_names_no_path_of_a_machine(path):
    absolute = re.compile(r"""["'\s=](/(?!/)[a-z]+/|~/|[A-Z]:\\)""")
    for source in code_of(read(path)):
        assert not absolute.findall(source)


@every_notebook
def test_a_notebook_shows_a_picture(path):
    shows = re.compile(r"\b(Image|PageView|comparison_figure|sound_figure)\(")
    assert shows.search("\n".join(code_of(read(path))))


@pytest.mark.notebook
@in_halves
def test_a_notebook_runs_from_a_clean_kernel(path, tmp_path, monkeypatch):
    programs = str(Path(sys.executable).parent)  # where `!keras-jtav` is
    monkeypatch.setenv("PATH", programs + os.pathsep + os.environ["PATH"])
    monkeypatch.setenv("PYTHONPATH", str(ROOT), prepend=os.pathsep)
    monkeypatch.setenv("IPYTHONDIR", str(tmp_path / "ipython"))
    folder = tmp_path / "work"
    folder.mkdir()
    notebook = read(path)
    client = NotebookClient(
        notebook,
        timeout=SECONDS_A_CELL,
        kernel_name="python3",
        resources={"metadata": {"path": str(folder)}},
    )
    client.execute()
    outputs = [output for cell in notebook.cells for output in cell.get("outputs", [])]
    printed = "".join(output.get("text", "") for output in outputs)
    assert not [word for word in FAILED if word in printed], printed[-2000:]
    kinds = {kind for output in outputs for kind in output.get("data", {})}
    assert "image/png" in kinds
