"""A page of ours inside a notebook."""

from __future__ import annotations

import html
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class PageView:
    """Shows a self-contained HTML page where it is a notebook cell's last value.

    The page is copied into the cell, in a frame of its own that runs no scripts, so
    that it is there wherever the notebook is opened.

    Args:
        path: Such as ``report.html`` of a run, or ``explanation.html``.
        height: Of the frame in pixels; the page scrolls inside.

    Example:
        >>> import tempfile
        >>> path = Path(tempfile.mkdtemp(), "page.html")
        >>> path.write_text('<p title="a">b</p>')
        18
        >>> "&lt;p title=&quot;a&quot;&gt;b" in PageView(path)._repr_html_()
        True
    """

    path: Path
    height: int = 640

    def _repr_html_(self) -> str:
        """Return the frame, as IPython asks for it."""
        page = html.escape(Path(self.path).read_text(encoding="utf-8"))
        style = f"width: 100%; height: {self.height}px; border: 1px solid #ccc"
        return f'<iframe sandbox srcdoc="{page}" style="{style}"></iframe>'
