"""A mirror's upstream, as its synchronisation sees it."""

from collections.abc import AsyncIterator, Mapping, Sequence
from typing import Any

from attrs import define

from packeton.core.caching.decisions import Listed
from packeton.core.composer.metadata import JsonObject, read_package, versions_of
from packeton.core.composer.names import PackageName
from packeton.core.composer.roots import Resource
from packeton.errors import NotFound, StorageFailed
from packeton.features.caching.storage import Storage
from packeton.features.mirroring.documents import Outcome
from packeton.features.mirroring.mirrors import Mirror
from packeton.features.mirroring.originals import Original, Originals
from packeton.features.mirroring.synchronising import Changes, SourceRoot
from packeton.interfaces.caching import ICacheRecords
from packeton.interfaces.clocks import InThread

__all__ = ["UpstreamSource"]

ENTRIES_AT_ONCE = 500


@define
class UpstreamSource:
    """A `Source`: any kind of Composer repository."""

    _mirror: Mirror
    _originals: Originals
    _storage: Storage
    _entries: ICacheRecords
    _in_thread: InThread

    async def root(self, *, refresh: bool = True) -> SourceRoot:
        """Return upstream's root, asked for now or as it is at hand."""
        if refresh:
            await self._mirror.refresh_root()
        document = await self._originals.root_document()
        root = await self._originals.parsed(document)
        return SourceRoot(
            digest=document.entry.sha256,
            v2=not root.is_old,
            changes=root.template(Resource.CHANGES) is not None,
            hashed=root.has_listing,
        )

    async def listed(self) -> AsyncIterator[Sequence[Listed]]:
        """Yield upstream's names, with digests where it tells them."""
        async for some in self._originals.listed_names(refresh=True):
            yield [Listed(name=name, digest=digest or "") for name, digest in some]

    async def fetch(self, one: Listed) -> bool:
        """Fetch a package's documents, for each generation of Composer that is served; return if they changed."""
        name = PackageName.parse(one.name)
        is_old = (await self._originals.root()).is_old
        first = False
        if one.digest and (is_old or not self._mirror.rules.disable_v1):
            held = await self._originals.held(name)
            await self._check_kept(await self._originals.hashed(name, one.digest))
            first = held != one.digest
        if one.digest and is_old:
            return first
        try:
            found = await self._originals.package(name, refresh=True)
        except NotFound:
            if not one.digest:
                raise
            return first  # it is there for Composer 1 only
        for original in found:
            if original.generation == 2:
                await self._check_kept(original)
        return first or any(original.outcome is Outcome.MISS for original in found)

    async def _check_kept(self, original: Original) -> None:
        """A synchronisation is for what lies in the store. Raises StorageFailed when it took nothing."""
        entry = await self._storage.find(original.key)
        if entry is None or entry.sha256 != original.digest:
            raise StorageFailed(f"{original.key} could not be kept")

    async def versions(self, name: PackageName) -> list[JsonObject]:
        """Return all versions of a package in full, as upstream has them. Raises NotFound, UpstreamFailed."""
        contents = [await original.read() for original in await self._originals.package(name)]

        def work() -> list[JsonObject]:
            documents = [read_package(content) for content in contents]
            return [version for document in documents for version in versions_of(document, str(name))]

        return await self._in_thread(work)

    async def changes(self, since: int) -> Changes:
        """Ask upstream's feed of changes."""
        return read_changes(await self._mirror.changes(since), since)

    async def forget(self) -> None:
        """Forget the stored metadata, but for the root and what is pinned, entry and body; dists stay."""
        prefix = f"mirror/{self._mirror.rules.alias}/"
        kept = (f"{prefix}dist/", f"{prefix}packages.json")
        after = ("", "")
        while entries := await self._entries.matching(f"{prefix}*", ENTRIES_AT_ONCE, after):
            after = (entries[-1].key, entries[-1].variant)
            for entry in entries:
                if not entry.pinned and not entry.key.startswith(kept):
                    await self._storage.remove(entry.key, entry.variant)


def read_changes(document: Mapping[str, Any], since: int) -> Changes:
    """
    Read the answer of a feed of changes. Source: packagist.org/apidoc, "Track package updates".

    An error, or the request to begin anew, means that anything may have changed.
    """
    timestamp, actions = document.get("timestamp"), document.get("actions")
    told = timestamp if isinstance(timestamp, int) and timestamp >= 0 else since
    if not isinstance(actions, list) or document.get("error"):
        return Changes(timestamp=told, names=None)
    names = set()
    for action in actions:
        kind, package = (action.get("type"), action.get("package")) if isinstance(action, Mapping) else (None, None)
        if kind not in {"update", "delete"} or not isinstance(package, str):
            return Changes(timestamp=told, names=None)
        names.add(package.lower().removesuffix("~dev"))
    return Changes(timestamp=told, names=frozenset(names))
