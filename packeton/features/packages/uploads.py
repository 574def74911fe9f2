"""The upload library: archives that people, or their build servers, give us."""

import hashlib
import re
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

from attrs import define, frozen

from packeton.core.composer.archives import ArchiveBounds, verify_zip, zip_manifest
from packeton.core.composer.tarballs import tar_manifest
from packeton.errors import BadContent, Conflict, Invalid, NotFound
from packeton.interfaces.archives import IFileStore, IUploadRecords, Upload
from packeton.interfaces.clocks import InThread, Now

__all__ = ["Received", "Uploads", "extension_of", "read_manifest_of"]

CHUNK_BYTES = 1 << 20
COMPOUND = re.compile(r"\.tar\.gz$", re.IGNORECASE)
MEDIA_TYPES = {
    "zip": "application/zip",
    "tar": "application/x-tar",
    "tgz": "application/gzip",
    "gz": "application/gzip",
}
MAX_NAME = 200


@frozen(kw_only=True)
class Received:
    """A file that came in whole, as a draft of the library's store."""

    draft: Path
    name: str | None
    """As the sender called it."""


@define
class Uploads:
    """Takes archives in, after a look at them, and gives them out."""

    _records: IUploadRecords
    _store: IFileStore
    _types: frozenset[str]
    _bounds: ArchiveBounds
    _in_thread: InThread
    _now: Now
    _new_reference: Callable[[], str]
    """Returns 40 random hexadecimal digits."""

    async def add(self, received: Received) -> Upload:
        """
        Take a file in. The draft is gone afterwards, whatever happens.

        Raises:
            Invalid: The archive is of a kind that is not taken, or has no composer.json.
            BadContent: It is damaged, unpacks to too much, or would write outside its directory.
            StorageFailed: It cannot be kept.
        """
        try:
            kind = await self._in_thread(_kind, received)
            if kind not in self._types:
                raise Invalid(f"archives of this kind are not taken here ({', '.join(sorted(self._types))} are)")
            size, sha1, sha256 = await self._in_thread(_inspect, received.draft, kind, self._bounds)
            reference = self._new_reference()
            upload = Upload(
                reference=reference,
                filename=f"{reference}.{kind}",
                original_name=(received.name or f"upload.{kind}")[-MAX_NAME:],
                extension=kind,
                mime_type=MEDIA_TYPES[kind],
                size=size,
                sha1=sha1,
                sha256=sha256,
                created_at=self._now(),
            )
            await self._in_thread(self._store.keep, received.draft, upload.filename)
            try:
                return await self._records.create(upload)
            except BaseException:  # nobody would ever find the file
                await self._in_thread(self._store.delete, upload.filename)
                raise
        finally:
            await self._in_thread(_unlink, received.draft)

    async def listed(self, with_ids: Iterable[int] = ()) -> Sequence[Upload]:
        """Return what no package uses, and these, newest first."""
        return await self._records.listed(with_ids)

    async def get(self, upload_id: int) -> Upload:
        """Return one. Raises NotFound."""
        found = await self._records.get(upload_id)
        if found is None:
            raise NotFound(f"there is no upload {upload_id}")
        return found

    async def manifest(self, upload: Upload) -> bytes:
        """Return its composer.json. Raises NotFound, BadContent, Invalid."""
        return await self._in_thread(read_manifest_of, self._store.path(upload.filename), self._bounds)

    async def remove(self, upload_id: int) -> None:
        """Remove one. Raises NotFound; Conflict: a package needs it."""
        upload = await self.get(upload_id)
        if not await self._records.remove_unused(upload_id):
            raise Conflict("a package needs this archive")
        await self._in_thread(self._store.delete, upload.filename)

    async def take(self, upload_ids: Iterable[int]) -> None:
        """Note that a package needs these."""
        await self._records.take(upload_ids)

    async def release(self, upload_ids: Iterable[int]) -> None:
        """Note that a package does not need these any more; those that another one needs stay in use."""
        await self._records.release(upload_ids)


def extension_of(name: str) -> str:
    """Return the kind of an archive by its name; `.tar.gz` is `tgz`. Source: the reference."""
    if COMPOUND.search(name):
        return "tgz"
    return name.rpartition(".")[2].lower() if "." in name else ""


def read_manifest_of(path: Path, bounds: ArchiveBounds) -> bytes:
    """Return the composer.json of an archive file. Blocks. Raises NotFound, BadContent, Invalid."""
    kind = extension_of(path.name)
    if kind not in MEDIA_TYPES:
        raise Invalid("this is no archive that can hold a package")
    try:
        return _manifest(path, kind, bounds)
    except FileNotFoundError:
        raise NotFound("the archive's file is not there any more") from None


def _kind(received: Received) -> str:
    """Return what a file is: by its content, which its name must not contradict."""
    with received.draft.open("rb") as file:
        head = file.read(512)
    if head[:4] in {b"PK\x03\x04", b"PK\x05\x06"}:
        found = "zip"
    elif head[:2] == b"\x1f\x8b":
        found = "gz" if extension_of(received.name or "") == "gz" else "tgz"
    elif head[257:262] == b"ustar":
        found = "tar"
    else:
        raise BadContent("this is no zip or tar archive")
    return found


def _inspect(path: Path, kind: str, bounds: ArchiveBounds) -> tuple[int, str, str]:
    """Look an archive through; return size, SHA-1 and SHA-256."""
    if kind == "zip":
        with path.open("rb") as file:
            verify_zip(file, bounds)
    _manifest(path, kind, bounds)
    sha1, sha256, size = hashlib.sha1(usedforsecurity=False), hashlib.sha256(), 0
    with path.open("rb") as file:
        while chunk := file.read(CHUNK_BYTES):
            sha1.update(chunk)
            sha256.update(chunk)
            size += len(chunk)
    return size, sha1.hexdigest(), sha256.hexdigest()


def _manifest(path: Path, kind: str, bounds: ArchiveBounds) -> bytes:
    with path.open("rb") as file:
        return zip_manifest(file) if kind == "zip" else tar_manifest(file, bounds, compressed=kind != "tar")


def _unlink(path: Path) -> None:
    path.unlink(missing_ok=True)
