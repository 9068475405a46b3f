"""Learn from posts that carry text, sound and a picture: JTAV in Keras 3.

Names are loaded when they are first used, so that importing the package loads nothing.
"""

from __future__ import annotations

import importlib
import os
import platform
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from keras_jtav.attribution import explain
    from keras_jtav.config import Component, Config
    from keras_jtav.data import load_posts
    from keras_jtav.data.check import check_table
    from keras_jtav.data.folder_posts import posts_from_folder
    from keras_jtav.data.manifest import read_manifest, write_manifest
    from keras_jtav.data.post import Post
    from keras_jtav.experiments import preset_config
    from keras_jtav.model import build_model
    from keras_jtav.pages.page_view import PageView
    from keras_jtav.running import run
    from keras_jtav.serving.predictor import Predictor
    from keras_jtav.serving.song_index import SongIndex

if platform.machine() in ("x86_64", "AMD64"):
    # Heeded where TensorFlow is imported later. By itself it has these faster
    # operations on CPUs with neural network instructions only.
    os.environ.setdefault("TF_ENABLE_ONEDNN_OPTS", "1")

__version__ = "0.1.0"  # pyproject.toml reads it here

_HOMES = {
    "Component": "config",
    "Config": "config",
    "PageView": "pages.page_view",
    "Post": "data.post",
    "Predictor": "serving.predictor",
    "SongIndex": "serving.song_index",
    "build_model": "model",
    "check_table": "data.check",
    "explain": "attribution",
    "load_posts": "data",
    "posts_from_folder": "data.folder_posts",
    "preset_config": "experiments",
    "read_manifest": "data.manifest",
    "run": "running",
    "write_manifest": "data.manifest",
}

__all__ = [
    "Component",
    "Config",
    "PageView",
    "Post",
    "Predictor",
    "SongIndex",
    "build_model",
    "check_table",
    "explain",
    "load_posts",
    "posts_from_folder",
    "preset_config",
    "read_manifest",
    "run",
    "write_manifest",
]


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(f"{__name__}.{_HOMES[name]}"), name)


def __dir__() -> list[str]:
    return sorted([*globals(), *__all__])
