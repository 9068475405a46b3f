"""Features that a data set brings with it, where others bring media."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from keras_jtav.data.post import Post, Rejection

Measure = tuple[Callable[[str | Path], np.ndarray], int]


class ArrayStore:
    """A ``MediaStore`` whose features are rows of arrays on disk.

    A post names a row as if it were a file: ``row_path(file, row)``.

    Args:
        audio: Arrays ``(rows, frames, bins)`` by file.
        image: Arrays ``(rows, channels)`` by file.
        audio_range: The values of spectrograms that become 0 and 1, those beyond them
            too; ``None`` leaves all as they are.
    """

    def __init__(
        self,
        audio: Mapping[Path, np.ndarray],
        image: Mapping[Path, np.ndarray],
        audio_range: tuple[float, float] | None = None,
    ) -> None:
        self._arrays = {**audio, **image}
        self._audio_range = audio_range

    def prepare(self, posts: Sequence[Post], progress: Callable) -> list[Rejection]:
        """Do nothing: there is nothing to compute."""
        return []

    def has(self, path: Path) -> bool:
        """Return whether a path is one of a row."""
        return path.parent in self._arrays

    def spectrogram(self, path: Path) -> np.ndarray:
        """Return a row as a recording of one segment, ``(1, frames, bins)``."""
        spectrogram = self._row(path)[None]
        if self._audio_range is None:
            return spectrogram
        least, most = self._audio_range
        scaled = (spectrogram - least) / max(most - least, 1e-6)
        return np.clip(scaled, 0.0, 1.0)

    def image(self, path: Path) -> np.ndarray:
        """Return a row of image features, ``(channels,)``."""
        return self._row(path)

    def _row(self, path: Path) -> np.ndarray:
        return np.asarray(self._arrays[path.parent][int(path.name)], "float32")


def row_path(file: Path, row: int) -> Path:
    """Return what a post calls a row of an array."""
    return file / str(row)


class PseudoWords:
    """Gives every distinct word vector a name: texts of vectors become texts of words.

    Example:
        >>> words = PseudoWords()
        >>> words.text(np.array([[1.0, 2.0], [3.0, 4.0], [1.0, 2.0], [0.0, 0.0]]))
        'w1 w2 w1'
        >>> words.names, words.vectors.tolist()
        (('w1', 'w2'), [[1.0, 2.0], [3.0, 4.0]])
    """

    def __init__(self) -> None:
        self._by_content: dict[bytes, tuple[str, np.ndarray]] = {}

    def text(self, vectors: np.ndarray) -> str:
        """Return the names of the vectors, ``(words, dim)``; zeros are padding."""
        names = []
        for vector in np.asarray(vectors, "float32"):
            if vector.any():
                new = f"w{len(self._by_content) + 1}"
                entry = (new, vector)
                names.append(self._by_content.setdefault(vector.tobytes(), entry)[0])
        return " ".join(names)

    @property
    def names(self) -> tuple[str, ...]:
        """All names, in the order of their first use."""
        return tuple(name for name, _ in self._by_content.values())

    @property
    def vectors(self) -> np.ndarray:
        """Their vectors, float32 ``(words, dim)``."""
        return np.array([vector for _, vector in self._by_content.values()])


@dataclass(frozen=True, eq=False)
class ReadyFeatures:
    """What posts with features have in place of media and words.

    Args:
        store: Spectrograms and image features.
        words: The words of the posts' texts.
        word_vectors: Float32 ``(words, dim)``.
        frames: Frames of a spectrogram.
        bins: Bins of a spectrogram.
        image_features: Size of the features of a picture.
        are_vectors: Whether every modality is one vector already, so that the encoders
            have only to pass it on: a text is one word and a recording one frame.

    Raises:
        ValueError: No word at all.
    """

    store: ArrayStore
    words: Sequence[str]
    word_vectors: np.ndarray
    frames: int
    bins: int
    image_features: int
    are_vectors: bool = False

    def __post_init__(self) -> None:
        if not len(self.words):
            raise ValueError(
                "All text vectors are zero, so that there is no text to learn from. "
                "Make the arrays again."
            )

    @property
    def sizes(self) -> dict[str, int]:
        """The sizes that the settings of features do not decide."""
        return {
            "frames": self.frames,
            "bins": self.bins,
            "image_features": self.image_features,
        }

    def measures(self) -> dict[str, Measure]:
        """Return for every part of a post what baselines see of it, and its size.

        Texts: the mean word vector. Recordings: mean and standard deviation of every
        bin over the frames. Pictures: their features.
        """
        rows = {word: row for row, word in enumerate(self.words)}

        def of_text(text: str) -> np.ndarray:
            return self.word_vectors[[rows[word] for word in text.split()]].mean(axis=0)

        def of_audio(path: Path) -> np.ndarray:
            frames = self.store.spectrogram(path)[0]
            return np.concatenate([frames.mean(axis=0), frames.std(axis=0)])

        text = (of_text, self.word_vectors.shape[1])
        return {
            "lyrics": text,
            "caption": text,
            "audio": (of_audio, 2 * self.bins),
            "image": (self.store.image, self.image_features),
        }
