"""
Building an archive out of a commit: the same bytes for the same commit.

Entries are in order of their paths, dated by the commit, of fixed mode and compression; nothing in it leads out of it.
"""

import hashlib
import json
import os
import posixpath
import tarfile
import zipfile
from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime
from io import BytesIO
from pathlib import Path
from typing import IO

from packeton.adapters.vcs.attributes import Attributes, files_of
from packeton.adapters.vcs.checkout import LINK, PLAIN, Checkout, Entry
from packeton.adapters.vcs.lfs import LfsStore, Pointer, read_pointer
from packeton.adapters.vcs.values import Job
from packeton.core.composer.exclusions import Exclusions
from packeton.errors import Invalid, VcsFailed, VcsReason
from packeton.interfaces.vcs import ArchiveOrder, BuiltArchive, VcsKind

__all__ = ["build"]

LEVEL = 6
UNIX = 3
CHUNK_BYTES = 1 << 20
MAX_WARNINGS = 50
FORBIDDEN = frozenset({b"", b".", b"..", b".git", b".hg", b".svn"})


def build(
    job: Job, checkout: Checkout, commit: str, time: datetime, order: ArchiveOrder, destination: Path
) -> BuiltArchive:
    """
    Write the archive of *commit*.

    Raises:
        NotFound: There is no such directory.
        VcsFailed: It would be too large.
    """
    return _Builder(job, checkout, commit, time, order).build(destination)


class _Builder:
    def __init__(self, job: Job, checkout: Checkout, commit: str, time: datetime, order: ArchiveOrder) -> None:
        self._job = job
        self._checkout = checkout
        self._commit = commit
        self._time = time
        self._order = order
        self._root = f"{order.sub_directory}/".encode() if order.sub_directory else b""
        self._left = job.bounds.max_archive_bytes
        self._warnings: list[str] = []
        self._lfs = LfsStore(job, job.bounds.max_archive_bytes)

    def build(self, destination: Path) -> BuiltArchive:
        entries = self._listed()
        attributes = self._attributes(entries)
        exclusions = self._exclusions()
        kept = [entry for entry in entries if self._is_kept(entry, attributes, exclusions)]
        pointers = self._pointers(kept, attributes)
        with _whole(destination) as file, _writer(self._order.format, file, self._time) as writer:
            for entry in kept:
                self._write(writer, entry, pointers)
        sha1, sha256, size = _digests(destination)
        return BuiltArchive(
            size=size, sha1=sha1, sha256=sha256, entries=writer.count, warnings=tuple(self._warnings[:MAX_WARNINGS])
        )

    def _listed(self) -> list[Entry]:
        entries = []
        for entry in self._checkout.entries(self._commit, self._order.sub_directory):
            entries.append(entry)
            if len(entries) > self._job.bounds.max_files:
                told = f"it has more than {self._job.bounds.max_files} files"
                raise VcsFailed(f"{self._job.address.url}: {told}", reason=VcsReason.TOO_LARGE)
        return entries

    def _attributes(self, entries: Sequence[Entry]) -> Attributes:
        attributes = Attributes()
        if self._checkout.kind != VcsKind.GIT:
            return attributes
        parts = self._order.sub_directory.split("/") if self._order.sub_directory else []
        for depth in range(len(parts)):
            parent = "/".join(parts[:depth])
            content = self._checkout.read(self._commit, f"{parent}/.gitattributes".lstrip("/"))
            attributes.add(parent.encode(), content or b"")
        identities = {entry.path: entry.identity for entry in entries if entry.mode not in {0, LINK}}
        for path in files_of(identities):
            attributes.add(path.rpartition(b"/")[0], self._checkout.content(identities[path]))
        return attributes

    def _exclusions(self) -> Exclusions:
        manifest = self._checkout.read(self._commit, f"{self._order.sub_directory}/composer.json".lstrip("/"))
        patterns: list[object] = []
        try:
            archive = json.loads(manifest or b"{}").get("archive")
            found = archive.get("exclude") if isinstance(archive, dict) else None
            patterns = found if isinstance(found, list) else []
        except (ValueError, AttributeError, RecursionError):
            self._warn("composer.json cannot be read: its archive.exclude is not used")
        return Exclusions.of([*patterns, *self._order.exclude])

    def _is_kept(self, entry: Entry, attributes: Attributes, exclusions: Exclusions) -> bool:
        inside = entry.path.removeprefix(self._root)
        if attributes.ignores(entry.path) or (exclusions and exclusions.exclude(inside.decode(errors="replace"))):
            return False
        if FORBIDDEN.intersection(inside.split(b"/")) or b"\\" in inside:
            self._warn(f"{_shown(inside)}: left out, the name cannot be in an archive")
            return False
        if entry.mode == 0:
            self._warn(f"{_shown(inside)}: left out, it is a submodule")
            return False
        return True

    def _pointers(self, kept: Sequence[Entry], attributes: Attributes) -> dict[bytes, Pointer]:
        """Return the pointers among the files, having asked for all of them at once."""
        pointers = {}
        for entry in kept:
            if entry.mode != LINK and attributes.is_lfs(entry.path):
                pointer = read_pointer(self._checkout.content(entry.identity))
                if pointer is not None:
                    pointers[entry.path] = pointer
        if pointers:
            trouble = self._lfs.prepare(list(pointers.values()))
            if trouble is not None:
                self._warn(f"{len(pointers)} files of git LFS are only pointers: {trouble}")
                return {}
        return pointers

    def _write(self, writer: "_Writer", entry: Entry, pointers: dict[bytes, Pointer]) -> None:
        path = entry.path.removeprefix(self._root)
        content: bytes | None = None
        if entry.path in pointers:
            content = self._lfs.content(pointers[entry.path])
            if content is None:
                self._warn(f"{_shown(path)}: only a pointer, git LFS did not give the content")
        if content is None:
            content = self._content(path, entry.identity)
        if entry.mode == LINK and _escapes(path, content):
            self._warn(f"{_shown(path)}: left out, the link leads out of the package")
            return
        self._left -= len(content)
        if self._left < 0:
            told = f"the archive is larger than {self._job.bounds.max_archive_bytes} bytes"
            raise VcsFailed(f"{self._job.address.url}: {told}", reason=VcsReason.TOO_LARGE)
        writer.add(path, entry.mode, content)

    def _content(self, path: bytes, identity: str) -> bytes:
        try:
            return self._checkout.content(identity)
        except VcsFailed as error:
            raise VcsFailed(f"{self._job.address.url}: {_shown(path)}: {error}", reason=error.reason) from error

    def _warn(self, text: str) -> None:
        self._warnings.append(text)


