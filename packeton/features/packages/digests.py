"""
The digests of Composer 1: the SHA-256 of the `p/` document of each package, as one audience gets it.

Theory of operation: a digest needs the bytes of the document. What Composer 1 reads of a version, its *piece*, is
rendered once for everybody and kept in memory; a document is its pieces with commas between them. The digests of all
packages for one audience are a *listing*, kept in memory and in the database, each entry under the revision of its
package: a start of the server reads no documents, and a change costs what it changed. Audiences with other rights that
see the same versions of a package share its digest.

A listing belongs to one `Audience.key`, so nobody learns from it of more than they see; and a digest opens nothing, as
documents are made for whoever asks. One can be wrong only if a process died after it stored versions and before it
moved the revision: then the document that is made for it does not fit, and `doubt` has it made anew.
"""

from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from hashlib import sha256
from itertools import compress
from struct import Struct

from attrs import define, field
from twisted.logger import Logger

from packeton.errors import PacketonError, StorageFailed
from packeton.features.caching.flights import Flights
from packeton.features.packages.audiences import Audience
from packeton.features.packages.catalogue import Catalogue
from packeton.features.packages.rendering import DistRules, addressed, v1_joined, v1_piece
from packeton.features.packages.shelf import Recent
from packeton.features.packages.views import View, view_of
from packeton.interfaces.clocks import InThread
from packeton.interfaces.packages import IVersionRecords, PackageSummary, VersionDocument

__all__ = ["FORM", "Checksums", "ProviderDigests"]

log = Logger()

FORM = 1
"""Move it on when other bytes are rendered of the same version: digests in the database are of the old ones."""
MAX_LISTED = 100_000
MAX_CHOICES = 100_000
MAX_PIECE_BYTES = 48 * 2**20
READ_AT_ONCE = 2_000
"""Versions that are read at once when many documents are made."""
SMALL = 500
"""Of a package of so many versions all are read, as others will want the others, and that is no more work."""
ENTRY = Struct(">QQ32s")
NOTHING = bytes(32)
"""Stands in a listing for the digest of a package of which no version is seen."""

Checksums = Callable[[int], Awaitable[Mapping[str, str]]]
"""Gives the SHA-1 of the archives of a package that were built, by `<dist reference>.<kind>`."""
Listing = Mapping[int, tuple[int, bytes]]
"""By package its revision and its digest."""


Pieces = Sequence[bytes | None]
"""The rendered versions of a package, in the order of its index; None for what was not needed yet."""


def _weight(pieces: Pieces) -> int:
    return 400 + sum(150 + len(piece) for piece in pieces if piece is not None)


