"""Spectrograms and pictures of posts: decoded and transformed once, then kept."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from keras_jtav.config import DataOptions, FeatureOptions
from keras_jtav.data.cache import FeatureCache, content_digest
from keras_jtav.data.media_file import DecodeError, refuse_large
from keras_jtav.data.media_reader import MediaReader
from keras_jtav.data.post import Post, Rejection

FEATURE_VERSION = 3  # raise it when the same file gives other features


class MediaStore:
    """Features of the media files of posts, by path.

    Args:
        preprocessor: From decoded media to features; the one of serving.
        features: Its settings.
        data: Limits on what is decoded.
        folder: Where the features are kept between runs.
        modalities: What the model sees; other media are not read.

    Attributes:
        folder: The argument.
        data: The argument.
    """

    def __init__(
        self,
        preprocessor: Any,
        features: FeatureOptions,
        data: DataOptions,
        folder: Path,
        modalities: Sequence[str],
    ) -> None:
        self._reader = MediaReader(preprocessor, data)
        self._modalities = modalities
        self.data = data
        self.folder = folder
        spectrogram = {
            "version": FEATURE_VERSION,
            "kind": features.spectrogram,
            "clip_seconds": features.clip_seconds,
            "hop_samples": features.hop_samples,
            "bins": features.bins,
            "mel_window_samples": features.mel_window_samples,
            "mel_fmax_hz": features.mel_fmax_hz,
            "max_seconds": data.max_audio_seconds,
        }
        self.image_settings = {
            "version": FEATURE_VERSION,
            "size": features.image_size,
            "max_pixels": data.max_image_pixels,
        }
        self._caches = {
            "audio": FeatureCache(folder, "spectrogram", spectrogram),
            "image": FeatureCache(folder, "image", self.image_settings),
        }
        self._digests: dict[Path, str] = {}

    def prepare(
        self,
        posts: Sequence[Post],
        progress: Callable[[Iterable, int, str], Iterable],
    ) -> list[Rejection]:
        """Compute the features that no earlier run has left behind.

        Args:
            posts: Posts whose files are wanted.
            progress: Wraps an iterable, given its length and a title.

        Returns:
            One rejection for each post with a file that cannot be read.
        """
        faults: dict[Path, str] = {}
        for modality in ("audio", "image"):
            if modality in self._modalities:
                paths = sorted({path for p in posts if (path := getattr(p, modality))})
                faults |= self._compute(modality, paths, progress)
        return [
            Rejection.of_file(post, path, faults[path])
            for post in posts
            for path in (post.audio, post.image)
            if path in faults
        ]

    def has(self, path: Path) -> bool:
        """Return whether the file's features are at hand."""
        return path in self._digests

    def digest(self, path: Path) -> str:
        """Return the digest of a prepared file's content."""
        return self._digests[path]

    def spectrogram(self, path: Path) -> np.ndarray:
        """Return ``(segments, frames, bins)`` of a prepared recording."""
        return self._caches["audio"].get(self._digests[path])

    def image(self, path: Path) -> np.ndarray:
        """Return ``(size, size, 3)`` of a prepared picture."""
        return self._caches["image"].get(self._digests[path])

    def shown(self, path: Path) -> np.ndarray:
        """Return a picture as people see it, uint8 ``(height, width, 3)``.

        Raises:
            DecodeError: The file cannot be decoded.
        """
        return self._reader.decode("image", path)

    def _compute(
        self, modality: str, paths: Sequence[Path], progress: Callable
    ) -> dict[Path, str]:
        """Fill the cache of one modality; return the faults by path."""
        cache, faults, missing = self._caches[modality], {}, []
        for path in paths:
            try:
                refuse_large(path, self.data.max_file_bytes)
                self._digests[path] = content_digest(path)
            except DecodeError as error:
                faults[path] = str(error)
                continue
            except OSError as error:
                faults[path] = f"cannot be read ({error.strerror}); check the path"
                continue
            if self._digests[path] not in cache:
                missing.append(path)
        features = self._reader.stream(modality, missing)
        rows = zip(missing, features, strict=True)
        title = {"audio": "spectrograms", "image": "pictures"}[modality]
        for path, (array, fault) in progress(rows, len(missing), title):
            if fault:
                faults[path] = fault.decode()
                del self._digests[path]
            else:
                cache.put(self._digests[path], array)
        return faults
