"""Fetching what lock files name, before anybody asks for it: metadata and dists."""

from collections.abc import Callable, Mapping, Sequence
from enum import Enum

from attrs import define, field, frozen

from packeton.core.composer.metadata import JsonObject, reference_in_url, version_in_url
from packeton.core.composer.names import PackageName
from packeton.errors import NotFound, PacketonError, StorageFailed
from packeton.features.mirroring.directory import MirrorSite
from packeton.features.mirroring.dists import ArrivingDist, DistRequest

__all__ = ["Locked", "WarmOutcome", "Warmed", "Warming"]

CHUNK_BYTES = 1 << 20


@frozen(kw_only=True)
class Locked:
    """One package of a lock file."""

    name: str
    version: str
    """As the lock file has it."""
    reference: str = ""
    """Of the dist."""
    type: str | None = None
    """Of the dist; None: there is none."""


class WarmOutcome(Enum):
    """What became of one package."""

    FETCHED = "fetched"
    HELD = "held already"
    METADATA = "metadata only"
    MISSING = "not had"


@frozen(kw_only=True)
class Warmed:
    """What became of one package, by which mirror."""

    locked: Locked
    outcome: WarmOutcome
    alias: str | None = None
    size: int = 0
    """Bytes of the dist."""
    reason: str = ""
    """Why it was not had."""


@define
class Warming:
    """Fetches through the mirrors, in the order of the configuration; the policy of each holds."""

    _sites: Mapping[str, MirrorSite]
    _roots: set[str] = field(factory=set, init=False)

    async def warm(
        self, locked: Locked, *, dists: bool = True, on_bytes: Callable[[int], None] = lambda _: None
    ) -> Warmed:
        """Fetch one package from the first mirror that has it, durably; what goes wrong is in the outcome."""
        reasons: list[str] = []
        for alias, site in self._sites.items():
            try:
                versions = await self._metadata(site, locked)
            except PacketonError as error:
                reasons.append(f"{alias}: {error}")
                continue
            try:
                return await self._dist(alias, site, locked, versions, dists, on_bytes)
            except PacketonError as error:
                reasons.append(f"{alias}: {error}")
        return Warmed(locked=locked, outcome=WarmOutcome.MISSING, reason="; ".join(reasons))

    async def _metadata(self, site: MirrorSite, locked: Locked) -> Sequence[JsonObject]:
        """Fetch both documents of a package, as a client does. Raises NotFound when there is none."""
        name, versions = PackageName.parse(locked.name), list[JsonObject]()
        missing: NotFound | None = None
        found = False
        for dev in (False, True):
            try:
                await site.mirror.package_rendition(name, dev=dev, mirror_url="")
                versions += await site.mirror.versions(name, dev=dev)
                found = True
            except NotFound as error:
                missing = missing or error
        if not found:
            raise missing or NotFound("no such package")
        return versions

    async def _dist(
        self,
        alias: str,
        site: MirrorSite,
        locked: Locked,
        versions: Sequence[JsonObject],
        dists: bool,
        on_bytes: Callable[[int], None],
    ) -> Warmed:
        if not dists or locked.type is None or site.mirror.rules.dists is None:
            return Warmed(locked=locked, outcome=WarmOutcome.METADATA, alias=alias)
        request = DistRequest(
            package=PackageName.parse(locked.name),
            version=version_in_url(_normalized(locked, versions)),
            reference=reference_in_url(locked.reference),
            type=locked.type,
        )
        dist = await site.dists.open(request)
        if not isinstance(dist, ArrivingDist):
            dist.blob.close()
            return Warmed(locked=locked, outcome=WarmOutcome.HELD, alias=alias, size=dist.entry.size)
        size = 0
        try:
            while chunk := await dist.follower.read(CHUNK_BYTES):
                size += len(chunk)
                on_bytes(len(chunk))
        finally:
            dist.follower.close()
        if not await dist.kept():
            raise StorageFailed("the dist could not be kept")
        return Warmed(locked=locked, outcome=WarmOutcome.FETCHED, alias=alias, size=size)


def _normalized(locked: Locked, versions: Sequence[JsonObject]) -> str:
    """Return the version as Composer puts it into a mirror's URL. Raises NotFound: upstream has it no more."""
    for version in versions:
        if locked.version in {version.get("version"), version.get("version_normalized")}:
            return str(version.get("version_normalized") or version.get("version"))
    raise NotFound(f"the metadata has no version {locked.version}")
