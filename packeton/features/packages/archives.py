"""
The archives of our own packages: found, or built now, once for all who wait.

Who may have one is asked for every download, and for the version: a reference is given out if a version that has it, or
had it, is seen by the caller. A commit that belongs to no version we know (an old one in a lock file) is for those from
whom nothing of the package is hidden.
"""

import hashlib
import re
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from pathlib import Path
from typing import Protocol

import orjson
from attrs import define, field, frozen
from twisted.logger import Logger

from packeton.errors import Conflict, NotFound, PacketonError, StorageFailed
from packeton.features.caching.flights import Flights
from packeton.features.packages.audiences import Audience
from packeton.features.packages.catalogue import Catalogue
from packeton.features.packages.rendering import DistRules
from packeton.features.packages.shelf import Recent
from packeton.interfaces.archives import BuiltFile, IArchiveRecords, IFileStore
from packeton.interfaces.blobs import IBlob
from packeton.interfaces.clocks import InThread, Now
from packeton.interfaces.packages import IPackageRecords, IVersionRecords, KnownReference, Package, StoredVersion

__all__ = ["ArchiveFailed", "Archives", "Builder", "Order", "ServedArchive", "holder_of", "storage_key"]

log = Logger()

REFERENCE = re.compile(r"[0-9a-f]{40}")
UNSAFE = re.compile(r"[^A-Za-z0-9_/-]")
MAX_PART_BYTES = 150
CHUNK_BYTES = 1 << 20
LEFT_ALONE = timedelta(seconds=30)
"""How long a failure is remembered, so that Composer's repetitions do not start the work each time."""
USE_NOTED_EVERY = timedelta(hours=6)
UNKNOWN_VERSION = "dev-master"
"""Stands in the key of an archive whose reference belongs to no version. Source: the reference."""
CLEANED_AT_ONCE = 500
LOOKED_AT_ONCE = 20_000
ARCHIVE = re.compile(r"-[0-9a-f]{40}\.(?:zip|tar)$")


class ArchiveFailed(NotFound):
    """The archive cannot be had. The text is for maintainers; everybody else gets a plain 404."""


@frozen(kw_only=True)
class Order:
    """One archive to build."""

    package: Package
    reference: str
    """The dist reference."""
    known: KnownReference | None
    """The version that has, or had, it."""
    format: str


class Builder(Protocol):
    """Writes archives, of some types of packages."""

    async def build(self, order: Order, destination: Path) -> None:
        """Write the archive to *destination*. Raises PacketonError."""


@frozen(kw_only=True)
class ServedArchive:
    """An archive to send; the blob is the caller's to close."""

    blob: IBlob
    file: BuiltFile

    @property
    def content_type(self) -> str:
        """The media type, by the name."""
        return "application/zip" if self.file.key.endswith(".zip") else "application/x-tar"


async def holder_of(known: KnownReference | None, versions: IVersionRecords) -> StoredVersion | None:
    """Return the version that has a reference now; None where it only had it once, or is not known."""
    return None if known is None or known.version_id is None else await versions.get(known.version_id)


def storage_key(name: str, version: str, reference: str, kind: str) -> str:
    """
    Return where an archive lies in the store.

    Source: the reference's DistConfig::buildName; what it would not survive, a very long version, is shortened.
    """
    part = version.replace("/", "-")
    if len(part.encode()) > MAX_PART_BYTES:
        part = part[:40] + hashlib.sha256(version.encode()).hexdigest()[:40]
    return f"{UNSAFE.sub('-', name)}/{part}-{reference}.{kind}"


