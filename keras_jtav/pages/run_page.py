"""The page of a run: its results, charts, examples, data, config and versions."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path

from markupsafe import Markup

from keras_jtav.config import DataOptions
from keras_jtav.data.any_path import write_text
from keras_jtav.pages.templates import render

PAGE_FILE = "report.html"
FACTS_FILE = "page.json"
CHARTS = {
    "training": "Training",
    "sentiment": "Test posts",
    "ranks": "Ranks of the true songs",
}
MAIN_METRIC = {"sentiment": "auc", "retrieval": "R@10"}


def write_run_page(folder: Path) -> Path:
    """Draw a complete run's page again, from the files in its folder.

    Pictures and recordings of the examples are read from where they were; what is gone
    is left out.

    Returns:
        The page: one HTML file with everything inside.

    Raises:
        FileNotFoundError: The folder holds no complete run.
    """
    missing = [n for n in ("metrics.json", FACTS_FILE) if not (folder / n).exists()]
    if missing:
        raise FileNotFoundError(
            f"{folder} holds no {missing[0]}, so there is no complete run to draw. "
            "Give the folder of one, such as runs/retrieval-synthetic-001, or of a "
            "table, such as runs/table1-synthetic."
        )
    config, metrics, facts = (
        json.loads((folder / name).read_text(encoding="utf-8"))
        for name in ("config.json", "metrics.json", FACTS_FILE)
    )
    page = render(
        "run.html.jinja",
        DataOptions.of_any_version(config["data"]),
        name=folder.resolve().name,
        config=config,
        tables=metrics["metrics"],
        model=metrics["model"],
        facts=facts,
        charts=[
            (title, Markup(facts["charts"][chart]))  # drawn by the run
            for chart, title in CHARTS.items()
            if chart in facts["charts"]
        ],
        main=_main_result(metrics["metrics"]["strict"]),
    )
    path = folder / PAGE_FILE
    write_text(str(path), page)
    return path


def _main_result(rows: Mapping[str, Mapping[str, float]]) -> dict:
    """Return the metric that stands in the page's head, by row: the model's is last."""
    metrics = next(iter(rows.values()))
    metric = next(
        (name for name in MAIN_METRIC.values() if name in metrics), next(iter(metrics))
    )
    return {
        "metric": metric,
        "rows": {name: values[metric] for name, values in rows.items()},
    }
