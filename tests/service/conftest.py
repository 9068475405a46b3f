import functools

import numpy as np
import pytest

from keras_jtav.preparation import load_table
from keras_jtav.service.limits import Limits
from keras_jtav.service.refusal import Refusal
from keras_jtav.service.served_model import ServedModel

PARTS = ("image", "audio", "lyrics", "caption")
ROWS = 4


@functools.cache
def serve(folder):
    return ServedModel(folder, Limits(max_rows=ROWS, max_pairs=12))


@pytest.fixture(scope="session")
def served(finished_run):
    """The same model as ``predictor``, as the service has it; also loaded once."""
    return serve(finished_run[1].exported)


@pytest.fixture(scope="module")
def media(finished_run):
    """Bytes of four posts by part, the second without its picture."""
    posts = load_table(finished_run[0]).posts
    posts = [post for post in posts if not post.missing][:ROWS]
    columns = {
        "image": [post.image.read_bytes() for post in posts],
        "audio": [post.audio.read_bytes() for post in posts],
        "lyrics": [post.texts["lyrics"].encode() for post in posts],
        "caption": [post.texts["caption"].encode() for post in posts],
    }
    columns["image"][1] = b""
    return {name: np.array(values, object) for name, values in columns.items()}


@pytest.fixture
def refused():
    """Call a function that must refuse; return what it says and its status."""

    def call(function, *arguments):
        with pytest.raises(Refusal) as caught:
            function(*arguments)
        return str(caught.value), caught.value.status

    return call
