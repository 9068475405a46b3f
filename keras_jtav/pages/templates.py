"""The templates of all pages, which escape what comes from posts."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path

import jinja2

from keras_jtav.config import DataOptions
from keras_jtav.pages.embedding import DEFAULTS, picture_uri, sound_uri

TITLES = {"auc": "AUC", "mrr": "MRR", "weighted_f1": "weighted F1"}


def render(template: str, data: DataOptions = DEFAULTS, **values: object) -> str:
    """Return a page.

    Args:
        template: Name of a file of this package.
        data: Limits on the media that are decoded for it.
        **values: What it shows. A name that a template wants and does not get is an
            error.
    """
    templates = jinja2.Environment(
        loader=jinja2.PackageLoader("keras_jtav", "pages"),
        autoescape=True,
        trim_blocks=True,
        lstrip_blocks=True,
        undefined=jinja2.StrictUndefined,
    )
    for name, uri in (("picture", picture_uri), ("sound", sound_uri)):
        templates.filters[name] = partial(_embedded, uri, data)
    templates.filters["number"] = _number
    templates.filters["title"] = _title
    return templates.get_template(template).render(**values)


def _embedded(
    uri: Callable[[Path, DataOptions], str], data: DataOptions, path: str | Path | None
) -> str:
    return uri(Path(path), data) if path else ""


def _number(value: object) -> str:
    return f"{value:.3f}" if isinstance(value, float) else str(value)


def _title(metric: str) -> str:
    return TITLES.get(metric, metric.replace("_", " "))
