"""The embedded data: songs and posts with known latent structure, in real files.

A song has a mood (-1 or 1), an energy (normal) and one of twelve themes. They show in

============ ============================== ==================== =======================
latent       lyrics and caption             recording            picture
============ ============================== ==================== =======================
mood         share of good and bad words    major notes, high    warm or cool background
                                            partials
energy       share of lively and calm words notes a second       number of dots
theme        words of the theme             instrument, octave,  shape, hue and place of
                                            motif                the object
============ ============================== ==================== =======================

Nothing shows cleanly (constants: ``synthetic_songs.py``). Lyrics, recording, and
picture and caption of each post draw the mood they show from a normal distribution of
standard deviation 1 around strength times mood (``*_MOOD``), so that a perfect reader
of one of them tells the mood with an AUC of Phi(strength * sqrt 2): lyrics .90,
recording .85, picture .84. They do the same with the energy (``ENERGY_NOISE``). A
picture shows its song's theme with the chance ``PICTURE_THEME``, else any; a caption
names the theme and the mood with the chances of ``CAPTION_CHANCES``. The label is the
mood; ``LABEL_NOISE`` of the songs have the wrong one.

Measured at the default size with logistic regression on simple features (word counts;
mean and standard deviation of 20 MFCC and 12 pitch classes; colour histograms, for the
theme also 8 x 8 thumbnails), 10 % of the songs held out; mean and standard deviation of
seeds 0, 1, 2 with ten splits each (themes and retrieval: three):

================== ============= ========== ==========================================
from               sentiment AUC theme acc. R@10 of 60 unseen songs
================== ============= ========== ==========================================
lyrics             .835 +- .054  .99
caption            .602 +- .039  .42
text (both)        .842 +- .052
recording          .790 +- .068  .98
picture            .809 +- .030  .65        .71 to recordings, .70 to lyrics
text, recording    .888 +- .046
text, picture      .901 +- .034
recording, picture .878 +- .033
all three          .924 +- .031
picture, caption                            .78 to recordings with lyrics
chance             .5            .08        .17
================== ============= ========== ==========================================

Retrieval there matches the theme probabilities of the two sides. A reader who knows all
that every file shows gets R@10 .84 from the themes, .92 with mood and energy.

In the variant ``xor`` the label is whether the mood of the picture, drawn anew for
every post, differs from that of the recording; texts show no mood. Picture and
recording show theirs clearly (``CLEAR_MOOD``, ``CLEAR_NOISE``): the same regressions
tell each at an AUC of 1.00, and the product of their answers gives the label with an
AUC of .999 (one split of each seed), while for each part alone, and for a linear reader
of all, the label is at chance (.46 to .50).

In the variants ``text``, ``sound`` and ``picture`` only that part shows the mood, as
clearly, so that an explanation has something to be true to.
"""

from __future__ import annotations

import logging
import tempfile
from pathlib import Path

from keras_jtav.data.home import home_folder
from keras_jtav.data.manifest import read_manifest, write_manifest
from keras_jtav.data.post import Post, PostTable
from keras_jtav.data.synthetic_songs import Recipe, write_song

_logger = logging.getLogger(__name__)


def load_synthetic(
    songs: int = 600,
    posts_per_song: int = 2,
    variant: str = "moods",
    seed: int = 0,
    missing: float = 0.05,
) -> PostTable:
    """Write the synthetic songs and posts, unless they exist, and read their manifest.

    The files go to a folder under ``home_folder()/synthetic/``.

    Args:
        songs: Number of songs; each has one recording and one lyrics text.
        posts_per_song: Pictures and captions of every song.
        variant: ``moods``, ``xor``, ``text``, ``sound`` or ``picture`` (see the
            module).
        seed: Decides every file, byte by byte.
        missing: Share of posts that lack one of their four parts, 0 to 1. What a song
            lacks, all its posts lack; no post lacks two parts.

    Raises:
        ValueError: A count below 1, an unknown variant or a share outside 0 and 1.
    """
    recipe = Recipe(songs, posts_per_song, variant, seed, missing)
    folder = home_folder() / "synthetic" / recipe.folder_name
    if not folder.exists():
        _write_folder(folder, recipe)
    return read_manifest(folder / "posts.csv")


def _write_folder(folder: Path, recipe: Recipe) -> None:
    """Fill a folder beside ``folder``, then rename it: a folder is whole or absent."""
    _logger.info("Writing %d synthetic songs to %s", recipe.songs, folder)
    folder.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=".writing-", dir=folder.parent) as aside:
        whole = Path(aside) / folder.name
        (whole / "audio").mkdir(parents=True)
        (whole / "images").mkdir()
        posts: list[Post] = []
        for index in range(recipe.songs):
            posts += write_song(whole, recipe, index)
        write_manifest(posts, whole / "posts.csv")
        try:
            whole.rename(folder)
        except OSError:
            if not folder.exists():  # else another process wrote the same files first
                raise
