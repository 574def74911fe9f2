"""
The metadata of our own packages, for one audience.

Theory of operation: the version objects are rendered once, when they are read from their source. A document is put
together from them once for each set of versions that somebody may see, whoever that is, and kept in a bounded memory
under the package's revision, so that a change of one package costs nothing for the others. Every content of a document
has a date of its own (`IVersionRecords.published_at`): a client that sends a date back gets 304 exactly if its copy is
what it would be sent now, also when in between it was granted something, or lost it.
"""

import zlib
from collections.abc import Awaitable, Callable, Mapping, Sequence
from hashlib import sha256

from attrs import Factory, define, field, frozen

from packeton.core.composer.metadata import JsonObject
from packeton.errors import NotFound
from packeton.features.caching.flights import Flights
from packeton.features.packages.audiences import Audience
from packeton.features.packages.catalogue import Catalogue, Index
from packeton.features.packages.dates import Dated, Dates
from packeton.features.packages.digests import Checksums, ProviderDigests
from packeton.features.packages.rendering import DistRules, addressed, p2_document, v1_document
from packeton.features.packages.shelf import Finished, Recent, Shelf
from packeton.features.packages.views import View, view_of
from packeton.interfaces.clocks import InThread
from packeton.interfaces.packages import IVersionRecords, PackageSummary, StoredVersion

__all__ = ["Advisories", "Published", "Publishing", "finish"]

GZIP_LEVEL = 6
MAX_DATES = 100_000
MAX_VIEWS = 100_000
MAX_FINGERPRINTS = 100_000
MAX_LISTS = 50
Advisories = Callable[[PackageSummary], Awaitable[Sequence[JsonObject]]]
"""Gives the security advisories about a package, as Composer reads them."""


async def _no_advisories(_: PackageSummary) -> Sequence[JsonObject]:
    """Return none."""
    return ()


@frozen(kw_only=True)
class Published:
    """A document for one audience: its validators now, its bytes when they are needed."""

    dated: Dated
    content: Callable[[], Awaitable[Finished]]


