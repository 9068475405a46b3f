"""Small files at any path that ``tf.io.gfile`` opens: local, or of an object store."""

from __future__ import annotations

import contextlib
import hashlib
import uuid
from collections.abc import Iterator

import tensorflow as tf

from keras_jtav.data.whole_file import told_where_full

PART = ".part"  # ends the name of a file that is still being written
_CHUNK_BYTES = 2**24


@contextlib.contextmanager
def readable_errors(path: str) -> Iterator[None]:
    """Turn the errors of TensorFlow's file systems into an ``OSError`` with the path.

    Raises:
        FileNotFoundError: There is no such file.
        OSError: Anything else, such as a kind of path that this TensorFlow lacks.
    """
    try:
        yield
    except tf.errors.NotFoundError as error:
        raise FileNotFoundError(f"There is no {path}. Check the path.") from error
    except tf.errors.OpError as error:
        raise OSError(f"{path} cannot be used: {error.message}") from error


def join(folder: str, name: str) -> str:
    """Return the path of a file in a folder.

    Example:
        >>> join("gs://bucket/posts/", "index.json")
        'gs://bucket/posts/index.json'
    """
    return f"{folder.rstrip('/')}/{name}"


def names_in(folder: str) -> list[str]:
    """Return the names in a folder, in order; none where there is no folder."""
    with readable_errors(folder):
        if not tf.io.gfile.isdir(folder):
            return []
        return sorted(name.rstrip("/") for name in tf.io.gfile.listdir(folder))


def read_text(path: str) -> str:
    """Return the content of a UTF-8 file."""
    with readable_errors(path), tf.io.gfile.GFile(path, "rb") as file:
        return file.read().decode("utf-8")


def write_text(path: str, text: str) -> None:
    """Write a file in one step: it is there as a whole or not at all."""
    with written_aside(path) as aside, tf.io.gfile.GFile(aside, "wb") as file:
        file.write(text.encode("utf-8"))


def remove(path: str) -> None:
    """Remove a file, if it is there."""
    with readable_errors(path), contextlib.suppress(tf.errors.NotFoundError):
        tf.io.gfile.remove(path)


def make_folder(folder: str) -> None:
    """Make a folder and those above it."""
    with readable_errors(folder):
        tf.io.gfile.makedirs(folder)


def num_bytes(path: str) -> int:
    """Return the size of a file."""
    with readable_errors(path):
        return tf.io.gfile.stat(path).length


def file_digest(path: str) -> str:
    """Return the SHA-256 of a file's bytes, in hexadecimal."""
    digest = hashlib.sha256()
    with readable_errors(path), tf.io.gfile.GFile(path, "rb") as file:
        while chunk := file.read(_CHUNK_BYTES):
            digest.update(chunk)
    return digest.hexdigest()


@contextlib.contextmanager
def written_aside(path: str) -> Iterator[str]:
    """Yield a name to write to; rename it into place unless there was an error.

    The name is new every time, so that several processes may write the same file.
    """
    aside = f"{path}.{uuid.uuid4().hex}{PART}"
    with told_where_full(path), readable_errors(path):
        try:
            yield aside
            tf.io.gfile.rename(aside, path, overwrite=True)
        except BaseException:
            with contextlib.suppress(tf.errors.NotFoundError):
                tf.io.gfile.remove(aside)
            raise
