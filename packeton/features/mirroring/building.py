"""Dists that cannot be had: built out of the version's source instead, where that can be had."""

from collections.abc import Awaitable, Callable, Mapping
from hashlib import sha256
from pathlib import Path

from attrs import define
from twisted.logger import Logger

from packeton.config.settings import Secret
from packeton.core.caching.entries import CacheEntry
from packeton.core.composer.addresses import parse_address
from packeton.core.composer.archives import ArchiveBounds, verify_zip
from packeton.core.composer.metadata import VersionSource
from packeton.errors import BadContent, NotFound, StorageFailed, UpstreamRefused
from packeton.features.caching.storage import Storage
from packeton.interfaces.blobs import IBlobDraft
from packeton.interfaces.clocks import InThread, Now
from packeton.interfaces.vcs import ArchiveOrder, ICheckouts, VcsAccess, VcsKind

__all__ = ["Builder"]

log = Logger()

CHUNK_BYTES = 1 << 20
KINDS = {kind.value: kind for kind in VcsKind}


@define
class Builder:
    """Builds dists of one mirror."""

    _checkouts: ICheckouts
    _keys: Mapping[str, Path]
    """Private keys for ssh, by a part of the addresses they are for; the longest part that fits wins, "" fits all."""
    _allowed: Callable[[str], Awaitable[None]]
    """Raises UpstreamRefused for addresses that upstream must not send us to."""
    _folder: Path
    """For archives while they are written."""
    _storage: Storage
    _in_thread: InThread
    _now: Now
    _new_name: Callable[[], str]
    _bounds: ArchiveBounds

    async def build(self, key: str, source: VersionSource) -> CacheEntry:
        """
        Build a zip and store it under *key*.

        Raises:
            NotFound: the source has no such commit.
            UpstreamFailed (and kinds): the source could not be had, or is too large.
            Invalid: its address cannot be used.
            StorageFailed: the zip could not be kept.
        """
        await self._allowed(source.url)
        path = self._folder / f"{self._new_name()}.zip"
        access = await self._access(source)
        order = ArchiveOrder(reference=source.reference)
        try:
            await self._in_thread(_make_folder, self._folder)
            await self._checkouts.archive(access, order, path, lambda line: log.debug("{line}", line=line))
            entry = await self._keep(key, path)
        finally:
            await self._in_thread(path.unlink, True)
        log.info("Built {key} out of its source", key=key)
        return entry

    async def _access(self, source: VersionSource) -> VcsAccess:
        """Return how the source is reached: over ssh only with a key that was given for it, never with the server's
        own, which upstream could otherwise turn on any repository."""
        fitting = [part for part in self._keys if part in source.url]
        key = None
        if fitting:
            key = Secret(await self._in_thread(_read_key, self._keys[max(fitting, key=len)]))
        elif parse_address(source.url).scheme in {"ssh", "svn+ssh"}:
            raise UpstreamRefused("no ssh key is given for this address")
        return VcsAccess(url=source.url, kind=KINDS.get(source.type), ssh_key=key)

    async def _keep(self, key: str, path: Path) -> CacheEntry:
        draft = self._storage.draft()
        if draft is None:
            raise StorageFailed("the store takes nothing now")
        now = self._now()
        try:
            size, digest = await self._in_thread(_copy, path, draft, self._bounds)
            entry = CacheEntry(
                key=key,
                headers=(("Content-Type", "application/zip"),),
                requested_at=now,
                received_at=now,
                stored_at=now,
                blob="",
                size=size,
                sha256=digest,
                used_at=now,
            )
            return await self._storage.keep(draft, entry)
        finally:
            draft.discard()


def _make_folder(folder: Path) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise StorageFailed(f"no archive can be written: {error.strerror}") from error


def _read_key(path: Path) -> str:
    try:
        return path.read_text()
    except (OSError, UnicodeDecodeError) as error:
        raise NotFound("the ssh key for this address cannot be read") from error


def _copy(path: Path, draft: IBlobDraft, bounds: ArchiveBounds) -> tuple[int, str]:
    """Check an archive and copy it into the store; return its size and SHA-256."""
    digest = sha256()
    try:
        with path.open("rb") as file:
            verify_zip(file, bounds)
            file.seek(0)
            while chunk := file.read(CHUNK_BYTES):
                digest.update(chunk)
                draft.write(chunk)
    except OSError as error:
        raise BadContent(f"the archive that was built cannot be read: {error.strerror}") from error
    return draft.size, digest.hexdigest()