@define
class Publishing:
    """Per-package documents."""

    catalogue: Catalogue
    rules: DistRules
    _versions: IVersionRecords
    _in_thread: InThread
    _shelf: Shelf
    _checksums: Checksums | None = None
    _advisories: Advisories = _no_advisories
    dates: Dates = Factory(lambda own: Dates(own._versions.published_at), takes_self=True)  # noqa: SLF001
    providers: ProviderDigests = field(init=False)
    _flights: Flights[tuple[str, Finished]] = field(factory=Flights, init=False)
    _dates: Recent[Dated] = field(factory=lambda: Recent(MAX_DATES), init=False)
    _views: Recent[View] = field(factory=lambda: Recent(MAX_VIEWS), init=False)
    _seen_packages: Recent[Sequence[PackageSummary]] = field(factory=lambda: Recent(MAX_LISTS), init=False)
    _fingerprints: Recent[str] = field(factory=lambda: Recent(MAX_FINGERPRINTS), init=False)

    @providers.default
    def _providers(self) -> ProviderDigests:
        return ProviderDigests(self.catalogue, self.rules, self._versions, self._in_thread, self._checksums)

    async def p2(self, audience: Audience, name: str, base: str, *, dev: bool) -> Published:
        """
        Return `p2/name.json`, or with *dev* `p2/name~dev.json`.

        Args:
            base: Our root's address as this client sees it, without a slash at the end.

        Raises:
            NotFound: This audience does not see the package.
        """
        view = await self._view(audience, name)
        channel = "dev" if dev else "stable"
        base = base + audience.slug

        async def content() -> Finished:
            return (await self._made((channel, *view.key, base), lambda: self._p2(view, base, dev=dev)))[1]

        dated = self._dates.get((channel, *view.key))
        if dated is None:
            fingerprint, _ = await self._made((channel, *view.key, base), lambda: self._p2(view, base, dev=dev))
            package = view.package
            natural = package.dev_modified_at if dev else package.stable_modified_at
            document = f"p2/{package.name}{'~dev' if dev else ''}"
            dated = await self.dates.of(document, fingerprint, natural)
            if dated.last_modified is not None:
                self._dates.keep((channel, *view.key), dated)
        return Published(dated=dated, content=content)

    async def v1(self, audience: Audience, name: str, base: str, digest: str | None = None) -> Finished:
        """
        Return `p/name.json`.

        Raises:
            NotFound: This audience sees no version of the package, or *digest* is not that of what it would be sent.
        """
        view = await self._view(audience, name)
        if view.is_empty:
            raise NotFound("no such package")
        base = base + audience.slug
        found, finished = await self._made(("v1", *view.key, base), lambda: self._v1(view, base))
        if digest is not None and digest != found:
            self.providers.doubt(audience, view.package, base, digest)
            raise NotFound("no such file")
        return finished

    async def digests(self, audience: Audience, base: str) -> Mapping[str, str]:
        """Return the SHA-256 of `p/name.json` by name, of all packages of which this audience sees a version."""
        return await self.providers.of(audience, await self._packages(audience), base + audience.slug)

    async def names(self, audience: Audience) -> Sequence[str]:
        """Return the names of the packages that this audience sees, in the order of ids."""
        return [package.name for package in await self._packages(audience)]

    async def _packages(self, audience: Audience) -> Sequence[PackageSummary]:
        """Return the packages that this audience sees, in the order of ids; remembered, as roots ask several times."""
        contents = await self.catalogue.contents()
        key = (audience.key, contents.revision)
        held = self._seen_packages.get(key)
        if held is None:
            held = [package for package in contents.by_name.values() if audience.sees(package)]
            self._seen_packages.keep(key, held)
        return held

    async def _view(self, audience: Audience, name: str) -> View:
        package = (await self.catalogue.contents()).by_name.get(name)
        if package is None or not audience.sees(package):
            raise NotFound("no such package")
        return self._seen(audience, package, await self.catalogue.index(package))

    def _seen(self, audience: Audience, package: PackageSummary, index: Index) -> View:
        key = (audience.key, package.id, package.revision)
        return self._views.get(key) or self._views.keep(key, view_of(audience, package, index))

    async def _made(
        self, key: tuple[object, ...], make: Callable[[], Awaitable[tuple[str, Finished]]]
    ) -> tuple[str, Finished]:
        """Return fingerprint and bytes, from memory or made now, once for all who wait."""
        held, digest = self._shelf.get(key), self._fingerprints.get(key)
        if held is not None and digest is not None:
            return digest, held

        async def start() -> tuple[str, Finished]:
            digest, finished = await make()
            self._shelf.keep(key, finished)
            self._fingerprints.keep(key, digest)
            return digest, finished

        return await self._flights.join("\n".join(map(str, key)), start)

    async def _p2(self, view: View, base: str, *, dev: bool) -> tuple[str, Finished]:
        stored = await self._stored(view.ids(dev=dev))
        sums = await self._sums(view.package)
        advisories = () if dev else await self._advisories(view.package)

        def work() -> tuple[str, Finished]:
            body = p2_document(view.package, stored, self.rules, sums, advisories)
            return self.rules.fingerprint(body), finish(addressed(body, base))

        return await self._in_thread(work)

    async def _v1(self, view: View, base: str) -> tuple[str, Finished]:
        stored, sums = await self._stored(view.ids()), await self._sums(view.package)

        def work() -> tuple[str, Finished]:
            body = addressed(v1_document(view.package, stored, self.rules, sums), base)
            return sha256(body).hexdigest(), finish(body)

        return await self._in_thread(work)

    async def _stored(self, ids: Sequence[int]) -> Sequence[StoredVersion]:
        found = await self._versions.chosen(ids)
        return [found[number] for number in ids if number in found]

    async def _sums(self, package: PackageSummary) -> Mapping[str, str]:
        return {} if self._checksums is None else await self._checksums(package.id)


def finish(body: bytes, level: int = GZIP_LEVEL) -> Finished:
    """Compress a document, to the same bytes every time. Blocking."""
    compressor = zlib.compressobj(level, zlib.DEFLATED, 31)
    return Finished(body=body, gzipped=compressor.compress(body) + compressor.flush())