@define
class Archives:
    """The archives of all packages."""

    rules: DistRules
    _catalogue: Catalogue
    _packages: IPackageRecords
    _versions: IVersionRecords
    _records: IArchiveRecords
    _store: IFileStore
    _builders: Mapping[str, Builder]
    """By `RepoType`."""
    _in_thread: InThread
    _now: Now
    _keep_unused: timedelta
    _flights: Flights[BuiltFile] = field(factory=Flights, init=False)
    _failures: Recent[tuple[datetime, str]] = field(factory=lambda: Recent(1000), init=False)
    _noted: Recent[datetime] = field(factory=lambda: Recent(20_000), init=False)

    async def open(self, audience: Audience, name: str, reference: str) -> ServedArchive:
        """
        Return an archive that this audience may have, built now if need be.

        Raises:
            NotFound: There is none, or not for this audience.
            ArchiveFailed: It could not be built.
            StorageFailed: It cannot be read or kept.
        """
        order = await self._ordered(audience, name, reference)
        key = _key_of(order)
        for _ in range(2):
            built = await self._found(order, key) or await self._flights.join(key, lambda: self._build(order, key))
            try:
                blob = await self._in_thread(self._store.open, built.key)
            except NotFound:  # cleaned away, or deleted by somebody else
                await self._records.remove(built.key)
                continue
            await self._note_use(built)
            return ServedArchive(blob=blob, file=built)
        raise ArchiveFailed("the archive vanished while it was opened")

    async def prebuild(self, package: Package, known: KnownReference) -> BuiltFile:
        """Build the archive of a version unless it is there. Raises as `open`."""
        kind = await self._format(package, known)
        order = Order(package=package, reference=known.reference, known=known, format=kind)
        key = _key_of(order)
        return await self._found(order, key) or await self._flights.join(key, lambda: self._build(order, key))

    async def forget(self, package_id: int, references: Sequence[str] | None = None) -> None:
        """Remove the archives of a package, or those with these references."""
        for built in await self._records.of_package(package_id):
            if references is None or built.reference in references:
                await self._remove(built)

    async def clean(self) -> int:
        """
        Remove archives that nobody asked for in a long time; return how many. They are built again when needed.

        So goes what lies there and belongs to no package any more. Files that are called otherwise are left alone.
        """
        before = self._now() - self._keep_unused
        unused = await self._records.unused(before, CLEANED_AT_ONCE)
        for built in unused:
            await self._remove(built)
        ownerless = 0
        for key in await self._in_thread(self._store.old, before, LOOKED_AT_ONCE):
            if ARCHIVE.search(key) and await self._records.find(key) is None:
                await self._in_thread(self._store.delete, key)
                ownerless += 1
        return len(unused) + ownerless

    async def _remove(self, built: BuiltFile) -> None:
        await self._records.remove(built.key)
        await self._in_thread(self._store.delete, built.key)

    async def _ordered(self, audience: Audience, name: str, reference: str) -> Order:
        """Find out what is asked for, if this caller may have it."""
        summary = (await self._catalogue.contents()).by_name.get(name)
        if summary is None or not REFERENCE.fullmatch(reference) or not audience.holds(name):
            raise NotFound("no such archive")
        if not self.rules.enabled and not summary.repo_type.has_own_dist:
            raise NotFound("no such archive")
        references = await self._versions.with_reference(summary.id, reference)
        if not audience.sees_one_of(summary, references) and not audience.sees_everything_of(summary):
            raise NotFound("no such archive")
        package = await self._packages.get(summary.id)
        if package is None:
            raise NotFound("no such archive")
        known = next((one for one in references if not one.is_dev), references[0] if references else None)
        kind = await self._format(package, known)
        return Order(package=package, reference=reference, known=known, format=kind)

    async def _format(self, package: Package, known: KnownReference | None) -> str:
        """Return the kind of the archive; what was uploaded stays what it is."""
        if not package.repo_type.has_own_dist:
            return self.rules.format
        held = await holder_of(known, self._versions)
        dist = {} if held is None else orjson.loads(held.document).get("dist") or {}
        return "tar" if dist.get("type") == "tar" else "zip"

    async def _found(self, order: Order, key: str) -> BuiltFile | None:
        """Return the archive if it is in the store, also when somebody else put it there."""
        built = await self._records.find(key)
        if built is not None:
            return built
        try:
            blob = await self._in_thread(self._store.open, key)
        except NotFound:
            return None
        try:
            return await self._recorded(order, key, blob)
        finally:
            blob.close()

    async def _build(self, order: Order, key: str) -> BuiltFile:
        failed = self._failures.get((key,))
        if failed is not None and self._now() - failed[0] < LEFT_ALONE:
            raise ArchiveFailed(failed[1])
        builder = self._builders.get(order.package.repo_type)
        if builder is None:
            raise ArchiveFailed("packages of this type have no archives")
        draft = await self._in_thread(self._store.draft)
        try:
            await builder.build(order, draft)
            await self._in_thread(self._store.keep, draft, key)
        except StorageFailed:
            raise
        except PacketonError as error:
            log.warn("The archive {key} cannot be built: {why}", key=key, why=str(error))
            self._failures.keep((key,), (self._now(), str(error)))
            raise ArchiveFailed(str(error)) from error
        finally:
            await self._in_thread(_unlink, draft)
        blob = await self._in_thread(self._store.open, key)
        try:
            built = await self._recorded(order, key, blob)
        finally:
            blob.close()
        log.info("Built {key}: {size} bytes", key=key, size=built.size)
        return built

    async def _recorded(self, order: Order, key: str, blob: IBlob) -> BuiltFile:
        size, sha1, sha256 = await self._in_thread(_digests, blob)
        now = self._now()
        built = BuiltFile(
            key=key,
            package_id=order.package.id,
            reference=order.reference,
            size=size,
            sha1=sha1,
            sha256=sha256,
            built_at=now,
            used_at=now,
        )
        try:
            await self._records.save(built)
        except Conflict:
            if await self._packages.get(order.package.id) is not None:
                raise
            await self._in_thread(self._store.delete, key)
            raise NotFound("no such archive") from None  # the package was deleted meanwhile
        return built

    async def _note_use(self, built: BuiltFile) -> None:
        """Note now and then that an archive is asked for."""
        now = self._now()
        noted = self._noted.get((built.key,)) or built.used_at
        if now - noted < USE_NOTED_EVERY:
            return
        self._noted.keep((built.key,), now)
        try:
            await self._records.used([built.key], now)
        except StorageFailed as error:
            log.warn("The use of {key} could not be noted: {why}", key=built.key, why=str(error))


def _key_of(order: Order) -> str:
    version = UNKNOWN_VERSION if order.known is None else order.known.version
    return storage_key(order.package.name, version, order.reference, order.format)


def _digests(blob: IBlob) -> tuple[int, str, str]:
    sha1, sha256, at = hashlib.sha1(usedforsecurity=False), hashlib.sha256(), 0
    while chunk := blob.read_at(at, CHUNK_BYTES):
        sha1.update(chunk)
        sha256.update(chunk)
        at += len(chunk)
    return at, sha1.hexdigest(), sha256.hexdigest()


def _unlink(path: Path) -> None:
    path.unlink(missing_ok=True)
