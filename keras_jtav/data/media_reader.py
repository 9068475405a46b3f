"""Files of media to features: the one path of the cache and of prepared records."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from threading import Lock
from typing import Any

import numpy as np
import tensorflow as tf

from keras_jtav.config import DataOptions
from keras_jtav.data.decode import decode_audio, decode_image
from keras_jtav.data.media_file import DecodeError

NO_MEDIA = {
    "audio": np.zeros(0, np.float32),  # (samples,)
    "image": np.zeros((0, 0, 3), np.uint8),  # (height, width, 3)
}


class MediaReader:
    """Decodes recordings and pictures and makes their features.

    Args:
        preprocessor: From decoded media to features; the one of serving.
        data: Limits on what is decoded.
    """

    def __init__(self, preprocessor: Any, data: DataOptions) -> None:
        self._preprocessor = preprocessor
        self._data = data
        self._alone: dict[str, Callable[[np.ndarray], tf.Tensor]] = {}
        self._turn = Lock()  # Beam's threads share a reader

    def decode(self, modality: str, path: Path) -> np.ndarray:
        """Return a recording or a picture as its file has it, within the limits.

        Raises:
            DecodeError: The file cannot be decoded.
        """
        data = self._data
        if modality == "audio":
            return decode_audio(path, data.max_audio_seconds, data.max_file_bytes)
        return decode_image(path, data.max_image_pixels, data.max_file_bytes)

    def read(self, modality: str, path: Path) -> np.ndarray:
        """Return the features of one file.

        They are those of ``stream`` bit for bit.

        Raises:
            DecodeError: The file cannot be decoded.
        """
        media = self.decode(modality, path)
        with self._turn, tf.device("CPU"):
            if modality not in self._alone:
                self._alone[modality] = self._transform_alone(modality)
            return self._alone[modality](media).numpy()

    def stream(
        self, modality: str, paths: Sequence[Path]
    ) -> Iterable[tuple[np.ndarray, bytes]]:
        """Yield ``(features, fault)`` of each file, computed in parallel.

        The fault is empty, or says why the file cannot be decoded.
        """
        if not paths:
            return []
        nothing = NO_MEDIA[modality]

        def decode(path: bytes) -> tuple[np.ndarray, bytes]:
            try:
                return self.decode(modality, Path(path.decode())), b""
            except DecodeError as error:
                return nothing, str(error).encode()

        def load(path: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
            types = [nothing.dtype, tf.string]
            media, fault = tf.numpy_function(decode, [path], types)
            media = tf.ensure_shape(media, _media_shape(modality))
            return self._transform(modality, media), fault

        names = [str(path) for path in paths]
        dataset = tf.data.Dataset.from_tensor_slices(names)
        dataset = dataset.map(load, num_parallel_calls=tf.data.AUTOTUNE)
        dataset = dataset.with_options(_one_thread())
        return dataset.prefetch(tf.data.AUTOTUNE).as_numpy_iterator()

    def _transform_alone(self, modality: str) -> Callable[[np.ndarray], tf.Tensor]:
        """Return the transformation as ``tf.data`` runs it, for one file at a time.

        Called directly, or in a ``tf.function``, some operations would be fused or cut
        among other numbers of threads, and so rounded otherwise. The data set has no
        end, since what makes it ready takes longer than many files do.
        """
        media = tf.Variable(
            NO_MEDIA[modality], trainable=False, shape=_media_shape(modality)
        )
        dataset = tf.data.Dataset.from_tensors(0).repeat()
        dataset = dataset.map(lambda _: self._transform(modality, media.read_value()))
        options = _one_thread()
        # An element that is made before it is asked for is that of the file before.
        options.experimental_optimization.inject_prefetch = False
        elements = iter(dataset.with_options(options))

        def transform(decoded: np.ndarray) -> tf.Tensor:
            media.assign(decoded)
            return next(elements)

        return transform

    def _transform(self, modality: str, media: tf.Tensor) -> tf.Tensor:
        if modality == "audio":
            return self._preprocessor.audio(media)["spectrogram"]
        return self._preprocessor.image(media)["image"]


def _media_shape(modality: str) -> list[int | None]:
    return [None, None, 3][: NO_MEDIA[modality].ndim]


def _one_thread() -> tf.data.Options:
    """Return options under which an operation is not cut among threads.

    Files are worked on side by side; where one operation is cut decides how it rounds.
    """
    options = tf.data.Options()
    options.threading.max_intra_op_parallelism = 1
    return options
