"""
The root of a mirror, and the files that it sends Composer 1 to.

Theory of operation: what is offered depends on the client's generation, on the settings and on what upstream has.
Composer 2 is given `metadata-url` by every upstream, Composer 1 documents of single packages (`providers-lazy-url`) by
every upstream; in front of these come, for Composer 1, one file of all packages (`includes`) where they are few and
known, or upstream's own lists with hashes (`provider-includes`) where the settings ask for whole lists. A file that is
named by its hash is made before the root that names it, and kept as long as memory allows; asked for by another hash it
is not there.
"""

import re
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Mapping, Sequence
from datetime import datetime, timedelta
from hashlib import sha256

import orjson
from attrs import asdict, define, evolve, field
from twisted.logger import Logger

from packeton.core.caching.fields import read_date
from packeton.core.composer.editions import with_uid
from packeton.core.composer.listings import listing_file
from packeton.core.composer.metadata import read_package
from packeton.core.composer.names import PackageName
from packeton.core.composer.offers import Offer, offered
from packeton.core.composer.roots import Included, Root
from packeton.errors import NotFound, PacketonError
from packeton.features.mirroring.documents import Document
from packeton.features.mirroring.editions import Editions
from packeton.features.mirroring.originals import Originals
from packeton.features.mirroring.policy import Policy
from packeton.features.mirroring.publications import Publications
from packeton.features.mirroring.renditions import Rendition, Renditions
from packeton.features.mirroring.rules import MirrorRules
from packeton.interfaces.clocks import Now

__all__ = ["Offering"]

Read = Callable[[], Awaitable[Sequence[bytes]]]
Render = Callable[[Sequence[bytes]], bytes]
log = Logger()

HASHED = re.compile(r"(?P<path>[A-Za-z0-9_/-]+)\$(?P<digest>[0-9a-f]{40}|[0-9a-f]{64})\.json")
ALL = "include-packeton/all"
WHOLE_FOR = timedelta(seconds=60)
MAX_WHOLES = 8
HASHED_AT_ONCE = 200
"""How many documents are made for their hash while a client waits; the others follow next time."""


