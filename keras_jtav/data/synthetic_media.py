"""Render the sounds and pictures of the synthetic posts, from one generator each."""

from __future__ import annotations

import colorsys

import numpy as np
from PIL import Image, ImageDraw

from keras_jtav.data.synthetic_texts import Theme

CLIP_SECONDS = 2.5
PIXELS = (64, 96)

# Partials of an instrument: ratio to the fundamental, amplitude; decay per second.
TIMBRES = {
    "flute": (((1, 1.0), (2, 0.2), (3, 0.1)), 1.0),
    "reed": (((1, 1.0), (3, 0.7), (5, 0.5), (7, 0.4)), 2.0),
    "string": (((1, 1.0), (2, 0.8), (3, 0.6), (4, 0.5), (5, 0.4), (6, 0.3)), 5.0),
    "bell": (((1, 1.0), (2.76, 0.7), (5.4, 0.5), (8.93, 0.3)), 9.0),
}
MAJOR = np.array([0, 2, 4, 5, 7, 9, 11])
MINOR = np.array([0, 2, 3, 5, 7, 8, 10])
ATTACK_SECONDS = 0.008

COOL, WARM = np.array([70.0, 95.0, 150.0]), np.array([235.0, 190.0, 120.0])
# Outlines in polar form: (angle in turns, radius) corners; discs and rings are drawn.
OUTLINES = {
    "square": [(k / 4 + 1 / 8, 1.0) for k in range(4)],
    "triangle": [(k / 3 - 1 / 4, 1.1) for k in range(3)],
    "star": [(k / 10 - 1 / 4, 1.15 if k % 2 == 0 else 0.45) for k in range(10)],
    "cross": [
        (k / 4 + turn, radius)
        for k in range(4)
        for turn, radius in ((-0.05, 1.1), (0.05, 1.1), (0.125, 0.45))
    ],
}


def render_sound(
    generator: np.random.Generator,
    theme: Theme,
    mood: float,
    energy: float,
    rate_hz: int,
    channels: int,
) -> np.ndarray:
    """Play a melody: theme = instrument, register and motif; energy = notes a second.

    Args:
        generator: Source of every random choice.
        theme: What the song is about.
        mood: The mood as this recording shows it; positive means a larger share of
            major notes and stronger high partials.
        energy: The energy as this recording shows it.
        rate_hz: Sample rate of the result.
        channels: 1 or 2.

    Returns:
        float32 ``(samples, channels)`` within -1 and 1.
    """
    seconds = CLIP_SECONDS * generator.uniform(0.9, 1.1)
    notes_per_second = 3.5 * 1.5 ** np.clip(energy, -2, 2)
    num_notes = int(np.ceil(seconds * notes_per_second))
    steps = np.resize(theme.motif, num_notes)
    strays = generator.random(num_notes) < 0.15
    steps = np.where(strays, generator.integers(0, 7, num_notes), steps)
    is_major = generator.random(num_notes) < 1 / (1 + np.exp(-3 * mood))
    semitones = np.where(is_major, MAJOR[steps], MINOR[steps])
    note_hz = 440 * 2 ** ((theme.register + semitones - 69) / 12)

    samples = int(seconds * rate_hz)
    notes_done = np.arange(samples) * (notes_per_second / rate_hz)
    note = notes_done.astype(int)
    into_note = (notes_done - note) / notes_per_second  # seconds
    hertz = note_hz[note]
    phase = 2 * np.pi * np.cumsum(hertz) / rate_hz
    partials, decay = TIMBRES[theme.timbre]
    envelope = np.minimum(into_note / ATTACK_SECONDS, 1) * np.exp(-decay * into_note)
    rolloff = 0.8 - 0.7 * np.tanh(mood)
    sound = np.zeros(samples)
    for ratio, amplitude in partials:
        audible = hertz * ratio < 0.45 * rate_hz
        sound += amplitude * ratio**-rolloff * audible * np.sin(ratio * phase)
    sound *= envelope / np.abs(sound).max()
    sound += generator.normal(0, generator.uniform(0.002, 0.02), samples)
    sound *= generator.uniform(0.3, 0.8)
    sides = generator.uniform(0.6, 1.0, channels)
    return np.clip(sound[:, None] * sides, -1, 1).astype(np.float32)


def render_picture(
    generator: np.random.Generator, theme: Theme, mood: float, energy: float
) -> Image.Image:
    """Paint a post's picture: theme = object, mood = background, energy = confetti.

    Args:
        generator: Source of every random choice.
        theme: The theme this picture shows.
        mood: The mood as this picture shows it; positive means warm and light.
        energy: The energy as this picture shows it.

    Returns:
        An RGB picture of 64 to 96 pixels a side.
    """
    size = int(generator.integers(PIXELS[0], PIXELS[1] + 1))
    warmth = 0.5 + 0.5 * np.tanh(mood)
    background = COOL + warmth * (WARM - COOL) + generator.normal(0, 10, 3)
    shade = np.linspace(-15, 15, size) * generator.choice([-1, 1])
    canvas = np.clip(background + shade[:, None, None], 0, 255)
    canvas = np.broadcast_to(canvas, (size, size, 3)).astype(np.uint8)
    picture = Image.fromarray(np.ascontiguousarray(canvas))
    draw = ImageDraw.Draw(picture)
    _draw_confetti(draw, generator, size, energy)
    _draw_object(draw, generator, size, theme)
    grain = generator.integers(-4, 5, (size, size, 1))
    return Image.fromarray(
        np.clip(np.asarray(picture) + grain, 0, 255).astype(np.uint8)
    )


def _draw_confetti(
    draw: ImageDraw.ImageDraw,
    generator: np.random.Generator,
    size: int,
    energy: float,
) -> None:
    for _ in range(generator.poisson(10 * 2 ** np.clip(energy, -2, 2))):
        x, y = generator.uniform(0, size, 2)
        radius = size * generator.uniform(0.01, 0.03)
        gray = int(generator.choice([30, 250]))
        draw.ellipse((x - radius, y - radius, x + radius, y + radius), (gray,) * 3)


def _draw_object(
    draw: ImageDraw.ImageDraw,
    generator: np.random.Generator,
    size: int,
    theme: Theme,
) -> None:
    x, y = size * (np.array(theme.place) + generator.normal(0, 0.04, 2))
    radius = size * generator.uniform(0.2, 0.28)
    hue = (theme.hue + generator.normal(0, 0.015)) % 1
    red_green_blue = colorsys.hsv_to_rgb(hue, 0.85, generator.uniform(0.65, 0.95))
    colour = tuple(int(255 * channel) for channel in red_green_blue)
    box = (x - radius, y - radius, x + radius, y + radius)
    if theme.shape == "disc":
        draw.ellipse(box, colour)
    elif theme.shape == "ring":
        draw.ellipse(box, outline=colour, width=max(int(radius * 0.45), 1))
    elif theme.shape == "bars":
        for left in (-0.9, -0.2, 0.5):
            left_x = x + left * radius
            draw.rectangle((left_x, box[1], left_x + 0.4 * radius, box[3]), colour)
    else:
        tilt = generator.normal(0, 0.015)
        corners = [
            (
                x + radius * length * np.cos(2 * np.pi * (turn + tilt)),
                y + radius * length * np.sin(2 * np.pi * (turn + tilt)),
            )
            for turn, length in OUTLINES[theme.shape]
        ]
        draw.polygon(corners, colour)
