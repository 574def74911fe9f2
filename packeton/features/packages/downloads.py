"""Counting installs that Composer tells of."""

from collections.abc import Callable, Sequence
from datetime import date
from hashlib import sha256

from attrs import define, field, frozen

from packeton.core.access.identities import Identity
from packeton.features.packages.audiences import Audience
from packeton.features.packages.catalogue import Catalogue
from packeton.features.packages.shelf import Recent
from packeton.interfaces.clocks import Now
from packeton.interfaces.downloads import IDownloadRecords, Install

__all__ = ["Downloads", "Installed", "OnInstalled"]

MAX_PER_DAY = 10
"""Installs of a package from one address that count on one day. Source: the reference."""
MAX_REMEMBERED = 100_000

OnInstalled = Callable[[Identity, str, Sequence[str]], None]
"""Takes who installed, from which address, and `name: version` lines, for the audit trail."""


@frozen
class Installed:
    """What a client says that it installed."""

    name: str
    version: str
    """Normalised."""


@define
class Downloads:
    """Counts what the caller may see; of anything else nobody learns if it is there."""

    _catalogue: Catalogue
    _records: IDownloadRecords
    _now: Now
    on_installed: OnInstalled | None = None
    _counted: Recent[int] = field(factory=lambda: Recent(MAX_REMEMBERED), init=False)

    async def count(
        self, audience: Audience, installed: Sequence[Installed], address: str
    ) -> Sequence[Installed]:
        """
        Count installs; return those of packages or versions that are not there for this audience.

        In a sub-repository packages that are not seen are passed over in silence, wherever they are: else the answer
        would tell which names the sub-repository holds.
        """
        contents = await self._catalogue.contents()
        today, installs, lines, unknown = self._now().date(), [], [], []
        for one in installed:
            package = contents.by_name.get(one.name)
            if package is None or not audience.sees(package):
                if audience.repository is None:
                    unknown.append(one)
                continue
            index = await self._catalogue.index(package)
            _, seen = audience.mask(package, index.facts)
            known = {version.normalized for version, is_seen in zip(index.versions, seen, strict=True) if is_seen}
            if one.version not in known:
                unknown.append(one)
                continue
            lines.append(f"{one.name}: {one.version}")
            if self._counts(package.id, address, today):
                installs.append(Install(package.id, one.version))
        await self._records.add(installs, today)
        if self.on_installed is not None and lines and not audience.identity.is_anonymous:
            self.on_installed(audience.identity, address, lines)
        return unknown

    def _counts(self, package_id: int, address: str, day: date) -> bool:
        """Say if an install counts: only so many of a package from one address and day do."""
        key = (package_id, day.toordinal(), sha256(address.encode()).digest()[:12])
        before = self._counted.get(key) or 0
        self._counted.keep(key, before + 1)
        return before < MAX_PER_DAY
