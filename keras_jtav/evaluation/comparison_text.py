"""A table of systems as Markdown, both protocols side by side."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

from keras_jtav.evaluation.comparison import (
    EXTRAS,
    TITLES,
    deciding_metric,
    distinct_columns,
    metrics_of,
)

RANKS = ("median_rank", "mean_rank", "Med r")
Lines = Sequence[Mapping]


def markdown_table(table: Mapping[str, Lines]) -> str:
    """Return what ``compare`` made of a table's results, with a legend below it.

    A metric that is the same in all protocols has one column, others have one for each.
    The p-value is that of the first protocol.

    Args:
        table: ``{protocol: lines}``.

    Example:
        >>> from keras_jtav.evaluation.comparison import compare
        >>> metrics = {"strict": {"auc": 0.5}, "paper": {"auc": 0.6}}
        >>> table = compare([{"row": "A", "run": 0, "metrics": metrics}])
        >>> print(markdown_table(table).split(chr(10))[0])
        | system | runs | AUC (strict) | AUC (paper) | p |
    """
    first = next(iter(table.values()))
    rows = list(
        dict.fromkeys(line["row"] for lines in table.values() for line in lines)
    )
    columns = {"runs": [str(_any_line(table, row)["runs"]) for row in rows]}
    for protocol, metric in distinct_columns(table):
        title = TITLES.get(metric, metric) + (f" ({protocol})" if protocol else "")
        columns[title] = _cells(table.get(protocol, first), rows, metric)
    by_row = {line["row"]: line for line in first}
    columns["p"] = [_number(by_row.get(row, {}).get("p"), "{:.3f}") for row in rows]
    for extra, form in EXTRAS.items():
        if extra in first[0]:
            values = [by_row.get(row, {}).get(extra) for row in rows]
            title = extra.replace("_", " ")
            columns[title] = [_number(value, form) for value in values]
    header = ["system", *columns]
    body = zip(rows, *columns.values(), strict=True)
    text = [f"| {' | '.join(cells)} |" for cells in (header, *body)]
    text.insert(1, "|---" * len(header) + "|")
    return "\n".join([*text, "", _legend(first)]) + "\n"


def _any_line(table: Mapping[str, Lines], row: str) -> Mapping:
    return next(
        line for lines in table.values() for line in lines if line["row"] == row
    )


def _cells(lines: Lines, rows: Sequence[str], metric: str) -> list[str]:
    form = "{:.1f}" if metric in RANKS else "{:.3f}"
    cells = dict.fromkeys(rows, "")
    for line in lines:
        low, high = line.get(f"{metric}_low"), line.get(f"{metric}_high")
        spread = _number(line[f"{metric}_std"], f" +- {form}")
        if _number(low, form):
            spread = f" [{form.format(low)}, {form.format(high)}]"
        cells[line["row"]] = form.format(line[metric]) + spread
    return [cells[row] for row in rows]


def _number(value: float | None, form: str) -> str:
    return "" if value is None or math.isnan(value) else form.format(value)


def _legend(lines: Lines) -> str:
    metric = deciding_metric(metrics_of(lines))
    tested = TITLES.get(metric, metric)
    legend = [
        "Means over the runs; +- is the standard deviation over them.",
        f"p: paired t-test over runs against the row above, {tested} (strict), "
        "corrected for shared posts where runs have splits of their own.",
    ]
    if f"{metric}_low" in lines[0]:
        legend.insert(
            1,
            "In brackets: 95 % bootstrap intervals over the songs of all runs, those "
            "of one group together; the deviations are in table.csv.",
        )
    if "milliseconds" in lines[0]:
        legend.append(
            "milliseconds: of the fusion, per post or, in retrieval, per pair."
        )
    if "validation" in lines[0]:
        legend.append(f"validation: {tested} of the validation split, best epoch.")
    return " ".join(legend)
