"""Directories of archives on this server, below those that the operator allows."""

import os
from collections.abc import Iterator, Sequence
from itertools import islice
from pathlib import Path

from attrs import define

from packeton.core.composer.archives import ArchiveBounds
from packeton.errors import Invalid, PacketonError
from packeton.features.packages.uploads import extension_of, read_manifest_of
from packeton.interfaces.clocks import InThread

__all__ = ["Folders"]

SCANNED = frozenset({"zip", "tar", "gz", "tgz"})
MAX_SCANNED = 20_000
MAX_DEPTH = 12
MAX_PATH = 250
MAX_BROKEN = 20


@define
class Folders:
    """Looks into directories; nothing is told of those that packages may not look into."""

    _allowed: tuple[str, ...]
    _bounds: ArchiveBounds
    _in_thread: InThread

    async def check(self, path: str) -> Path:
        """Return the directory at *path*. Raises Invalid: it must not be used, or is not there."""
        return await self._in_thread(_allowed_path, path, self._allowed)

    async def archives(self, path: str) -> Sequence[Path]:
        """Return the archives below *path*, sorted; links are followed, loops of them end. Raises Invalid."""
        return await self._in_thread(_scanned, await self.check(path))

    async def first_manifest(self, path: str) -> bytes:
        """Return composer.json of the first archive that has one. Raises Invalid."""
        return await self._in_thread(_first_manifest, await self.archives(path), self._bounds)


def _first_manifest(files: Sequence[Path], bounds: ArchiveBounds) -> bytes:
    why = "there is no archive in the directory; say the name of the package"
    for file in files[:MAX_BROKEN]:
        try:
            return read_manifest_of(file, bounds)
        except PacketonError as error:
            why = f"{file.name}: {error}"
    raise Invalid(why)


def _allowed_path(path: str, allowed: Sequence[str]) -> Path:
    """Return a directory that packages may look into. Raises Invalid, without telling what is there."""
    wanted = Path(os.path.normpath(path))
    if not wanted.is_absolute() or not any(wanted.is_relative_to(os.path.abspath(root)) for root in allowed):  # noqa: PTH100
        raise Invalid("the directory is not below one of packeton.artifacts.allowed_paths")
    if not wanted.is_dir():
        raise Invalid("the directory is not there, or cannot be read")
    return wanted


def _scanned(root: Path) -> list[Path]:
    found = sorted(islice(_walk(root, set(), 0), MAX_SCANNED + 1))
    if len(found) > MAX_SCANNED:
        raise Invalid(f"the directory holds more than {MAX_SCANNED} archives")
    return found


def _walk(folder: Path, seen: set[tuple[int, int]], depth: int) -> Iterator[Path]:
    try:
        status = folder.stat()
        if (status.st_dev, status.st_ino) in seen or depth > MAX_DEPTH:
            return
        seen.add((status.st_dev, status.st_ino))
        entries = sorted(folder.iterdir())
    except OSError:
        return
    for entry in entries:
        if entry.is_dir():
            yield from _walk(entry, seen, depth + 1)
        elif entry.is_file() and extension_of(entry.name) in SCANNED and len(str(entry)) < MAX_PATH:
            yield entry
