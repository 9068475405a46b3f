"""Draw one synthetic song and its posts, and write their files.

How strongly each signal shows is measured in ``synthetic.py``.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from keras_jtav.data.post import Post
from keras_jtav.data.synthetic_media import render_picture, render_sound
from keras_jtav.data.synthetic_texts import (
    THEMES,
    Theme,
    compose_caption,
    compose_lyrics,
)

VARIANTS = ("moods", "xor", "text", "sound", "picture")
GENERATOR_VERSION = 1  # part of the folder's name: raise it when the files change

LABEL_NOISE = 0.02  # share of songs whose label is not their mood
# How far a mood of -1 or 1 stands out of noise of standard deviation 1.
LYRICS_MOOD = 0.9
CAPTION_MOOD = 0.85
SOUND_MOOD = 0.72
PICTURE_MOOD = 0.7
ENERGY_NOISE = 0.5  # standard deviation; the energies' own is 1
PICTURE_THEME = 0.7  # share of pictures that show their song's theme; others show any
# Shares of the words; chances that there is such a word. The rest is filler.
LYRICS_SHARES = {"theme": 0.2, "mood": 0.15, "energy": 0.08}
CAPTION_CHANCES = {"theme": 0.4, "mood": 0.4, "energy": 0.2}
CLEAR_MOOD = 1.5  # in all variants but moods, with noise CLEAR_NOISE
CLEAR_NOISE = 0.3

# Sample rate in Hz, channels, share of the songs.
FORMATS = (
    (22_050, 1, 0.55),
    (44_100, 1, 0.15),
    (22_050, 2, 0.1),
    (44_100, 2, 0.05),
    (11_025, 1, 0.15),
)


@dataclass(frozen=True)
class Recipe:
    """What decides the generated files.

    Args:
        songs: Number of songs; each has one recording and one lyrics text.
        posts_per_song: Pictures and captions of every song.
        variant: One of ``VARIANTS``.
        seed: Decides every file, byte by byte.
        missing: Share of posts that lack one of their four parts, 0 to 1.

    Raises:
        ValueError: A count below 1, an unknown variant or a share outside 0 and 1.
    """

    songs: int
    posts_per_song: int
    variant: str
    seed: int
    missing: float

    def __post_init__(self) -> None:
        if self.songs < 1 or self.posts_per_song < 1:
            raise ValueError(
                "`songs` and `posts_per_song` must be at least 1; received "
                f"{self.songs} and {self.posts_per_song}."
            )
        if self.variant not in VARIANTS:
            raise ValueError(
                f"`variant` must be one of {', '.join(VARIANTS)}; received "
                f"{self.variant!r}."
            )
        if not 0 <= self.missing <= 1:
            raise ValueError(
                f"`missing` must be between 0 and 1; received {self.missing}."
            )

    @property
    def folder_name(self) -> str:
        """Name of the folder of the generated files."""
        return (
            f"{self.variant}-{self.songs}x{self.posts_per_song}-seed{self.seed}"
            f"-missing{self.missing:g}-v{GENERATOR_VERSION}"
        )


@dataclass(frozen=True)
class _Song:
    """The latent structure of a song; ``pole`` is its mood, -1 or 1."""

    name: str
    variant: str
    pole: int
    energy: float
    theme: int

    def pole_of(self, part: str) -> int:
        """Return the mood that texts, the sound or pictures show; 0 is none.

        Args:
            part: ``text``, ``sound`` or ``picture``.
        """
        showing = {"moods": ("text", "sound", "picture"), "xor": ("sound", "picture")}
        return self.pole if part in showing.get(self.variant, (self.variant,)) else 0

    def show(
        self, generator: np.random.Generator, pole: int, strength: float
    ) -> tuple[Theme, float, float]:
        """Return the theme, and mood and energy as one text, sound or picture has them.

        Args:
            generator: Source of the noise.
            pole: The mood to show.
            strength: How far it stands out of noise of standard deviation 1.
        """
        noise = 1.0
        if self.variant != "moods":
            strength, noise = CLEAR_MOOD, CLEAR_NOISE
        return (
            THEMES[self.theme],
            float(generator.normal(strength * pole, noise)),
            float(generator.normal(self.energy, ENERGY_NOISE)),
        )


def write_song(folder: Path, recipe: Recipe, index: int) -> list[Post]:
    """Write a song's recording and its posts' pictures.

    Args:
        folder: Holds the folders ``audio`` and ``images``.
        recipe: What to draw.
        index: The song's number; with seed, variant and version it decides the files.

    Returns:
        The song's posts.
    """
    # A song depends on the seed and its index, not on how many songs there are.
    generator = np.random.default_rng([recipe.seed, GENERATOR_VERSION, index])
    song = _Song(
        name=f"song{index:05d}",
        variant=recipe.variant,
        pole=int(generator.choice([-1, 1])),
        energy=float(generator.normal()),
        theme=int(generator.integers(len(THEMES))),
    )
    label = int((song.pole > 0) != (generator.random() < LABEL_NOISE))
    lyrics = compose_lyrics(
        generator,
        *song.show(generator, song.pole_of("text"), LYRICS_MOOD),
        LYRICS_SHARES,
    )
    audio = folder / "audio" / f"{song.name}.wav"
    chance = generator.random()
    lacks_lyrics = chance < recipe.missing / 4
    lacks_audio = recipe.missing / 4 <= chance < recipe.missing / 2
    samples, rate_hz = _draw_sound(generator, song)
    if not lacks_audio:
        import soundfile  # not at the top: a network is built without it

        soundfile.write(audio, samples, rate_hz, subtype="PCM_16")
    song_post = Post(
        id=song.name,
        texts={} if lacks_lyrics else {"lyrics": lyrics},
        audio=None if lacks_audio else audio,
        label=label,
        song=song.name,
    )
    # Songs that lack a part leave this share of captions and of pictures to the others.
    lacking = (
        0 if lacks_lyrics or lacks_audio else recipe.missing / (4 - 2 * recipe.missing)
    )
    return [
        _write_post(folder, song, song_post, number, lacking, generator)
        for number in range(recipe.posts_per_song)
    ]


def _write_post(
    folder: Path,
    song: _Song,
    song_post: Post,
    number: int,
    lacking: float,
    generator: np.random.Generator,
) -> Post:
    """Write a post's picture; return the song's post with picture and caption."""
    is_xor = song.variant == "xor"
    pole = int(generator.choice([-1, 1])) if is_xor else song.pole_of("picture")
    shown = song.show(generator, pole, PICTURE_MOOD)
    if generator.random() > PICTURE_THEME:
        shown = (THEMES[generator.integers(len(THEMES))], *shown[1:])
    picture = render_picture(generator, *shown)
    caption = compose_caption(
        generator,
        *song.show(generator, song.pole_of("text"), CAPTION_MOOD),
        CAPTION_CHANCES,
    )
    chance = generator.random()
    image = folder / "images" / f"{song.name}-{number}.png"
    if chance < lacking:
        image = None
    else:
        picture.save(image)
    if lacking <= chance < 2 * lacking:
        caption = ""
    return replace(
        song_post,
        id=f"{song.name}-{number}",
        texts={**song_post.texts, "caption": caption},
        image=image,
        label=int(pole != song.pole) if is_xor else song_post.label,
    )


def _draw_sound(generator: np.random.Generator, song: _Song) -> tuple[np.ndarray, int]:
    shares = [share for *_, share in FORMATS]
    rate_hz, channels, _ = FORMATS[generator.choice(len(FORMATS), p=shares)]
    shown = song.show(generator, song.pole_of("sound"), SOUND_MOOD)
    return render_sound(generator, *shown, rate_hz, channels), rate_hz
