"""Pages that lie outside of `docs/`, so that there is one text and not two."""

import re
import tomllib
from pathlib import Path

from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files

ROOT = Path(__file__).parents[2]
PAGES = {"index.md": "README.md", "notebooks.md": "notebooks/README.md"}


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Add these pages, their links turned to where the site has their targets."""
    for name, source in PAGES.items():
        text = _for_the_site((ROOT / source).read_text(encoding="utf-8"))
        files.append(File.generated(config, name, content=text))
    return files


def on_page_markdown(markdown: str, **_) -> str:
    """Turn links that leave `docs/` to these pages."""
    for name, source in PAGES.items():
        markdown = markdown.replace(f"](../{source}", f"]({name}")
    return markdown


def _for_the_site(text: str) -> str:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    repository = project["project"]["urls"]["Repository"]
    text = text.replace("](notebooks/README.md", "](notebooks.md")
    text = re.sub(r"\]\((?:\.\./)?docs/", "](", text)
    text = re.sub(r"\[([^\]]*)\]\(LICENSE\)", r"\1", text)
    file = rf"]({repository}/blob/main/notebooks/\1)"
    text = re.sub(r"\]\((?:notebooks/)?(\w+\.ipynb)\)", file, text)
    return re.sub(r"!\[([^\]]*)\]\(https:[^)]*\)", r"\1", text)  # no request to others
