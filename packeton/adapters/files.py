"""A directory of files under keys with slashes: archives of packages, and uploads."""

import contextlib
import os
import re
from collections.abc import Callable, Iterator, Sequence
from datetime import datetime
from itertools import islice
from pathlib import Path

from attrs import define, field
from zope.interface import implementer

from packeton.adapters.blobs.filesystem import FileBlob, storage_errors, sync_directory
from packeton.errors import NotFound
from packeton.interfaces.archives import IFileStore
from packeton.interfaces.blobs import IBlob

__all__ = ["DirectoryStore"]

SEGMENT = re.compile(r"[^./\0][^/\0]{0,250}")
DRAFTS = ".drafts"


@implementer(IFileStore)
@define
class DirectoryStore:
    """
    Files below a directory of their own, which others may fill too: keys are the paths that the reference uses.

    A draft lies in the same file system as its target, and is renamed into place once it is on the disk.
    """

    root: Path
    _new_name: Callable[[], str]
    _ready: bool = field(default=False, init=False)

    def draft(self) -> Path:
        """Return the path of a file to write."""
        folder = self.root / DRAFTS
        if not self._ready:
            with storage_errors("cannot make the directory of archives"):
                folder.mkdir(parents=True, exist_ok=True)
            self._ready = True
        return folder / self._new_name()

    def keep(self, draft: Path, key: str) -> None:
        """Make a draft durable and visible."""
        target = self.path(key)
        with storage_errors("cannot keep an archive"):
            target.parent.mkdir(parents=True, exist_ok=True)
            descriptor = os.open(draft, os.O_RDONLY | os.O_CLOEXEC)
            try:
                os.fsync(descriptor)
            finally:
                os.close(descriptor)
            draft.rename(target)
            sync_directory(target.parent)

    def open(self, key: str) -> IBlob:
        """Open a file."""
        path = self.path(key)
        with storage_errors("cannot read an archive"):
            try:
                descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
            except (FileNotFoundError, NotADirectoryError):
                raise NotFound("no such archive") from None
        return FileBlob(descriptor)

    def path(self, key: str) -> Path:
        """Return where the file of *key* is; its form makes leaving the root impossible."""
        if not all(SEGMENT.fullmatch(part) and len(part.encode()) < 256 for part in key.split("/")):
            raise NotFound("no such archive")
        return self.root / key

    def delete(self, key: str) -> None:
        """Unlink a file."""
        path = self.path(key)
        with storage_errors("cannot delete an archive"), contextlib.suppress(FileNotFoundError):
            path.unlink()

    def old(self, before: datetime, limit: int) -> Sequence[str]:
        """Walk over the directory and return what was last written before *before*."""
        return list(islice(self._old(before.timestamp()), limit))

    def _old(self, before: float) -> Iterator[str]:
        for folder, folders, files in os.walk(self.root):
            folders[:] = sorted(name for name in folders if name != DRAFTS)
            for name in sorted(files):
                path = Path(folder) / name
                with contextlib.suppress(OSError):
                    if path.lstat().st_mtime < before:
                        yield str(path.relative_to(self.root))

    def sweep(self, before: datetime) -> int:
        """Unlink drafts by the time of their last write."""
        swept = 0
        with contextlib.suppress(FileNotFoundError, NotADirectoryError):
            for file in os.scandir(self.root / DRAFTS):
                with contextlib.suppress(OSError):
                    if file.stat().st_mtime < before.timestamp():
                        Path(file.path).unlink()
                        swept += 1
        return swept
