"""The twelve themes, and the words of the synthetic lyrics and captions."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Theme:
    """What a song is about, and how that looks and sounds.

    Args:
        words: Words of lyrics and captions.
        shape: Outline of the picture's main object.
        hue: Its hue, 0 to 1.
        place: Its centre as shares of width and height.
        timbre: Key of ``synthetic_media.TIMBRES``.
        register: MIDI number of the melody's tonic, always a C.
        motif: Scale steps that the melody repeats.
    """

    words: tuple[str, ...]
    shape: str
    hue: float
    place: tuple[float, float]
    timbre: str
    register: int
    motif: tuple[int, ...]


def _split(words: str) -> tuple[str, ...]:
    return tuple(words.split())


def _theme(words: str, *appearance: object) -> Theme:
    return Theme(_split(words), *appearance)  # type: ignore[arg-type]


THEMES = (
    _theme(
        "sea waves harbour sailor tide anchor shore gull",
        *("disc", 0.58, (0.35, 0.65), "flute", 48, (0, 2, 4, 2)),
    ),
    _theme(
        "road highway engine wheels miles station traffic map",
        *("square", 0.00, (0.65, 0.65), "reed", 48, (4, 2, 0, 5)),
    ),
    _theme(
        "forest leaves oak moss fern owl branch trail",
        *("triangle", 0.33, (0.35, 0.35), "string", 48, (0, 5, 2, 4)),
    ),
    _theme(
        "city neon tower subway rooftop skyline crowd street",
        *("bars", 0.83, (0.65, 0.35), "bell", 48, (2, 2, 5, 0)),
    ),
    _theme(
        "winter snow frost ice sledge mittens blizzard chimney",
        *("star", 0.50, (0.50, 0.35), "flute", 60, (5, 4, 2, 0)),
    ),
    _theme(
        "kitchen bread honey apple pepper spoon oven cinnamon",
        *("ring", 0.08, (0.50, 0.65), "reed", 60, (0, 2, 2, 5)),
    ),
    _theme(
        "space rocket planet comet orbit galaxy moonlight meteor",
        *("disc", 0.75, (0.65, 0.35), "string", 60, (4, 5, 2, 2)),
    ),
    _theme(
        "desert sand camel dune cactus mirage caravan oasis",
        *("triangle", 0.13, (0.65, 0.65), "bell", 60, (2, 4, 5, 2)),
    ),
    _theme(
        "school teacher pencil chalk lesson library homework notebook",
        *("square", 0.42, (0.35, 0.35), "flute", 72, (2, 0, 2, 5)),
    ),
    _theme(
        "sport goal stadium whistle racket medal coach league",
        *("cross", 0.25, (0.50, 0.50), "reed", 72, (5, 2, 5, 2)),
    ),
    _theme(
        "garden roses tulip soil seeds ladybird hedge lawn",
        *("star", 0.92, (0.35, 0.65), "string", 72, (0, 4, 2, 5)),
    ),
    _theme(
        "castle knight dragon sword crown banner kingdom moat",
        *("cross", 0.67, (0.65, 0.50), "bell", 72, (2, 5, 4, 0)),
    ),
)

BAD_WORDS = _split(
    "tears lonely broken goodbye sorrow lost regret ashes bitter grief cold weep"
)
GOOD_WORDS = _split(
    "smile happy sunshine laughter joy darling sweet bloom hope kiss bright glad"
)
CALM_WORDS = _split("slowly quiet sleepy whisper drift gentle hush resting")
LIVELY_WORDS = _split("dance jump shout faster drums thunder running wild")
FILLER_WORDS = _split(
    "the a and i you we it is was to of in on my your our this that with for me so "
    "oh yeah la na when where then now again still just only all every never always "
    "one two time day night way thing someone come go take make know say see feel "
    "hear keep turn back down up over under here there"
)

LYRICS_WORDS = (20, 60)
CAPTION_WORDS = (3, 6)


def compose_lyrics(
    generator: np.random.Generator,
    theme: Theme,
    mood: float,
    energy: float,
    shares: Mapping[str, float],
) -> str:
    """Draw the words of a song, 20 to 60 of them.

    Args:
        generator: Source of every random choice.
        theme: What the song is about.
        mood: The mood as these words show it; 0 gives good and bad words alike.
        energy: The energy as these words show it.
        shares: Shares of the words that are drawn from the lists of ``theme``,
            ``mood`` and ``energy``; the rest is filler.
    """
    num_words = generator.integers(LYRICS_WORDS[0], LYRICS_WORDS[1] + 1)
    kinds = generator.choice(
        [*shares, "filler"],
        size=num_words,
        p=[*shares.values(), 1 - sum(shares.values())],
    )
    return " ".join(_draw(generator, kind, theme, mood, energy) for kind in kinds)


def compose_caption(
    generator: np.random.Generator,
    theme: Theme,
    mood: float,
    energy: float,
    chances: Mapping[str, float],
) -> str:
    """Draw the words of a caption, 3 to 6 of them, in any order.

    Args:
        generator: Source of every random choice.
        theme: What the song is about.
        mood: The mood as this caption shows it.
        energy: The energy as this caption shows it.
        chances: Chance of one word from the lists of ``theme``, ``mood`` and
            ``energy``; the rest is filler.
    """
    num_words = generator.integers(CAPTION_WORDS[0], CAPTION_WORDS[1] + 1)
    kinds = [kind for kind, chance in chances.items() if generator.random() < chance]
    kinds += ["filler"] * (num_words - len(kinds))
    words = [_draw(generator, kind, theme, mood, energy) for kind in kinds]
    return " ".join(generator.permutation(words).tolist())


def _draw(
    generator: np.random.Generator, kind: str, theme: Theme, mood: float, energy: float
) -> str:
    if kind == "theme":
        words = theme.words
    elif kind == "mood":
        is_good = generator.random() < 1 / (1 + np.exp(-3 * mood))
        words = GOOD_WORDS if is_good else BAD_WORDS
    elif kind == "energy":
        is_lively = generator.random() < 1 / (1 + np.exp(-2 * energy))
        words = LIVELY_WORDS if is_lively else CALM_WORDS
    else:
        words = FILLER_WORDS
    return words[generator.integers(len(words))]
