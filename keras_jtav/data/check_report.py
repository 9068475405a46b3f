"""What the manifest doctor found, as data and as text."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

SEVERITIES = ("error", "warning", "info")
MAX_LINES = 20


@dataclass(frozen=True)
class Finding:
    """One thing about one row or file.

    Args:
        severity: ``error`` (the row cannot be used, or no training), ``warning`` (look
            at it) or ``info``.
        row: Such as ``row 17 (p17)``; ``table`` where it is about the whole.
        file: The file at fault; empty where the row itself is.
        message: What was found and what to do.
        kind: What it is grouped under, such as ``silent audio``.
    """

    severity: str
    row: str
    file: str
    message: str
    kind: str


@dataclass(frozen=True)
class Summary:
    """Counts of a table.

    Args:
        rows: Rows of the table.
        posts: Rows that can be used, all their files too.
        songs: Distinct songs of these posts.
        missing: Posts without lyrics, caption, audio, image.
        classes: Posts by class name.
        splits: Posts by part, for each task that can be split.
    """

    rows: int = 0
    posts: int = 0
    songs: int = 0
    missing: Mapping[str, int] = field(default_factory=dict)
    classes: Mapping[str, int] = field(default_factory=dict)
    splits: Mapping[str, Mapping[str, int]] = field(default_factory=dict)


@dataclass(frozen=True)
class CheckReport:
    """The doctor's report.

    Args:
        path: The table.
        findings: In the order of the table.
        summary: Counts.
        problems: For each task that was asked for, why training would fail; empty if
            it would not.
    """

    path: str
    findings: Sequence[Finding]
    summary: Summary
    problems: Mapping[str, Sequence[str]]

    @property
    def fatal(self) -> bool:
        """Whether training would fail: for the task asked for, or for every task."""
        return all(self.problems.values())

    def render(self) -> str:
        """Return the report as text: counts, verdicts, then at most 20 lines a kind."""
        summary = self.summary
        lines = [
            f"{self.path}: {summary.rows} rows, {summary.posts} usable posts, "
            f"{summary.songs} songs",
            f"missing: {_counts(summary.missing)}",
            f"labels: {_counts(summary.classes)}",
        ]
        for task, problems in self.problems.items():
            if problems:
                lines += [f"{task}: training would fail"]
                lines += [f"  {problem}" for problem in problems]
            else:
                split = _counts(summary.splits.get(task, {}))
                lines += [f"{task}: can be trained ({split})"]
        kinds: dict[tuple[str, str], list[Finding]] = defaultdict(list)
        for finding in self.findings:
            kinds[finding.severity, finding.kind].append(finding)
        for severity, kind in sorted(kinds, key=lambda key: SEVERITIES.index(key[0])):
            found = kinds[severity, kind]
            lines += ["", f"{severity}: {kind} ({len(found)})"]
            lines += [f"  {_line(finding)}" for finding in found[:MAX_LINES]]
            if len(found) > MAX_LINES:
                lines += [f"  ... and {len(found) - MAX_LINES} more"]
        if not self.findings:
            lines += ["", "nothing found"]
        return "\n".join(lines)


def _counts(counts: Mapping[str, int]) -> str:
    return ", ".join(f"{count} {name}" for name, count in counts.items()) or "none"


def _line(finding: Finding) -> str:
    return ", ".join(filter(None, (finding.row, finding.file))) + f": {finding.message}"
