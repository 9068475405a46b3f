"""Labels of a table: which two classes they name, and what is none of them."""

from __future__ import annotations

import contextlib
import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping
from pathlib import Path

from keras_jtav.data.tables import Row, cell_text

LABEL_WORDS = (("0", "negative", "neg", "false"), ("1", "positive", "pos", "true"))
KNOWN_LABELS = {word: label for label in (0, 1) for word in LABEL_WORDS[label]}
MAX_STRAY_LABELS = 0.05  # share of labels beside the two classes; more are no slips


def label_text(row: Row) -> str:
    """Return a label; in CSV, numbers beside empty cells are often written ``1.0``."""
    return re.sub(r"^(-?\d+)\.0+$", r"\1", cell_text("label", row.get("label")))


def classes_of(path: Path, rows: list[Row]) -> tuple[dict[str, int], tuple[str, str]]:
    """Return the class of every label that counts, and the names of the classes.

    Args:
        path: The table, for the message.
        rows: What ``read_table`` gave.

    Raises:
        ValueError: More than two classes, or two that are one word.
    """
    labels: list[str] = []
    for row in rows:
        with contextlib.suppress(ValueError):  # that row will be rejected
            labels += [label_text(row)]
    labels = [label for label in labels if label]
    known = Counter(KNOWN_LABELS.get(label.casefold(), -1) for label in labels)
    if known[-1] <= MAX_STRAY_LABELS * len(labels):
        return KNOWN_LABELS, ("negative", "positive")
    counts = Counter(labels)
    common = sorted(counts, key=lambda label: (-counts[label], label))
    if sum(counts[label] for label in common[2:]) > MAX_STRAY_LABELS * len(labels):
        listed = ", ".join(f"{label!r} ({counts[label]})" for label in common[:8])
        raise ValueError(
            f"{path}: `label` has {len(common)} values, expected two classes: {listed}"
            f"{' and more' if len(common) > 8 else ''}. {_alike(common)}"
            "Keep two, empty the others."
        )
    if alike := _alike(common[:2]):
        raise ValueError(
            f"{path}: both classes of `label` are one word: {alike}".rstrip()
        )
    names = class_order(common[0], [*common, f"not {common[0]}"][1])
    return {names[0]: 0, names[1]: 1}, names


def are_two_classes(path: Path, rows: list[Row]) -> bool:
    """Return whether every label can be read and is one of two, or empty."""
    try:
        classes, _ = classes_of(path, rows)
        for row in rows:
            label_of(label_text(row), classes)
    except ValueError:
        return False
    return True


def _alike(labels: Iterable[str]) -> str:
    """Return what to do with labels that differ only in case; empty if none do."""
    spellings: dict[str, list[str]] = defaultdict(list)
    for label in labels:
        spellings[label.casefold()].append(repr(label))
    same = [" and ".join(words) for words in spellings.values() if len(words) > 1]
    return f"{', '.join(same)} differ only in case: write them alike. " * bool(same)


def label_of(text: str, classes: Mapping[str, int]) -> int | None:
    """Return the class of a label, ``None`` of an empty one.

    Raises:
        ValueError: Neither of the two classes.
    """
    label = classes.get(text, classes.get(text.casefold()))
    if text and label is None:
        raise ValueError(
            f"the label {text!r} is neither of the two classes "
            f"({', '.join(classes)}): mend it or leave it empty"
        )
    return label


def class_order(*names: str) -> tuple[str, str]:
    """Return two class names, class 0 first.

    Example:
        >>> class_order("sad", "glad"), class_order("positive", "negative")
        (('glad', 'sad'), ('negative', 'positive'))
    """
    known = [KNOWN_LABELS.get(name.casefold(), -1) for name in names]
    if sorted(known) == [0, 1]:
        return (names[known.index(0)], names[known.index(1)])
    return (min(names), max(names))
