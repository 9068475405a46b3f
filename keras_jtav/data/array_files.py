"""Arrays of someone else's code on disk, opened without being read into memory."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np


@dataclass(frozen=True, eq=False)
class ArrayFile:
    """An array and the file it lies in.

    Args:
        path: The file.
        array: Its content, mapped from disk: only the rows that are used are read.
    """

    path: Path
    array: np.ndarray

    def row(self, number: int) -> np.ndarray:
        """Return one row as float32.

        Raises:
            ValueError: Values that are no finite numbers.
        """
        values = np.ascontiguousarray(self.array[number], "float32")
        if not np.isfinite(values).all():
            raise ValueError(
                f"{self.path}, row {number}, holds values that are no finite numbers. "
                "Make the array again."
            )
        return values


class ArrayFolder:
    """Opens ``.npy`` files whose axes must agree with one another.

    An axis has a number or a name; the first array with a name decides its size.

    Args:
        folder: What the names of files are relative to.

    Example:
        >>> import tempfile
        >>> folder = Path(tempfile.mkdtemp())
        >>> np.save(folder / "x.npy", np.zeros((3, 5)))
        >>> arrays = ArrayFolder(folder)
        >>> arrays.open("x.npy", ("posts", "dim")).row(1).shape, arrays.sizes
        ((5,), {'posts': 3, 'dim': 5})
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.sizes: dict[str, int] = {}

    def open(self, name: str, axes: Sequence[str | int]) -> ArrayFile:
        """Open a file whose array has the given axes.

        Args:
            name: Of the file, below the folder.
            axes: Its shape.

        Raises:
            FileNotFoundError: No such file.
            ValueError: A file that holds no array of numbers, or another shape.
        """
        path = self.folder / name
        array = _load(path)
        expected = [self.sizes.get(axis, axis) for axis in axes]
        agrees = array.ndim == len(axes) and all(
            not isinstance(size, int) or size == found
            for size, found in zip(expected, array.shape, strict=True)
        )
        if not agrees:
            shown = ", ".join(
                f"{axis}={self.sizes[axis]}" if axis in self.sizes else str(axis)
                for axis in axes
            )
            raise ValueError(
                f"{path} has the shape {array.shape}; expected ({shown}). Named sizes "
                "are those of the arrays read before it."
            )
        named = zip(axes, array.shape, strict=True)
        self.sizes |= {axis: n for axis, n in named if isinstance(axis, str)}
        return ArrayFile(path, array)

    def labels(self, name: str) -> np.ndarray:
        """Return labels of 0 and 1 from an array of any shape, as int ``(labels,)``.

        Raises:
            FileNotFoundError: No such file.
            ValueError: A file that holds no array of numbers, or other labels.
        """
        path = self.folder / name
        labels = np.asarray(_load(path)).ravel()
        others = labels[(labels != 0) & (labels != 1)]
        if len(others):
            raise ValueError(f"{path} has the label {others[0]}; expected 0 and 1.")
        return labels.astype(int)


def _load(path: Path) -> np.ndarray:
    if not path.is_file():
        raise FileNotFoundError(
            f"There is no array {path}. docs/data-sets.md lists the files "
            "`--dataset npy` reads."
        )
    try:
        array = np.load(path, mmap_mode="r", allow_pickle=False)
    except (ValueError, EOFError, OSError) as error:
        raise ValueError(
            f"{path} cannot be read as an array of numbers ({error})."
        ) from error
    if array.dtype.kind not in "biuf":
        raise ValueError(
            f"{path} holds values of type {array.dtype}; expected numbers."
        )
    return array
