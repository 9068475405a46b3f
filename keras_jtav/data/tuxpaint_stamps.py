"""Read the stamps of the Debian package ``tuxpaint-stamps-default``."""

from __future__ import annotations

import csv
from collections.abc import Mapping
from dataclasses import dataclass
from importlib import resources
from pathlib import Path

from keras_jtav.data.post import Rejection

_INSTALL = (
    "Install the package with `apt-get install tuxpaint-stamps-default`. Without root: "
    "`apt-get download tuxpaint-stamps-default`, `dpkg-deb -x "
    "tuxpaint-stamps-default_*.deb stamps` and `--set "
    "dataset.folder=stamps/usr/share/tuxpaint/stamps`."
)


@dataclass(frozen=True)
class Stamp:
    """One item of the package.

    Args:
        stem: Path below the folder without extension.
        group: Stamps that are near duplicates share it.
        kind: 0 living nature, 1 man-made, ``None`` neither.
        folder: The folder of all stamps.
        image: The picture; a PNG where there is also an SVG.
        lines: The name by language code, ``en`` included.
    """

    stem: str
    group: str
    kind: int | None
    folder: Path
    image: Path
    lines: Mapping[str, str]

    def clip(self, language: str) -> Path:
        """Return the path of the recording in ``language``, which may not exist."""
        return self.folder / f"{self.stem}_desc_{language}.ogg"

    def speaks(self, languages: tuple[str, ...]) -> bool:
        """Tell whether there is a recording in every one of ``languages``."""
        return all(self.clip(language).exists() for language in languages)


def read_stamps(folder: str | Path) -> tuple[list[Stamp], list[Rejection]]:
    """Read the listed stamps of a folder: where the pictures are and all texts.

    Args:
        folder: The package's folder of stamps.

    Returns:
        The stamps in the order of ``tuxpaint_groups.csv``, and those of the list whose
        picture or text is not in the folder.

    Raises:
        FileNotFoundError: No listed stamp is in the folder.
    """
    folder = Path(folder)
    stamps, rejections = [], []
    for row in _listed():
        stem = row["stem"]
        pictures = [folder / f"{stem}{suffix}" for suffix in (".png", ".svg")]
        image = next((path for path in pictures if path.exists()), None)
        texts = folder / f"{stem}.txt"
        if image is None or not texts.exists():
            missing = f"{stem}.png" if image is None else f"{stem}.txt"
            reason = f"Not in the folder. {_INSTALL}"
            rejections.append(Rejection(stem, missing, reason))
            continue
        kind = int(row["kind"]) if row["kind"] else None
        lines = read_lines(texts)
        stamps.append(Stamp(stem, row["group"], kind, folder, image, lines))
    if not stamps:
        raise FileNotFoundError(f"No Tux Paint stamps in {folder}. {_INSTALL}")
    return stamps, rejections


def read_lines(path: Path) -> dict[str, str]:
    """Read a stamp's ``.txt``: English first, then one ``LANG.utf8=`` line a language.

    Args:
        path: The file, UTF-8.

    Returns:
        Lines by language code (``en``, ``pt_BR``, ``ca@valencia``), without empty ones.
    """
    first, *others = path.read_text("utf-8-sig", errors="replace").split("\n")
    lines = {"en": first.strip()}
    for other in others:
        language, is_line, line = other.partition(".utf8=")
        if is_line:
            lines.setdefault(language.strip(), line.strip())
    return {language: line for language, line in lines.items() if line}


def _listed() -> list[dict[str, str]]:
    path = resources.files("keras_jtav.data").joinpath("tuxpaint_groups.csv")
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))
