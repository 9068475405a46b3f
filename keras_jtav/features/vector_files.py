"""fastText's files: ``.bin`` models and ``.vec`` text."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping
from itertools import islice
from pathlib import Path
from typing import BinaryIO

import numpy as np

from keras_jtav.features.fasttext_bin import FastTextBin
from keras_jtav.features.text import tokenize_texts

_LOG = logging.getLogger(__name__)
_LINES_PER_CALL = 4096


def read_bin(
    path: Path, wanted: Mapping[str, None], vocabulary_size: int
) -> dict[str, np.ndarray]:
    """Return vectors from a ``.bin`` model.

    Args:
        path: An existing file.
        wanted: Words to look for first; others come in the file's order.
        vocabulary_size: Most of the others.

    Raises:
        ValueError: A file that is no whole model.
    """
    model = FastTextBin(path)
    others = (word for word in _own_tokens(iter(model.words)) if word not in wanted)
    return model.vectors([*wanted, *islice(others, vocabulary_size)])


def _own_tokens(words: Iterator[str]) -> Iterator[str]:
    """Yield the words that ``tokenize`` gives back as they are."""
    while batch := list(islice(words, _LINES_PER_CALL)):
        for word, tokens in zip(batch, tokenize_texts(batch), strict=True):
            if tokens == [word]:
                yield word


def read_vec(
    path: Path, wanted: Mapping[str, None], vocabulary_size: int
) -> dict[str, np.ndarray]:
    """Return vectors from ``.vec`` text, read line by line.

    Rows that cannot be read are left out and counted in one warning of the log.

    Args:
        path: An existing file.
        wanted: Words that are kept wherever they stand.
        vocabulary_size: Most of the others, the first of the file.

    Raises:
        ValueError: A first line that is not the number of rows and of dimensions.
    """
    vectors: dict[str, np.ndarray] = {}
    num_rows = num_frequent = num_broken = 0
    with path.open("rb") as file:
        promised, dim = _vec_header(path, file)
        while lines := list(islice(file, _LINES_PER_CALL)):
            num_rows += len(lines)
            names = [_vec_word(line) for line in lines]
            filling = num_frequent < vocabulary_size
            frequent = set(_own_tokens(iter(names))) if filling else set()
            for name, line in zip(names, lines, strict=True):
                extra = name not in wanted
                full = num_frequent >= vocabulary_size or name not in frequent
                if name in vectors or (extra and full):
                    continue
                vector = _vec_row(line, dim)
                if vector is None:
                    num_broken += 1
                    continue
                vectors[name] = vector
                num_frequent += extra
    if num_broken or num_rows < promised:
        _LOG.warning(
            "%s: left out %d broken rows; %d of the %d rows that its first line "
            "promises are there.",
            path,
            num_broken,
            num_rows,
            promised,
        )
    return vectors


def _vec_header(path: Path, file: BinaryIO) -> tuple[int, int]:
    """Return the number of rows and of dimensions from the first line."""
    header = file.readline(200)
    try:
        num_rows, dim = map(int, header.split())
    except ValueError:
        num_rows = dim = 0
    if num_rows < 1 or dim < 1:
        raise ValueError(
            f"The first line of {path} must be the number of words and of dimensions, "
            f"such as `2000000 300`; received {header[:40]!r}. Put that line in front "
            "of files without it (GloVe)."
        )
    return num_rows, dim


def _vec_word(line: bytes) -> str:
    return line.partition(b" ")[0].decode("utf-8", "replace")


def _vec_row(line: bytes, dim: int) -> np.ndarray | None:
    values = line.split()[1:]
    if len(values) != dim:
        return None
    try:
        vector = np.array([float(value) for value in values], "float32")
    except ValueError:
        return None
    return vector if np.isfinite(vector).all() else None
