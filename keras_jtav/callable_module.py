"""A file that is called like the function that it is for, and can be called like it."""

from __future__ import annotations

import sys
from collections.abc import Callable
from types import ModuleType
from typing import Any


def make_callable(name: str, function: Callable) -> None:
    """Let a module be called as the function of its own name.

    Python puts a file that it loads where the package's attribute of that name is. So
    ``from keras_jtav import run`` is the file ``run.py`` once anything has loaded it,
    and users mean the function.

    Args:
        name: Of the module, which is loaded.
        function: What its calls go to.

    Example:
        >>> sys.modules["twice"] = ModuleType("twice")
        >>> make_callable("twice", lambda number: 2 * number)
        >>> sys.modules.pop("twice")(21)
        42
    """

    class CallableModule(ModuleType):
        def __call__(self, *args: Any, **kwargs: Any) -> Any:
            return function(*args, **kwargs)

    sys.modules[name].__class__ = CallableModule
