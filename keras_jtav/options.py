"""The plain settings of a run, by concern. The defaults are those of Sec. 4.1."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from typing import Any

# How posts are split where `data.split` says nothing else.
TASK_SPLITS = {"sentiment": "random", "retrieval": "dagger"}


@dataclass(frozen=True)
class DataOptions:
    """How posts become splits.

    Args:
        split: ``random`` (groups of posts, stratified by label), ``dagger`` (songs of
            validation and test are unseen in training) or ``section`` (one query of
            every song is held out for test and one for validation).
        split_seed: Decides the split; -1: ``train.seed`` does.
        fractions: Shares of train, validation and test.
        texts: Which of lyrics and caption posts keep once they are split; the other is
            treated as missing.
        max_rejected: Highest share of unusable rows that training accepts, 0 to 1.
        max_audio_seconds: Longer recordings are cut at this length.
        max_image_pixels: Larger pictures are rejected before they are decoded.
        max_file_bytes: Larger recordings and pictures are rejected before they are
            read. Three hours of a CD are 1.9 GB.
        max_table_bytes: Larger tables of posts are refused; of Parquet what it unfolds
            to counts.
        outside: Whether a table may name files outside of its own folder.
    """

    split: str = "random"
    split_seed: int = -1
    fractions: tuple[float, float, float] = (0.8, 0.1, 0.1)
    texts: tuple[str, ...] = ("lyrics", "caption")
    max_rejected: float = 0.05
    max_audio_seconds: float = 600.0
    max_image_pixels: int = 50_000_000
    max_file_bytes: int = 2_000_000_000
    max_table_bytes: int = 500_000_000
    outside: bool = False

    @classmethod
    def of_any_version(cls, settings: Mapping[str, Any]) -> DataOptions:
        """Return what a run or a model says; what it does not know has its default.

        Example:
            >>> options = DataOptions.of_any_version({"max_image_pixels": 9, "new": 1})
            >>> options.max_image_pixels, options.max_audio_seconds
            (9, 600.0)
        """
        known = {field.name for field in fields(cls)}
        return cls(**{name: v for name, v in settings.items() if name in known})


@dataclass(frozen=True)
class FeatureOptions:
    """Sizes of what the encoders see (Sec. 4.1).

    Args:
        words: Length of the protagonist text in words.
        supporting_words: Length of the supporting text in words.
        fasttext: Path of a ``.bin`` or ``.vec`` file; empty trains vectors on the
            corpus.
        embedding_dim: Size of word vectors trained on the corpus (a file brings its
            own).
        lsa_dim: Coordinates of latent semantic analysis beside each word vector.
        vocabulary_size: Most words kept from a vector file beside the corpus's own.
        subwords: Whether vectors trained on the corpus also cover unseen words through
            their character n-grams.
        spectrogram: ``cqt`` or ``mel``.
        clip_seconds: Length of one audio segment.
        hop_samples: Distance of two spectrogram frames at 22,050 Hz.
        bins: Frequency bins of a spectrogram.
        mel_window_samples: Length of the window of a mel spectrogram, an even number.
        mel_fmax_hz: Upper edge of the highest mel filter; 0: half of 22,050 Hz.
        image_size: Height and width of a picture in pixels.
        document_dim: Size of doc2vec's vector of a post's protagonist text; 0: none is
            made (it needs gensim).
        tags: Most words of the training texts that image2song takes as tags; 0: none
            are chosen.
    """

    words: int = 100
    supporting_words: int = 5
    fasttext: str = ""
    embedding_dim: int = 300
    lsa_dim: int = 0
    vocabulary_size: int = 50_000
    subwords: bool = True
    spectrogram: str = "cqt"
    clip_seconds: float = 10.0
    hop_samples: int = 1024
    bins: int = 96
    mel_window_samples: int = 2048
    mel_fmax_hz: float = 0.0
    image_size: int = 224
    document_dim: int = 0
    tags: int = 0


@dataclass(frozen=True)
class TrainOptions:
    """How the network is trained (Sec. 3.3).

    Args:
        epochs: Most passes over the training split; 0: as many as make ``steps`` steps,
            so that a small data set is read more often than a large one.
        steps: Most training steps where ``epochs`` is 0.
        batch_size: Posts (retrieval: queries) per step.
        learning_rate: Of Adam, at the start; it falls to 0 along a cosine.
        weight_decay: Share of the learning rate by which every step shrinks the
            weights (not biases and not the scales of normalisation); 0 for none.
        patience: Epochs without a better validation result before training stops; 0: a
            third of all epochs.
        fine_tune_epochs: Most passes of a second phase in which a pretrained image
            backbone learns too, at a tenth of the learning rate; 0 leaves it frozen.
        negatives: False songs per query and epoch.
        modality_dropout: Share of training rows in which a present modality is hidden.
        canonical_start: Whether retrieval's towers start at the canonical correlations
            of what they see, with the ridge that is best on validation.
        contrastive_weight: Weight of the in-batch contrastive loss of retrieval's
            towers; without towers (``tower_units=0``) there is none.
        shuffle_buffer: Prepared records only: posts in the buffer that shuffles them
            while they are streamed; 0: they are unpacked on this disk first, and an
            epoch draws from all of them.
        precision: What convolutions, recurrent and dense layers compute in while the
            network trains: ``float32``, ``mixed_float16`` or ``mixed_bfloat16``.
            Weights, and all that is delicate, stay float32.
        jit: Whether TensorFlow compiles the training step with XLA; JAX always does.
        strategy: ``single`` device, ``mirrored`` (TensorFlow: all devices of this
            machine) or ``data_parallel`` (JAX: all devices of all processes).
        seed: Decides every random choice of a run.
    """

    epochs: int = 50
    steps: int = 1500
    batch_size: int = 32
    learning_rate: float = 1e-3
    weight_decay: float = 0.0
    patience: int = 8
    fine_tune_epochs: int = 10
    negatives: int = 1
    modality_dropout: float = 0.1
    canonical_start: bool = False
    contrastive_weight: float = 1.0
    shuffle_buffer: int = 0
    precision: str = "float32"
    jit: bool = False
    strategy: str = "single"
    seed: int = 0

    def for_steps(self, steps_per_epoch: int) -> TrainOptions:
        """Return the options with the zeros of ``epochs`` and ``patience`` resolved.

        Example:
            >>> options = TrainOptions(epochs=0, steps=600, patience=0).for_steps(13)
            >>> options.epochs, options.patience
            (46, 15)
        """
        epochs = self.epochs or max(1, round(self.steps / steps_per_epoch))
        patience = self.patience or max(1, round(epochs / 3))
        return replace(self, epochs=epochs, patience=patience)
