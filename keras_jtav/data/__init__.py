"""From files of the outside world to posts, and from posts to batches.

To add a data set: one file with a function that returns a ``PostTable``, and one line
in ``SOURCES``.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping

from keras_jtav.config import Component, check_kwargs
from keras_jtav.data.manifest import read_manifest
from keras_jtav.data.npy_arrays import load_npy
from keras_jtav.data.post import PostTable
from keras_jtav.data.shuttersong import load_shuttersong
from keras_jtav.data.synthetic import load_synthetic
from keras_jtav.data.tuxpaint import load_tuxpaint


def _load_records(folder: str = "") -> PostTable:
    from keras_jtav.data.record_folder import load_records  # loads TensorFlow

    return load_records(folder)


SOURCES: dict[str, Callable[..., PostTable]] = {
    "manifest": read_manifest,
    "npy": load_npy,
    "records": _load_records,
    "shuttersong": load_shuttersong,
    "synthetic": load_synthetic,
    "tuxpaint": load_tuxpaint,
}


def load_posts(dataset: Component, context: Mapping[str, object]) -> PostTable:
    """Return the posts of a data set.

    Args:
        dataset: A key of ``SOURCES`` and its arguments.
        context: Settings of the run; a source is given those it has a parameter for.

    Raises:
        ValueError: An unknown source, or an argument it does not take.
    """
    if dataset.name not in SOURCES:
        raise ValueError(
            f"There is no data set {dataset.name!r}. Give a .csv, .jsonl or .parquet "
            f"file of posts, or one of {', '.join(SOURCES)}."
        )
    source = SOURCES[dataset.name]
    check_kwargs("dataset", dataset, source)
    parameters = inspect.signature(source).parameters
    offered = {name: value for name, value in context.items() if name in parameters}
    return source(**{**offered, **dataset.kwargs})
