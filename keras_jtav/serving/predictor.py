"""Using an exported model on files: no Keras, only TensorFlow and the decoders."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import tensorflow as tf

from keras_jtav.data.decode import decode_audio, decode_image, encode_png, encode_wav
from keras_jtav.data.post import Post, Rejection
from keras_jtav.options import DataOptions

BATCH_SIZE = 16


class Predictor:
    """An exported model and its settings.

    Args:
        folder: A numbered version, such as ``exported_models/sentiment/1``.

    Attributes:
        folder: The argument.
        saved_model: What TensorFlow loaded.
        settings: What travels inside it.
        data: Limits on what is decoded, those of its training.

    Raises:
        FileNotFoundError: The folder holds no SavedModel.
    """

    def __init__(self, folder: str | Path) -> None:
        if not (Path(folder) / "saved_model.pb").exists():
            raise FileNotFoundError(
                f"{folder} holds no SavedModel. Give the numbered folder that training "
                "wrote, such as exported_models/sentiment/1."
            )
        self.folder = Path(folder)
        self.saved_model = tf.saved_model.load(str(folder))
        self.settings: dict = json.loads(self.call("settings")["settings"])
        self.data = DataOptions.of_any_version(self.settings["config"]["data"])

    @property
    def task(self) -> str:
        """``sentiment`` or ``retrieval``."""
        return self.settings["task"]

    @property
    def fingerprint(self) -> str:
        """Name of the weights; empty where an earlier version wrote the model."""
        return self.settings.get("fingerprint", "")

    @property
    def variables(self) -> list[tf.Variable]:
        """Those of the Keras models, in the order in which ``Endpoints`` has them."""
        # A model with an index inside holds the one that it was made from.
        model = getattr(self.saved_model, "model", self.saved_model)
        return list(model.model_variables)

    def outputs(self, endpoint: str) -> set[str]:
        """Return the names of what an endpoint answers."""
        return set(self.saved_model.signatures[endpoint].structured_outputs)

    def call(self, endpoint: str, **inputs: np.ndarray) -> dict[str, np.ndarray]:
        """Call an endpoint with arrays; return arrays."""
        tensors = {name: tf.constant(array) for name, array in inputs.items()}
        answer = self.saved_model.signatures[endpoint](**tensors)
        return {name: tensor.numpy() for name, tensor in answer.items()}

    def call_on_posts(
        self, endpoint: str, posts: Sequence[Post], parts: Sequence[str]
    ) -> tuple[dict[str, np.ndarray], list[Rejection]]:
        """Call an endpoint with the media of posts, a few at a time.

        A file that cannot be decoded counts as missing and is reported.

        Args:
            endpoint: Its name.
            posts: At least one post.
            parts: Inputs of the endpoint among image, audio, lyrics and caption.

        Returns:
            The rows of all posts, and the files that could not be used.
        """
        answers, faults = [], []
        for start in range(0, len(posts), BATCH_SIZE):
            batch = posts[start : start + BATCH_SIZE]
            inputs = {
                part: np.array(
                    [self._encoded(post, part, faults) for post in batch], object
                )
                for part in parts
            }
            answers.append(self.call(endpoint, **inputs))
        return {n: np.concatenate([a[n] for a in answers]) for n in answers[0]}, faults

    def _encoded(self, post: Post, part: str, faults: list[Rejection]) -> bytes:
        """Return one medium or text as an endpoint takes it; empty is missing."""
        if part in ("lyrics", "caption"):
            return post.texts.get(part, "").encode()
        path = getattr(post, part)
        if path is None:
            return b""
        try:
            if part == "image":
                limits = (self.data.max_image_pixels, self.data.max_file_bytes)
                return encode_png(decode_image(path, *limits))
            limits = (self.data.max_audio_seconds, self.data.max_file_bytes)
            return encode_wav(decode_audio(path, *limits))
        except (OSError, ValueError) as error:
            faults.append(Rejection.of_file(post, path, error))
            return b""
