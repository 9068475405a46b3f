"""Versions of packages, as runs, tables and exported models record them."""

from __future__ import annotations

import importlib
from collections.abc import Iterable

MODULES = {"scikit-learn": "sklearn"}


def versions_of(packages: Iterable[str]) -> dict[str, str]:
    """Return the version that each package says of itself.

    It is asked of the modules, not of what is installed: ``train.py`` runs where this
    package is not installed, and TensorFlow comes in packages of several names.

    Example:
        >>> versions_of(["keras-jtav"])
        {'keras-jtav': '0.1.0'}
    """
    return {
        name: importlib.import_module(
            MODULES.get(name, name.replace("-", "_"))
        ).__version__
        for name in packages
    }
