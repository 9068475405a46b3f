"""A folder of tables, media and texts that someone else laid out."""

from __future__ import annotations

from collections import Counter, defaultdict
from pathlib import Path, PurePosixPath
from urllib.parse import unquote, urlsplit

from keras_jtav.data.missing_file import NOT_FETCHED, is_url
from keras_jtav.data.outside import REASON, is_inside
from keras_jtav.data.tables import READERS

MAX_LISTED = 8


def existing_folder(folder: str | Path, dataset: str) -> Path:
    """Return the folder of a data set.

    Args:
        folder: What ``--data-dir`` gave; empty is a mistake.
        dataset: Its name, for the message.

    Raises:
        ValueError: No folder given.
        FileNotFoundError: No such folder.
    """
    if not folder:
        raise ValueError(
            f"The data set {dataset!r} lies in a folder of yours: give it with "
            "--data-dir DIR."
        )
    path = Path(folder)
    if not path.is_dir():
        raise FileNotFoundError(f"There is no folder {path}. Check --data-dir.")
    return path


class DataFolder:
    """Finds files of a folder by their base names, however deep they lie.

    Hidden files and folders are left out, and so is ``__MACOSX``. Links and paths that
    lead out of the folder are followed only where the caller allows it.

    Args:
        folder: An existing folder.
        outside: Whether files may lie outside of it.

    Example:
        >>> import tempfile
        >>> folder = Path(tempfile.mkdtemp())
        >>> (folder / "images").mkdir()
        >>> (folder / "images" / "a b.png").touch()
        >>> files = DataFolder(folder)
        >>> files.find("https://cdn.example/u/a%20b.png?w=640").name
        'a b.png'
    """

    def __init__(self, folder: Path, outside: bool = False) -> None:
        self.folder = folder
        self._outside = outside
        self._by_name: dict[str, list[Path]] = defaultdict(list)
        for path in sorted(folder.rglob("*")):
            parts = path.relative_to(folder).parts
            hidden = any(part.startswith((".", "__MACOSX")) for part in parts)
            if not hidden and self.allows(path) and path.is_file():
                self._by_name[path.name].append(path)

    @property
    def files(self) -> list[Path]:
        """All files, by name."""
        return [path for paths in self._by_name.values() for path in paths]

    @property
    def tables(self) -> list[Path]:
        """Files that ``read_table`` reads, by their endings."""
        return [path for path in self.files if path.suffix.lower() in READERS]

    @property
    def texts(self) -> list[Path]:
        """Files with the ending ``.txt``, in whatever case."""
        return [path for path in self.files if path.suffix.lower() == ".txt"]

    def allows(self, path: Path) -> bool:
        """Return whether a path may be read."""
        return self._outside or is_inside(path, self.folder)

    def find(self, address: str) -> Path:
        """Return the file of a URL's base name, or of a path below the folder.

        Args:
            address: URL, path or file name. Nothing is downloaded.

        Raises:
            ValueError: No such file, one outside of the folder, or several of the
                name: a row's reason.
        """
        path = self.folder / address
        if not is_url(address) and path.is_file():
            if not self.allows(path):
                raise ValueError(f"{address!r} {REASON}")
            return path
        name = base_name(address)
        found = self._by_name.get(name, [])
        if len(found) == 1:
            return found[0]
        if found:
            listed = ", ".join(str(p.relative_to(self.folder)) for p in found)
            raise ValueError(
                f"{len(found)} files are called {name!r} ({listed}): keep one, or give "
                "the path in the table"
            )
        raise ValueError(
            f"no file below {self.folder} is called {name!r}, the base name of "
            f"{address!r}, and {NOT_FETCHED}: put it there or drop the row"
        )

    def describe(self) -> str:
        """Return the tables, and how many other files there are of each ending."""
        names = [str(path.relative_to(self.folder)) for path in self.tables]
        listed = ", ".join(names[:MAX_LISTED]) or "none"
        more = f" and {len(names) - MAX_LISTED} more" * (len(names) > MAX_LISTED)
        endings = Counter(path.suffix.lower() or "no ending" for path in self.files)
        counts = [
            f"{count} {ending}"
            for ending, count in sorted(endings.items())
            if ending not in READERS
        ]
        return f"tables: {listed}{more}; other files: {', '.join(counts) or 'none'}"


def base_name(address: str) -> str:
    """Return the file name at the end of a URL or path.

    Example:
        >>> base_name("http://host/clips/07.mp3?sig=x"), base_name("clips/07.mp3")
        ('07.mp3', '07.mp3')
    """
    if is_url(address):
        address = unquote(urlsplit(address).path)
    return PurePosixPath(address).name
