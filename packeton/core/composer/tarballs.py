"""
Is this tar archive whole and safe to unpack, and what does its composer.json say?

A compressed tar is read as a stream, and no further than its bounds: nothing is known of its size before.
"""

import gzip
import tarfile
import zlib
from typing import IO

from attrs import define, field

from packeton.core.composer.archives import ArchiveBounds
from packeton.core.composer.artifacts import manifest_path
from packeton.errors import BadContent, Invalid

__all__ = ["tar_manifest"]

MAX_MANIFEST_BYTES = 2 * 2**20


@define
class _Bounded:
    """Reads from a file, and fails when more comes than *most* bytes."""

    _file: IO[bytes]
    _most: int
    _read: int = field(default=0, init=False)

    def read(self, size: int = -1) -> bytes:
        """Return the next bytes."""
        chunk = self._file.read(size)
        self._read += len(chunk)
        if self._read > self._most:
            raise BadContent(f"a tar archive that unpacks to more than {self._most} bytes")
        return chunk


def tar_manifest(file: IO[bytes], bounds: ArchiveBounds, *, compressed: bool) -> bytes:
    """
    Read a tar through and return its composer.json. Blocks for long.

    Raises:
        BadContent: It is damaged, larger than *bounds*, or would write outside the directory it is unpacked in.
        Invalid: It has no composer.json where Composer looks for it.
    """
    opened: IO[bytes] = gzip.GzipFile(fileobj=file) if compressed else file  # type: ignore[assignment]
    try:
        stream = _Bounded(opened, bounds.max_unpacked_bytes)
        with tarfile.open(fileobj=stream, mode="r|") as archive:  # type: ignore[call-overload]
            return _read_through(archive, bounds)
    except (tarfile.TarError, EOFError, OSError, zlib.error, ValueError) as error:
        raise BadContent(f"a damaged tar archive: {error}") from error


def _read_through(archive: tarfile.TarFile, bounds: ArchiveBounds) -> bytes:
    names: list[str] = []
    manifests: dict[str, bytes] = {}
    for entry in archive:
        if len(names) >= bounds.max_entries:
            raise BadContent(f"a tar archive of more than {bounds.max_entries} entries")
        _verify(entry, bounds)
        names.append(f"{entry.name}/" if entry.isdir() else entry.name)
        if entry.isfile() and entry.name.removeprefix("./").count("/") <= 1 and entry.name.endswith("composer.json"):
            if entry.size > MAX_MANIFEST_BYTES:
                raise Invalid("composer.json is too large")
            content = archive.extractfile(entry)
            manifests[entry.name] = content.read() if content is not None else b""
    path = manifest_path(names)
    if path not in manifests:
        raise Invalid("composer.json is no file")
    return manifests[path]


def _verify(entry: tarfile.TarInfo, bounds: ArchiveBounds) -> None:
    if not (entry.isfile() or entry.isdir() or entry.issym() or entry.islnk()):
        raise BadContent("a tar archive with an entry that is no file, directory or link")
    if not entry.name or _leaves(entry.name, 0) or "\0" in entry.name:
        raise BadContent("a tar archive with an entry that would be written outside its directory")
    if len(entry.name.encode(errors="replace")) > bounds.max_name_bytes:
        raise BadContent("a tar archive with an entry of an overlong name")
    depth = len([part for part in entry.name.split("/")[:-1] if part not in {"", "."}])
    if (entry.issym() and _leaves(entry.linkname, depth)) or (entry.islnk() and _leaves(entry.linkname, 0)):
        raise BadContent("a tar archive with a link that leads outside its directory")


def _leaves(path: str, depth: int) -> bool:
    """Say if a path leads out of the directory that is *depth* levels above where it begins."""
    if path.startswith(("/", "\\")):
        return True
    for part in path.replace("\\", "/").split("/"):
        depth += {"..": -1, ".": 0, "": 0}.get(part, 1)
        if depth < 0:
            return True
    return False
