"""What is said of one answer."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass

import numpy as np


@dataclass(frozen=True)
class Word:
    """A word of a post.

    Args:
        text: The word, in lower case.
        role: ``words`` (the protagonist; in retrieval lyrics) or ``supporting_words``
            (in retrieval the caption).
        effect: What its vector adds to the logit, by integrated gradients from zero
            vectors.
        attention: Its weight in Eq. 1. Supporting words have none, ``None``, but for
            a caption beside no lyrics.
    """

    text: str
    role: str
    effect: float
    attention: float | None = None


@dataclass(frozen=True)
class SoundMap:
    """What parts of a recording add to the logit.

    Args:
        effect: ``(columns, bins)``, by integrated gradients from silence.
        seconds: ``(columns,)``, when each column is. The last segment may overlap the
            one before.
        hz: ``(bins,)``, centres of the bins.
    """

    effect: list[list[float]]
    seconds: list[float]
    hz: list[float]


@dataclass(frozen=True)
class Explanation:
    """Why a model answers as it does.

    Args:
        task: ``sentiment`` or ``retrieval``.
        id: The post; in retrieval the query.
        song: Retrieval: the song beside it.
        class_names: Of probability 0 and 1.
        answer: Sentiment: the class that the model names, by its own threshold.
        logit: The answer as a number.
        absent_logit: The answer when every part is missing.
        parts: Exact Shapley value of each part; they sum to ``logit - absent_logit``.
        words: Of all texts, in their order.
        sound: ``None`` without a recording.
        picture: Where the picture speaks for the answer (Grad-CAM of the backbone's
            last convolution), ``(height, width)``, 0 and up; empty without a picture.
        faults: Files that could not be used and counted as missing.
    """

    task: str
    id: str
    song: str
    class_names: tuple[str, ...]
    answer: str
    logit: float
    absent_logit: float
    parts: dict[str, float]
    words: list[Word]
    sound: SoundMap | None
    picture: list[list[float]]
    faults: list[str]

    @property
    def probability(self) -> float:
        """The answer as a probability of the second class, or of a match."""
        return float(1 / (1 + np.exp(-self.logit)))

    def to_json(self) -> str:
        """Return all of it as JSON."""
        return json.dumps({**asdict(self), "probability": self.probability}, indent=1)