def _shown(path: bytes) -> str:
    return path.decode(errors="backslashreplace")


def _escapes(path: bytes, target: bytes) -> bool:
    """Say if a link leads out of the archive, or nowhere that a name could be."""
    if not target or target.startswith(b"/") or b"\\" in target or b"\0" in target:
        return True
    return posixpath.normpath(posixpath.join(posixpath.dirname(path), target)).split(b"/")[0] == b".."


@contextmanager
def _whole(destination: Path) -> Iterator[IO[bytes]]:
    """Write a file that appears when it is complete."""
    fresh = destination.with_name(f".{destination.name}.{os.getpid()}")
    try:
        with fresh.open("wb") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        fresh.replace(destination)
    finally:
        fresh.unlink(missing_ok=True)


def _digests(file: Path) -> tuple[str, str, int]:
    sha1, sha256, size = hashlib.sha1(usedforsecurity=False), hashlib.sha256(), 0
    with file.open("rb") as opened:
        while chunk := opened.read(CHUNK_BYTES):
            sha1.update(chunk)
            sha256.update(chunk)
            size += len(chunk)
    return sha1.hexdigest(), sha256.hexdigest(), size


class _Writer(ABC):
    def __init__(self) -> None:
        self.count = 0

    def add(self, path: bytes, mode: int, content: bytes) -> None:
        self.count += 1
        self._add(path, mode, content)

    @abstractmethod
    def _add(self, path: bytes, mode: int, content: bytes) -> None: ...


class _Zip(_Writer):
    def __init__(self, archive: zipfile.ZipFile, time: datetime) -> None:
        super().__init__()
        self._archive = archive
        year = min(max(time.year, 1980), 2107)
        self._date = (year, time.month, time.day, time.hour, time.minute, time.second)
        if year != time.year:
            self._date = (year, 1, 1, 0, 0, 0)

    def _add(self, path: bytes, mode: int, content: bytes) -> None:
        try:
            name = path.decode()
        except UnicodeDecodeError:
            name = path.decode("latin-1")  # zips have UTF-8 names
        info = zipfile.ZipInfo(name, self._date)
        info.create_system = UNIX
        info.external_attr = mode << 16
        info.compress_type = zipfile.ZIP_STORED if mode == LINK else zipfile.ZIP_DEFLATED
        self._archive.writestr(info, content, compresslevel=LEVEL)


class _Tar(_Writer):
    def __init__(self, archive: tarfile.TarFile, time: datetime) -> None:
        super().__init__()
        self._archive = archive
        self._time = max(0, int(time.timestamp()))

    def _add(self, path: bytes, mode: int, content: bytes) -> None:
        info = tarfile.TarInfo(path.decode(errors="surrogateescape"))
        info.mtime, info.mode = self._time, 0o755 if mode not in {PLAIN, LINK} else 0o644
        if mode == LINK:
            info.type, info.linkname = tarfile.SYMTYPE, content.decode(errors="surrogateescape")
            self._archive.addfile(info)
            return
        info.size = len(content)
        self._archive.addfile(info, BytesIO(content))


@contextmanager
def _writer(kind: str, file: IO[bytes], time: datetime) -> Iterator[_Writer]:
    if kind == "zip":
        with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED, compresslevel=LEVEL) as archive:
            yield _Zip(archive, time)
    elif kind == "tar":
        with tarfile.open(fileobj=file, mode="w", format=tarfile.PAX_FORMAT) as tar:
            yield _Tar(tar, time)
    else:
        raise Invalid(f"an archive is zip or tar, not {kind}")