@define
class Offering:
    """Makes roots and what hangs on them by a hash."""

    _rules: MirrorRules
    _originals: Originals
    _editions: Editions
    _publications: Publications
    _renditions: Renditions
    _policy: Policy
    _now: Now
    _names: dict[str, list[str] | None] = field(factory=dict, init=False)
    """The names to announce, by what they come from."""
    _wholes: OrderedDict[str, tuple[datetime, Rendition | None]] = field(factory=OrderedDict, init=False)
    """Files of all packages, with the time they were put together, by what they come from and go to."""

    async def root(self, mirror_url: str, generation: int | None) -> Rendition:
        """
        Return the root for a client of this generation (None: unknown, which is treated like Composer 2).

        Raises:
            UpstreamFailed (and kinds): upstream's root could not be had, and there is no copy.
        """
        await self._policy.prepare()
        document = await self._originals.root_document()
        root = await self._originals.parsed(document)
        offer, traits = await self._offer(root, document, mirror_url, 1 if generation == 1 else 2)
        same = asdict(evolve(offer, mirror_url="", packages=None, includes=None, providers=None), recurse=False)
        told = sha256(orjson.dumps([same, traits], option=orjson.OPT_SORT_KEYS)).hexdigest()

        def render(_: Sequence[bytes]) -> bytes:
            return orjson.dumps(offered(root, offer))

        async def read() -> list[bytes]:
            return []

        path = "packages.json?1" if generation == 1 else "packages.json"
        return await self._rendition(path, document, told, mirror_url, read, render)

    async def file(self, path: str, mirror_url: str) -> Rendition:
        """
        Return a file that a root of ours names by its hash.

        Raises:
            NotFound: no root names such a file now.
            UpstreamFailed (and kinds): what it is made of could not be had.
        """
        match = HASHED.fullmatch(path)
        if match is None:
            raise NotFound("no such file")
        await self._policy.prepare()
        kind = "sha1" if len(match["digest"]) == 40 else "sha256"
        if match["path"] == ALL:
            rendition = await self._all(await self._originals.root(), mirror_url)
        else:
            included = next((one for one in await self._lists() if _our_path(one) == match["path"]), None)
            rendition = None if included is None else await self._list(included, mirror_url)
        if rendition is None or await self._renditions.digest(rendition, kind) != match["digest"]:
            raise NotFound("no such file, or not of this hash")
        return rendition

    async def _offer(
        self, root: Root, document: Document, mirror_url: str, generation: int
    ) -> tuple[Offer, list[str]]:
        """Return what is offered, and texts that change with those parts of it that depend on the client's address."""
        rules = self._rules
        offer = Offer(
            mirror_url=mirror_url,
            metadata=not (rules.disable_v2 or self._policy.disable_v2),
            names=await self._announced(root, document),
            patterns=self._patterns(root),
            mirrors_dists=rules.dists == "mirrors",
            notify=rules.notify,
            info=rules.info,
        )
        if rules.disable_v1:
            return offer, []
        traits: list[str] = []
        if root.inline and not root.is_old:
            offer = evolve(offer, packages=await self._inline(root, mirror_url, traits))
        if generation == 1 or not offer.metadata:
            everything = await self._all(root, mirror_url)
            if everything is not None:
                digest = await self._renditions.digest(everything, "sha1")
                offer = evolve(offer, includes={f"{ALL}${digest}.json": digest}, packages=None)
                return offer, [everything.fingerprint]
            if not rules.lazy and root.has_listing:
                offer = evolve(offer, providers=await self._hashed_lists(mirror_url, traits))
        return evolve(offer, lazy=True), traits

    async def _announced(self, root: Root, document: Document) -> list[str] | None:
        """Return `available-packages`: the policy's list, else upstream's, else the names of a small upstream."""
        names = await self._policy.names()
        if names is not None:
            return list(names) if len(names) <= self._rules.max_names else None
        source = f"{document.entry.sha256} {self._policy.revision}"
        if source not in self._names:
            try:
                self._names = {source: await self._known(root)}
            except PacketonError as error:
                log.warn("The names of mirror {alias} are not known: {why}", alias=self._rules.alias, why=str(error))
                return None
        return self._names[source]

    async def _known(self, root: Root) -> list[str] | None:
        if root.available is not None:
            return list(await self._policy.allowed(root.available))
        if not root.is_old or not (root.inline or root.has_listing or root.includes()):
            return None
        if "available-package-patterns" in root.document:
            return None
        found: set[str] = set()
        async for some in self._originals.names():
            found.update(some)
            if len(found) > self._rules.max_names:
                return None
        return sorted(await self._policy.allowed(sorted(found)))

    def _patterns(self, root: Root) -> list[str] | None:
        """Return `available-package-patterns`; Composer's know `*` only, so that theirs may be wider than ours."""
        ours = [re.sub(r"\[[^]]*\]|\?", "*", pattern) for pattern in self._policy.patterns]
        theirs = root.document.get("available-package-patterns")
        return ours or (theirs if isinstance(theirs, list) else None)

    async def _inline(self, root: Root, mirror_url: str, traits: list[str]) -> dict[str, object]:
        """Return the packages that stand in the root itself, as we send them: with uids, for Composer 2 as well."""
        allowed = set(await self._policy.allowed([name.lower() for name in root.inline]))
        packages: dict[str, object] = {}
        for name, versions in root.inline.items():
            if name.lower() not in allowed:
                continue
            packages[name] = _with_uids(versions, name)
            if self._editions.changes(name.lower()):
                rendition = await self._editions.first(PackageName.parse(name.lower()), mirror_url=mirror_url)
                traits.append(rendition.fingerprint)
                document = read_package((await self._renditions.rendered(rendition)).body)
                packages[name] = _with_uids(document["packages"][name.lower()], name)
        return packages

    async def _all(self, root: Root, mirror_url: str) -> Rendition | None:
        """
        Return the file of all packages for Composer 1; None where they are not known, or too many.

        One that was put together is good for a while: that looks at every package.
        """
        digest = (await self._originals.root_document()).entry.sha256
        about, now = f"{digest} {self._policy.revision} {mirror_url}", self._now()
        known = self._wholes.get(about)
        if known is not None and now - known[0] < min(WHOLE_FOR, self._rules.fresh_for):
            return known[1]
        whole = await self._whole(root, mirror_url)
        self._wholes[about] = (now, whole)
        if len(self._wholes) > MAX_WHOLES:
            self._wholes.popitem(last=False)
        return whole

    async def _whole(self, root: Root, mirror_url: str) -> Rendition | None:
        """
        Put the file of all packages together.

        It is made of the policy's list where there is one (strict mirrors, allow-lists), else of upstream's own files
        of packages.
        """
        names = await self._policy.names()
        if names is None:
            if not root.is_old or root.has_listing or not (root.inline or root.includes()):
                return None
            names = await self._announced(root, await self._originals.root_document())
        if names is None or len(names) > self._rules.max_names:
            return None
        parts: list[tuple[str, Rendition]] = []
        for name in names:
            try:
                parts.append((name, await self._editions.first(PackageName.parse(name), mirror_url=mirror_url)))
            except PacketonError as error:
                log.info("{name} is left out of the file of all packages: {why}", name=name, why=str(error))
        told = sha256("\n".join(part.fingerprint for _, part in parts).encode()).hexdigest()

        async def read() -> list[bytes]:
            return [orjson.dumps(name) + b":" + await self._piece(name, part) for name, part in parts]

        def render(pieces: Sequence[bytes]) -> bytes:
            return b'{"packages":{' + b",".join(pieces) + b"}}"

        document = await self._originals.root_document()
        return await self._rendition(ALL, document, told, mirror_url, read, render)

    async def _piece(self, name: str, part: Rendition) -> bytes:
        body = (await self._renditions.rendered(part)).body
        return orjson.dumps(_with_uids(read_package(body)["packages"][name], name))

    async def _lists(self) -> list[Included]:
        return (await self._originals.included())[0]

    async def _hashed_lists(self, mirror_url: str, traits: list[str]) -> dict[str, str]:
        """Return `provider-includes`: our lists, with the hashes of what they are now."""
        lists = {}
        for included in await self._lists():
            rendition = await self._list(included, mirror_url)
            traits.append(rendition.fingerprint)
            lists[f"{_our_path(included)}$%hash%.json"] = await self._renditions.digest(rendition, "sha256")
        return lists

    async def _list(self, included: Included, mirror_url: str) -> Rendition:
        """Return one list of names with the hashes of our documents: a name that is not allowed, or whose hash is not
        known yet, is not in it, and has its document without a hash."""
        document = await self._originals.file(included)
        listed = await self._originals.listed_in(document)
        allowed = set(await self._policy.allowed([name for name, _ in listed]))
        ours: list[tuple[str, str]] = []
        originals: list[tuple[str, str]] = []
        left = HASHED_AT_ONCE
        for name, theirs in listed:
            if name not in allowed:
                continue
            digest = await self._editions.listed(name, theirs, mirror_url)
            if digest is None and left:
                left -= 1
                digest = await self._hash(name, theirs, mirror_url)
            if digest is not None:
                ours.append((name, digest))
                originals.append((name, f"{theirs} {self._policy.revision_of(name)}"))
        untouched = ours == listed

        async def read() -> list[bytes]:
            return [await self._originals.content(document)] if untouched else []

        def render(contents: Sequence[bytes]) -> bytes:
            return contents[0] if contents else listing_file(ours)

        told = "" if untouched else sha256(f"{self._rules.edits} {originals}".encode()).hexdigest()
        return await self._rendition(f"{_our_path(included)}.json", document, told, mirror_url, read, render)

    async def _hash(self, name: str, theirs: str, mirror_url: str) -> str | None:
        """Make a document that we hold, for its hash."""
        try:
            rendition = await self._editions.held(name, theirs, mirror_url)
            return None if rendition is None else await self._renditions.digest(rendition, "sha256")
        except PacketonError:
            return None

    async def _rendition(
        self,
        path: str,
        document: Document,
        told: str,
        mirror_url: str,
        read: Read,
        render: Render,
    ) -> Rendition:
        key, source = f"mirror/{self._rules.alias}/{path}", document.entry.sha256
        fingerprint = sha256(f"{source} {self._rules.shape} {told}".encode()).hexdigest()
        upstream = read_date(document.entry.header("last-modified")) or document.entry.stored_at
        return Rendition(
            key=key,
            source=source,
            fingerprint=fingerprint,
            variant=f"{self._rules.shape} {told} {mirror_url}",
            last_modified=await self._publications.last_modified(key, fingerprint, upstream),
            outcome=document.outcome,
            read=read,
            render=render,
        )


def _our_path(included: Included) -> str:
    """Return the path of one of upstream's lists on us, without hash and ending."""
    return f"p/{included.path.removeprefix('p/')}" if included.path != ALL else "p/all"


def _with_uids(versions: object, name: str) -> object:
    """Return the versions of *name*, each with a uid, as Composer 1 needs."""
    if isinstance(versions, Mapping):
        return {key: _uid(version, name) for key, version in versions.items()}
    return [_uid(version, name) for version in versions] if isinstance(versions, list) else {}


def _uid(version: object, name: str) -> object:
    return with_uid(version, name) if isinstance(version, dict) else version