@define
class ProviderDigests:
    """See the module."""

    _catalogue: Catalogue
    _rules: DistRules
    _versions: IVersionRecords
    _in_thread: InThread
    _checksums: Checksums | None
    """Listings are not kept in the database where there are any: they change without a revision."""
    doubts: int = field(default=0, init=False)
    """How often digests turned out to be wrong; what was made of them before is not to be used any more."""
    _listings: Recent[Listing] = field(factory=lambda: Recent(MAX_LISTED, len), init=False)
    _choices: Recent[bytes] = field(factory=lambda: Recent(MAX_CHOICES), init=False)
    _pieces: Recent[Pieces] = field(factory=lambda: Recent(MAX_PIECE_BYTES, _weight), init=False)
    _flights: Flights[Listing] = field(factory=Flights, init=False)
    _writes: Flights[None] = field(factory=Flights, init=False)

    async def of(self, audience: Audience, packages: Sequence[PackageSummary], base: str) -> Mapping[str, str]:
        """Return the digests by name, for an audience that sees *packages*, of those of which it sees a version."""
        key = self._key(audience, base)
        newest = max((package.revision for package in packages), default=0)
        flight = f"{key} {self.doubts} {newest} {len(packages)}"
        listing = await self._flights.join(flight, lambda: self._current(key, audience, packages, base))
        digests = ((package.name, listing[package.id][1]) for package in packages)
        return {name: digest.hex() for name, digest in digests if digest != NOTHING}

    def doubt(self, audience: Audience, package: PackageSummary, base: str, digest: str) -> None:
        """Note that the document of a package does not have this digest: if it was told, it is made anew."""
        key = self._key(audience, base)
        listing = self._listings.get((key,)) or {}
        if listing.get(package.id) == (package.revision, bytes.fromhex(digest)):
            self._listings.keep((key,), {number: entry for number, entry in listing.items() if number != package.id})
            self.doubts += 1

    def _key(self, audience: Audience, base: str) -> str:
        return sha256(repr((FORM, audience.key, base, self._rules)).encode()).hexdigest()

    async def _current(
        self, key: str, audience: Audience, packages: Sequence[PackageSummary], base: str
    ) -> Listing:
        held = self._listings.get((key,))
        if held is None:
            held = await self._kept(key)
        stale = [package for package in packages if held.get(package.id, (None,))[0] != package.revision]
        if stale:
            made = await self._made(audience, stale, base)
            fresh = {package.id: (package.revision, made[package.id]) for package in stale}
            held = {package.id: fresh.get(package.id) or held[package.id] for package in packages}
            self._keep(key, held)
        return self._listings.keep((key,), held)

    async def _kept(self, key: str) -> Listing:
        """Return what was written down; nothing while the database cannot be read."""
        if self._checksums is not None:
            return {}
        try:
            return _unpacked(await self._versions.digests(key))
        except StorageFailed as error:
            log.warn("Digests that were kept cannot be read: {why}", why=str(error))
            return {}

    def _keep(self, key: str, listing: Listing) -> None:
        """Write a listing down: nobody waits for that, and while it takes long no other is written in its place."""
        if self._checksums is None and not self._writes.running(key):
            self._writes.join(key, lambda: self._written(key, listing))

    async def _written(self, key: str, listing: Listing) -> None:
        try:
            await self._versions.keep_digests(key, _packed(listing), max(revision for revision, _ in listing.values()))
        except PacketonError as error:  # the next start makes them again
            log.warn("Digests could not be kept: {why}", why=str(error))

    async def _made(self, audience: Audience, packages: Sequence[PackageSummary], base: str) -> Mapping[int, bytes]:
        indexes = await self._catalogue.indexes(packages)
        views: Sequence[View] = await self._in_thread(
            lambda: [view_of(audience, package, indexes[package.id]) for package in packages]
        )
        found: dict[int, bytes] = {}
        missing = []
        for view in views:
            digest = NOTHING if view.is_empty else self._choices.get((self.doubts, base, *view.key))
            if digest is None:
                missing.append(view)
            else:
                found[view.package.id] = digest
        for some in _batches(missing):
            made = await self._digested(some, base)
            for view, digest in zip(some, made, strict=True):
                found[view.package.id] = self._choices.keep((self.doubts, base, *view.key), digest)
        return found

    async def _digested(self, views: Sequence[View], base: str) -> Sequence[bytes]:
        parts = []
        for view in views:
            held = self._pieces.get((self.doubts, view.package.id, view.package.revision))
            parts.append(_Part(view, [None] * len(view.seen) if held is None else held))
        lacking = [part for part in parts if part.is_lacking]
        if lacking:
            await self._read(lacking)
        return await self._in_thread(lambda: [part.digest(base) for part in parts])

    async def _read(self, parts: Sequence["_Part"]) -> None:
        """Render what they lack."""
        small = [part.package.id for part in parts if part.is_small]
        others = [number for part in parts if not part.is_small for number in part.view.ids()]
        stored = {one.id: one for one in await self._versions.documents(small, others)}
        checksums: dict[int, Mapping[str, str]] = {}
        if self._checksums is not None:
            checksums = {part.package.id: await self._checksums(part.package.id) for part in parts}

        def work() -> None:
            for part in parts:
                part.render(stored, self._rules, checksums.get(part.package.id, {}))

        await self._in_thread(work)
        for part in parts:
            self._pieces.keep((self.doubts, part.package.id, part.package.revision), part.pieces)


@define
class _Part:
    """A package whose digest is wanted."""

    view: View
    pieces: Pieces

    @property
    def package(self) -> PackageSummary:
        return self.view.package

    @property
    def is_lacking(self) -> bool:
        """Say if a version is seen that was not rendered yet."""
        return None in compress(self.pieces, self.view.seen)

    @property
    def is_small(self) -> bool:
        return len(self.view.seen) <= SMALL

    def render(self, stored: Mapping[int, VersionDocument], rules: DistRules, checksums: Mapping[str, str]) -> None:
        """Add the pieces of what was read. Blocking."""
        found = [stored.get(version.id) for version in self.view.index.versions]
        self.pieces = [
            piece if one is None else v1_piece(one, self.package, rules, checksums)
            for one, piece in zip(found, self.pieces, strict=True)
        ]

    def digest(self, base: str) -> bytes:
        """Put the document together; a version that is gone by now is left out. Blocking."""
        pieces = [piece for piece in compress(self.pieces, self.view.seen) if piece is not None]
        return sha256(addressed(v1_joined(self.package.name, pieces), base)).digest()


def _batches(views: Sequence[View]) -> Iterator[Sequence[View]]:
    """Yield them by so many that not more versions belong to them than are read at once, if they have not too many."""
    some: list[View] = []
    count = 0
    for view in views:
        if some and count + len(view.seen) > READ_AT_ONCE:
            yield some
            some, count = [], 0
        some.append(view)
        count += len(view.seen)
    if some:
        yield some


def _packed(listing: Listing) -> bytes:
    return b"".join(ENTRY.pack(number, *entry) for number, entry in listing.items())


def _unpacked(content: bytes) -> Listing:
    return {number: (revision, digest) for number, revision, digest in ENTRY.iter_unpack(content)}
