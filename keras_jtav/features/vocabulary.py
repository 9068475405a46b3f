"""Words, their vectors and the layout of the one embedding table."""

from __future__ import annotations

import zipfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from keras_jtav.data.whole_file import written_whole

PADDING_ROW = 0
OOV_ROW = 1
FIRST_WORD_ROW = 2
# Own row and n-grams of a word of 12 letters at n-grams of 3 and 4 characters: 1 + 23.
# Longer words are read by their first 24 pieces. Every piece costs a row of memory and
# time for every word of a batch, so that it is not worth more.
MAX_PIECES = 24


@dataclass(frozen=True, eq=False)
class Vocabulary:
    """One embedding table and what its rows stand for.

    Row 0 is padding, row 1 an unknown word, rows 2 and up the words; with subwords the
    last rows are the buckets that fastText's character n-grams hash into. A word's
    vector is the mean of the rows of its pieces.

    Args:
        words: Distinct words, as ``tokenize`` gives them.
        matrix: ``(2 + words + buckets, dim)`` float32; row 0 is zeros.
        min_ngram: Shortest n-gram in characters, ``<`` and ``>`` included.
        max_ngram: Longest n-gram in characters.
        buckets: Rows of n-grams; 0 for a vocabulary without subwords.

    Raises:
        ValueError: Repeated or unusable words, or a matrix of another shape or content.

    Example:
        >>> table = np.array([[0, 0], [1, 1], [2, 0]], "float32")
        >>> Vocabulary(["sun"], table).pieces
        1
    """

    words: Sequence[str]
    matrix: np.ndarray
    min_ngram: int = 0
    max_ngram: int = 0
    buckets: int = 0

    def __post_init__(self) -> None:
        object.__setattr__(self, "words", tuple(self.words))
        object.__setattr__(self, "matrix", np.asarray(self.matrix, "float32"))
        _check_words(self.words)
        _check_ngrams(self.min_ngram, self.max_ngram, self.buckets)
        _check_matrix(self.matrix, len(self.words), self.buckets)

    @property
    def pieces(self) -> int:
        """Length of a word's list of rows."""
        return MAX_PIECES if self.buckets else 1

    @property
    def first_bucket_row(self) -> int:
        """Row of the first n-gram bucket."""
        return FIRST_WORD_ROW + len(self.words)

    def save(self, path: str | Path) -> None:
        """Write an ``.npz`` file that ``load`` reads; aside first, then renamed."""
        path = Path(path)
        path.parent.mkdir(parents=True, exist_ok=True)
        with written_whole(path) as aside, open(aside, "wb") as file:
            np.savez(
                file,
                words=np.frombuffer("\n".join(self.words).encode(), "uint8"),
                matrix=self.matrix,
                ngrams=np.array([self.min_ngram, self.max_ngram, self.buckets]),
            )

    @classmethod
    def load(cls, path: str | Path) -> Vocabulary:
        """Read a file that ``save`` wrote.

        Raises:
            FileNotFoundError: No such file.
            ValueError: A file of another kind or a damaged one.
        """
        try:
            # Opened here: `np.load` leaves a damaged file open.
            with (
                open(path, "rb") as file,
                np.load(file, allow_pickle=False) as arrays,
            ):
                words = arrays["words"].tobytes().decode().split("\n")
                return cls(words, arrays["matrix"], *map(int, arrays["ngrams"]))
        except FileNotFoundError:
            raise FileNotFoundError(
                f"No vocabulary at {path}. Train or load vectors and `save` them first."
            ) from None
        except (ValueError, KeyError, TypeError, OSError, EOFError) as error:
            raise _damaged(path, error) from error
        except zipfile.BadZipFile as error:
            raise _damaged(path, error) from error


def _damaged(path: str | Path, error: Exception) -> ValueError:
    return ValueError(
        f"{path} is no vocabulary that `Vocabulary.save` wrote ({error}). Delete it "
        "and make it again."
    )


def _check_words(words: Sequence[str]) -> None:
    if not words:
        raise ValueError("A vocabulary needs at least one word; received none.")
    for word in words:
        if not isinstance(word, str) or not word or word.split() != [word]:
            raise ValueError(
                "`words` must be non-empty strings without white space; received "
                f"{word!r}."
            )
    if len(set(words)) < len(words):
        repeated = next(word for word in words if words.count(word) > 1)
        raise ValueError(f"`words` must be distinct; {repeated!r} is repeated.")


def _check_ngrams(min_ngram: int, max_ngram: int, buckets: int) -> None:
    if buckets < 0 or (buckets and not 1 <= min_ngram <= max_ngram):
        raise ValueError(
            "With subwords `1 <= min_ngram <= max_ngram` and `buckets > 0` must hold; "
            f"received {min_ngram}, {max_ngram} and {buckets} buckets. Use buckets=0 "
            "for a vocabulary without subwords."
        )


def _check_matrix(matrix: np.ndarray, num_words: int, buckets: int) -> None:
    rows = FIRST_WORD_ROW + num_words + buckets
    if matrix.ndim != 2 or matrix.shape[0] != rows:
        raise ValueError(
            f"`matrix` must be ({rows}, dim): padding, unknown, {num_words} words and "
            f"{buckets} buckets; received shape {matrix.shape}."
        )
    if matrix[PADDING_ROW].any() or not np.isfinite(matrix).all():
        raise ValueError(
            "`matrix` must be finite and zero in row 0 (padding); received other "
            "values there."
        )
