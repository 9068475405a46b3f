"""What the documentation quotes, and where its links lead."""

import ast
import re
import textwrap
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
EQUATIONS = (ROOT / "docs" / "equations.md").read_text(encoding="utf-8")
QUOTES = re.findall(r"<!-- code: (\S+) (.*?) -->\n```python\n(.*?)```", EQUATIONS, re.S)
PAGES = [
    ROOT / "README.md",
    ROOT / "notebooks" / "README.md",
    *sorted((ROOT / "docs").glob("*.md")),
]
LINK = re.compile(r"\]\((?!https?:)([^)#\s]*)(?:#([^)\s]*))?\)")


def source_of(path, name):
    """Return a function of the source, without its docstring, at the left margin."""
    text = (ROOT / path).read_text(encoding="utf-8")
    node = ast.parse(text)
    for part in name.split("."):
        node = next(n for n in node.body if getattr(n, "name", "") == part)
    lines = text.splitlines()[node.lineno - 1 : node.end_lineno]
    if ast.get_docstring(node):
        docstring = node.body[0]
        first, end = (n - node.lineno for n in (docstring.lineno, docstring.end_lineno))
        del lines[first : end + 1]
    return textwrap.dedent("\n".join(lines)).strip()


def test_every_python_block_beside_an_equation_is_a_quote():
    assert len(QUOTES) == EQUATIONS.count("```python") > 0


@pytest.mark.parametrize(
    ("path", "names", "code"), QUOTES, ids=[quote[1] for quote in QUOTES]
)
def test_code_beside_an_equation_is_that_of_the_source(path, names, code):
    source = [source_of(path, name) for name in names.split()]
    quoted, expected = ("".join(text.split()) for text in (code, "".join(source)))
    assert quoted == expected, "copy the new code to docs/equations.md"


def anchors(page):
    """Return where links into a page may lead, by the rule of code hosts."""
    text = re.sub(r"```.*?```", "", page.read_text(encoding="utf-8"), flags=re.S)
    titles = re.findall(r"^#+ (.*)$", text, re.M)
    plain = [re.sub(r"[^\w\- ]", "", title.lower()) for title in titles]
    return {title.replace(" ", "-") for title in plain} | set(
        re.findall(r'<a id="([^"]*)">', text)
    )


@pytest.mark.parametrize("page", PAGES, ids=lambda p: str(p.relative_to(ROOT)))
def test_links_lead_somewhere(page):
    text = re.sub(r"```.*?```", "", page.read_text(encoding="utf-8"), flags=re.S)
    for target, anchor in LINK.findall(text):
        file = (page.parent / target).resolve() if target else page
        assert file.exists(), f"{page.name} links to {target}"
        if anchor:
            assert anchor in anchors(file), f"{page.name} links to {target}#{anchor}"
