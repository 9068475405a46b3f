"""Files of media to features: the one path of the cache and of prepared records."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path
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

    def read(self, modality: str, path: Path) -> np.ndarray:
        """Return the features of one file.

        They are those of ``stream`` bit for bit. That holds because ``tf.data`` runs a
        function's operations as they are: a ``tf.function`` would fuse some of them and
        round otherwise. The device is that of ``tf.data`` too.

        Raises:
            DecodeError: The file cannot be decoded.
        """
        with tf.device("CPU"):
            media = tf.constant(self._decode(modality, path))
            return self._transform(modality, media).numpy()

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
                return self._decode(modality, Path(path.decode())), b""
            except DecodeError as error:
                return nothing, str(error).encode()

        def load(path: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
            types = [nothing.dtype, tf.string]
            media, fault = tf.numpy_function(decode, [path], types)
            shape = [None, None, 3][: nothing.ndim]
            return self._transform(modality, tf.ensure_shape(media, shape)), fault

        names = [str(path) for path in paths]
        dataset = tf.data.Dataset.from_tensor_slices(names)
        dataset = dataset.map(load, num_parallel_calls=tf.data.AUTOTUNE)
        return dataset.prefetch(tf.data.AUTOTUNE).as_numpy_iterator()

    def _decode(self, modality: str, path: Path) -> np.ndarray:
        data = self._data
        if modality == "audio":
            return decode_audio(path, data.max_audio_seconds, data.max_file_bytes)
        return decode_image(path, data.max_image_pixels, data.max_file_bytes)

    def _transform(self, modality: str, media: tf.Tensor) -> tf.Tensor:
        if modality == "audio":
            return self._preprocessor.audio(media)["spectrogram"]
        return self._preprocessor.image(media)["image"]
