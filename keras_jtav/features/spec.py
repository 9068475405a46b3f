"""Sizes of the features, all an encoder needs to know about them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING

from keras_jtav.config import SAMPLE_RATE_HZ, FeatureOptions

if TYPE_CHECKING:
    from keras_jtav.features.vocabulary import Vocabulary

NO_SIZES = ("image_features", "lsa_dim", "document_dim", "tag_rows")


@dataclass(frozen=True)
class FeatureSpec:
    """Shapes that the preprocessor yields and the encoders take.

    Args:
        words: Length of the protagonist text.
        supporting_words: Length of the supporting text.
        pieces: Rows of the embedding table per word, at most.
        embedding_rows: Rows of the embedding table.
        embedding_dim: Size of a word vector.
        lsa_dim: Coordinates of latent semantics that follow it in the table's rows.
        frames: Spectrogram frames of one segment.
        bins: Frequency bins.
        image_size: Height and width in pixels.
        image_features: Size of the backbone features that stand in for pictures; 0
            where the pictures themselves are the features (see ``transfer.py``).
        document_dim: Size of the vector of a whole text; 0 where there is none.
        tag_rows: Rows of the embedding table whose words are tags (see ``tags.py``).

    Raises:
        ValueError: A size below 1.
    """

    words: int
    supporting_words: int
    pieces: int
    embedding_rows: int
    embedding_dim: int
    frames: int
    bins: int
    image_size: int
    image_features: int = 0
    lsa_dim: int = 0
    document_dim: int = 0
    tag_rows: tuple[int, ...] = ()

    def __post_init__(self) -> None:
        for name, size in asdict(self).items():
            if name not in NO_SIZES and size < 1:
                raise ValueError(f"`{name}` must be at least 1; received {size}.")

    @property
    def image_shape(self) -> tuple[int, ...]:
        """Shape of one picture, or of what stands in for it."""
        if self.image_features:
            return (self.image_features,)
        return (self.image_size, self.image_size, 3)

    @property
    def image_dtype(self) -> str:
        """Type of ``image``."""
        return "float32" if self.image_features else "uint8"

    @classmethod
    def from_dict(cls, sizes: Mapping) -> FeatureSpec:
        """Return the spec that JSON gave back."""
        return cls(**{**sizes, "tag_rows": tuple(sizes["tag_rows"])})

    @classmethod
    def from_options(
        cls, options: FeatureOptions, vocabulary: Vocabulary | None = None
    ) -> FeatureSpec:
        """Return the sizes that a preprocessor of these arguments yields.

        Without a vocabulary: those of one with ``options.vocabulary_size`` words, no
        subwords, and vectors of ``options.embedding_dim``.
        """
        rows, width = (
            options.vocabulary_size + 2,
            options.embedding_dim + options.lsa_dim,
        )
        if vocabulary is not None:
            rows, width = vocabulary.matrix.shape
        return cls(
            words=options.words,
            supporting_words=options.supporting_words,
            pieces=1 if vocabulary is None else vocabulary.pieces,
            embedding_rows=rows,
            embedding_dim=width - options.lsa_dim,
            frames=1 + clip_samples(options) // options.hop_samples,
            bins=options.bins,
            image_size=options.image_size,
            lsa_dim=options.lsa_dim,
            document_dim=options.document_dim,
        )


def clip_samples(options: FeatureOptions) -> int:
    """Return the samples of one audio segment.

    Example:
        >>> clip_samples(FeatureOptions(clip_seconds=10.0))
        220500
    """
    return round(options.clip_seconds * SAMPLE_RATE_HZ)
