"""
What upstream has of a package, whatever the kind of upstream.

Theory of operation: a repository tells of its packages in one of five ways. In the order in which we ask: packages in
the root itself win, as they do for Composer; `metadata-url` has two documents a package; a listing, in
`provider-includes` or `providers`, has the hash of one document a package; `providers-lazy-url` has one document
without a hash; `includes` have many packages in one file. Documents that hold many packages are split in memory, so
that whatever is made of one package changes only when that package did.
"""

from collections import OrderedDict
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Mapping
from datetime import datetime, timedelta
from hashlib import sha256
from itertools import islice
from typing import Any

import orjson
from attrs import define, field, frozen
from twisted.logger import Logger

from packeton.core.caching.fields import read_date
from packeton.core.composer.listings import Listing, read_listing
from packeton.core.composer.metadata import check_object, check_package, read_object, read_package
from packeton.core.composer.names import PackageName
from packeton.core.composer.roots import Included, Resource, Root, listed_in, root_url
from packeton.errors import BadContent, NotFound, UpstreamFailed
from packeton.features.mirroring.documents import Document, DocumentRequest, Documents, Outcome, moved_to
from packeton.interfaces.clocks import InThread

__all__ = ["Original", "Originals", "Split"]

log = Logger()

MAX_FILES = 2000
"""Included files of one repository, more of which are refused."""
MAX_SPLIT_BYTES = 64 * 2**20
"""How much of split documents is kept in memory."""
MAX_LISTED = 4_000_000
"""How many names with their hashes are kept in memory, at 40 bytes each."""
NAMES_AT_ONCE = 1000


@frozen(kw_only=True)
class Original:
    """Some bytes of upstream that we make an answer of."""

    key: str
    digest: str
    """SHA-256 of the bytes."""
    modified: datetime
    outcome: Outcome
    read: Callable[[], Awaitable[bytes]]
    """Raises NotFound when the stored body has gone; find it again."""
    generation: int
    """1: a document for Composer 1; 2: one for Composer 2."""


@frozen(kw_only=True)
class Split:
    """One document that holds many packages, taken apart: the JSON of its versions by name (in lower case)."""

    digest: str
    packages: Mapping[str, bytes]

    @classmethod
    def of(cls, digest: str, content: bytes) -> "Split":
        """Take a document apart. Blocking; raises BadContent."""
        packages = read_package(content).get("packages") or {}
        parts = {name.lower(): orjson.dumps(versions) for name, versions in packages.items() if versions}
        return cls(digest=digest, packages=parts)

    @property
    def weight(self) -> int:
        """Bytes of memory, about."""
        return sum(len(versions) + len(name) + 200 for name, versions in self.packages.items())


@define
class Originals:
    """The documents of one upstream."""

    _alias: str
    _url: str
    _documents: Documents
    _in_thread: InThread
    _fresh_for: Callable[[], timedelta]
    _root: tuple[str, Root, frozenset[str]] | None = field(default=None, init=False)
    """The root as it was last read: the digest of its bytes, and the names of the packages in it."""
    _splits: "OrderedDict[str, Split]" = field(factory=OrderedDict, init=False)
    _listings: "OrderedDict[str, Listing]" = field(factory=OrderedDict, init=False)
    _included: dict[str, tuple[list[Included], list[Included]]] = field(factory=dict, init=False)

    @property
    def root_url(self) -> str:
        """The address of upstream's root, without credentials."""
        return root_url(self._url)

    async def root_document(self) -> Document:
        """Return upstream's root. Raises UpstreamFailed and its kinds."""
        try:
            return await self._documents.find(self._root_request())
        except NotFound as error:
            raise UpstreamFailed(f"{self.root_url}: there is no packages.json") from error

    async def refresh_root(self) -> bool:
        """Ask upstream for its root now; return True if it changed. Raises UpstreamFailed and its kinds."""
        request = self._root_request()
        before = await self._documents.held(request.key)
        try:
            document = await self._documents.refresh(request)
        except NotFound as error:
            raise UpstreamFailed(f"{self.root_url}: there is no packages.json") from error
        return before is None or before.sha256 != document.entry.sha256

    async def root(self) -> Root:
        """Return upstream's root, parsed."""
        return await self.parsed(await self.root_document())

    async def parsed(self, document: Document) -> Root:
        """Parse a root document, once for each content."""
        if self._root is None or self._root[0] != document.entry.sha256:
            content = await self._documents.content(document)
            root = await self._in_thread(Root.read, content, self.root_url)
            self._root = (document.entry.sha256, root, frozenset(name.lower() for name in root.inline))
            if (where := moved_to(document)) is not None:
                log.info(
                    "mirror {alias}: {url} leads to {where}; if that stays so, change the setting",
                    alias=self._alias,
                    url=self.root_url,
                    where=where,
                )
        return self._root[1]

    async def package(self, name: PackageName, *, dev: bool | None = None, refresh: bool = False) -> list[Original]:
        """
        Return what upstream has of a package.

        Args:
            dev: Only its branches, or only its other versions, where upstream keeps them apart. None: all.
            refresh: Ask upstream for it now, however fresh it is.

        Raises:
            NotFound: nothing.
            UpstreamFailed (and kinds): upstream gave nothing usable, and there is no copy.
        """
        root = await self._known_root(name)
        if root is not None and self._root is not None and str(name) in self._root[2]:
            return await self._inside(root, str(name))
        old = root is not None and root.is_old
        try:
            if root is not None and old:
                return await self._old(root, name, refresh=refresh)
            return await self._halves(name, dev, refresh=refresh)
        except UpstreamFailed as error:
            held = [] if refresh else await self._from_before(name, dev, old=old)
            if not held:
                raise
            log.warn("Serving {name} as it was before its repository changed: {why}", name=str(name), why=str(error))
            return held

    async def refresh(self, name: PackageName) -> bool:
        """Ask upstream for a package now; return True if what we hold of it changed. Raises as `package`."""
        keys = (self._metadata_key(name, dev=False), self._metadata_key(name, dev=True), self._old_key(name))
        before = [await self._documents.held(key) for key in keys]
        await self.package(name, refresh=True)
        after = [await self._documents.held(key) for key in keys]
        digests = [[None if entry is None else entry.sha256 for entry in held] for held in (before, after)]
        return digests[0] != digests[1]

    async def included(self) -> tuple[list[Included], list[Included]]:
        """
        Return all provider files and all files of packages, those that others of them include as well.

        Raises:
            BadContent: there are more than `MAX_FILES`.
            UpstreamFailed (and kinds): one could not be had.
        """
        document = await self.root_document()
        root, digest = await self.parsed(document), document.entry.sha256
        if digest not in self._included:
            providers = await self._all_of(root.provider_includes(), Root.provider_includes)
            packages = await self._all_of(root.includes(), Root.includes)
            self._included = {digest: (providers, packages)}
        return self._included[digest]

    async def file(self, included: Included, *, exact: bool = False) -> Document:
        """
        Return an included file.

        Args:
            exact: Not the file as it was before, when the one that is named now cannot be had: raise UpstreamFailed.
        """
        document = await self._documents.find(self._file_request(included))
        if exact and document.digest != included.digest:
            raise UpstreamFailed(f"{included.url}: this file is named, and cannot be had")
        return document

    async def content(self, document: Document) -> bytes:
        """Return the bytes of a document. Raises NotFound when they have gone."""
        return await self._documents.content(document)

    async def provided(self, name: str) -> str | None:
        """Return the hash that upstream lists for the document of *name*, in hex; None where it lists none."""
        document = await self.root_document()
        root = await self.parsed(document)
        for included in reversed((await self.included())[0]):
            listing = await self._listing(await self.file(included))
            if (digest := listing.find(name)) is not None:
                return digest
        return (await self._listing(document)).find(name) if root.document.get("providers") else None

    async def splits(self, *, includes: bool = True, exact: bool = False) -> AsyncIterator[tuple[Document, Split]]:
        """Yield the root, if there are packages in it, and the files of packages that it includes, taken apart."""
        document = await self.root_document()
        if (await self.parsed(document)).inline:
            yield document, await self._split(document)
        for included in (await self.included())[1] if includes else ():
            document = await self.file(included, exact=exact)
            yield document, await self._split(document)

    async def names(self) -> AsyncIterator[list[str]]:
        """
        Yield the names of all packages, at most a thousand at once; a name may come twice.

        Raises:
            NotFound: upstream does not tell.
            UpstreamFailed (and kinds): it could not be asked.
        """
        async for some in self.listed_names():
            yield [name for name, _ in some]

    async def listed_names(self, *, refresh: bool = False) -> AsyncIterator[list[tuple[str, str | None]]]:
        """
        Yield names like `names`, each with the SHA-256 of its document where upstream tells it.

        Args:
            refresh: Ask for a list that is no part of the root now, however fresh it is; take no file of the root's as
                it was before.
        """
        told = False
        async for names in self._names(await self.root(), refresh=refresh):
            told = True
            iterator = iter(names)
            while some := list(islice(iterator, NAMES_AT_ONCE)):
                yield some
        if not told:
            raise NotFound("this repository does not tell the names of its packages")

    async def _names(self, root: Root, *, refresh: bool) -> AsyncIterator[Iterable[tuple[str, str | None]]]:
        if root.available is not None:
            yield ((name, None) for name in root.available)
            return
        async for _, split in self.splits(includes=root.is_old, exact=refresh):
            yield ((name, None) for name in split.packages)
        if root.has_listing:
            async for listed in self.listed(exact=refresh):
                yield listed
        elif (template := root.template(Resource.LIST)) is not None:
            yield ((name, None) for name in await self._list(template, refresh=refresh))

    async def listed(self, *, exact: bool = False) -> AsyncIterator[list[tuple[str, str]]]:
        """Yield names with the SHA-256 of their documents, a provider file (see `file`) at once; the root's last."""
        for included in (await self.included())[0]:
            yield await self.listed_in(await self.file(included, exact=exact))
        yield await self.listed_in(await self.root_document())

    async def listed_in(self, document: Document) -> list[tuple[str, str]]:
        """Return names with the SHA-256 of their documents out of one provider file, or the root."""
        content = await self._documents.content(document)
        return await self._in_thread(lambda: list(listed_in(read_listing(content))))

    async def hashed(self, name: PackageName, digest: str) -> Original:
        """Return the document of *name* that has this SHA-256. Raises NotFound."""
        root = await self.root()

        async def locate() -> str:
            return root.address(Resource.PROVIDERS, package=str(name), hash=digest)

        request = self._package_request(self._old_key(name), locate, digest=f"sha256:{digest}")
        return self._original(await self._documents.find(request), 1)

    async def held(self, name: PackageName) -> str | None:
        """Return the SHA-256 of the document for Composer 1 that we hold of *name*, without asking anybody."""
        entry = await self._documents.held(self._old_key(name))
        return None if entry is None else entry.sha256

    async def _halves(self, name: PackageName, dev: bool | None, *, refresh: bool) -> list[Original]:
        """Return the documents for Composer 2, of which a package has one or two."""
        found: list[Original] = []
        missing: NotFound | None = None
        for half in (False, True) if dev is None else (dev,):

            async def locate(half: bool = half) -> str:
                return (await self.root()).address(Resource.METADATA, package=f"{name}~dev" if half else str(name))

            request = self._package_request(self._metadata_key(name, dev=half), locate)
            try:
                document = await (self._documents.refresh(request) if refresh else self._documents.find(request))
            except NotFound as error:
                missing = error
            else:
                found.append(self._original(document, 2))
        if missing is not None and not found:
            raise missing
        return found

    async def _from_before(self, name: PackageName, dev: bool | None, *, old: bool) -> list[Original]:
        """Return what we hold of a package from when its repository was of the other kind than it is now."""
        halves = (False, True) if dev is None else (dev,)
        keys = [self._metadata_key(name, dev=half) for half in halves] if old else [self._old_key(name)]
        entries = [await self._documents.held(key) for key in keys]
        documents = [Document(entry=entry, outcome=Outcome.STALE) for entry in entries if entry is not None]
        return [self._original(document, 2 if old else 1) for document in documents]

    async def _old(self, root: Root, name: PackageName, *, refresh: bool) -> list[Original]:
        """Return the document for Composer 1."""
        digest = await self.provided(str(name)) if root.has_listing else None
        if digest is not None:
            return [await self.hashed(name, digest)]
        if root.template(Resource.LAZY) is None:
            return await self._inside(root, str(name))

        async def locate() -> str:
            return root.address(Resource.LAZY, package=str(name))

        request = self._package_request(self._old_key(name), locate)
        try:
            document = await (self._documents.refresh(request) if refresh else self._documents.find(request))
        except NotFound:
            if not root.includes():
                raise
            return await self._inside(root, str(name))
        return [self._original(document, 1)]

    async def _known_root(self, name: PackageName) -> Root | None:
        """Return the root that we hold, however old; None where it cannot be had and a document of *name* can."""
        held = await self._documents.held(self._root_request().key)
        if self._root is not None and (held is None or held.sha256 == self._root[0]):
            return self._root[1]
        try:
            return await self.root()
        except UpstreamFailed:
            for dev in (False, True):
                if await self._documents.held(self._metadata_key(name, dev=dev)) is not None:
                    return None
            raise

    async def _inside(self, root: Root, name: str) -> list[Original]:
        """Return what the root and, for Composer 1, its includes hold of *name*. Raises NotFound."""
        found = []
        async for document, split in self.splits(includes=root.is_old):
            versions = split.packages.get(name)
            if versions is not None:
                found.append(self._part(document, name, versions))
        if not found:
            raise NotFound("no such package")
        return found

    def _part(self, document: Document, name: str, versions: bytes) -> Original:
        content = b'{"packages":{%s:%s}}' % (orjson.dumps(name), versions)

        async def read() -> bytes:
            return content

        whole = self._original(document, 1)
        digest = sha256(content).hexdigest()
        return Original(
            key=f"mirror/{self._alias}/p/{name}.json",
            digest=digest,
            modified=whole.modified,
            outcome=whole.outcome,
            read=read,
            generation=1,
        )

    def _original(self, document: Document, generation: int) -> Original:
        entry = document.entry
        return Original(
            key=entry.key,
            digest=entry.sha256,
            modified=read_date(entry.header("last-modified")) or entry.stored_at,
            outcome=document.outcome,
            read=lambda: self._documents.content(document),
            generation=generation,
        )

    async def _all_of(self, first: list[Included], inner: Callable[[Root], list[Included]]) -> list[Included]:
        """Return these files, and those that they include, each once."""
        found: dict[str, Included] = {}
        waiting = list(first)
        root = await self.root()
        while waiting:
            included = waiting.pop(0)
            if included.url in found:
                continue
            if len(found) >= MAX_FILES:
                raise BadContent(f"{self.root_url}: more than {MAX_FILES} files are included")
            found[included.url] = included
            content = await self._documents.content(await self.file(included))
            if b"includes" in content:
                document = await self._in_thread(read_object, content)
                waiting += inner(root.within(document))
        return list(found.values())

    async def _listing(self, document: Document) -> Listing:
        """Return what a root or provider file lists, in small."""
        digest = document.entry.sha256
        if digest in self._listings:
            self._listings.move_to_end(digest)
            return self._listings[digest]
        content = await self._documents.content(document)
        listing = await self._in_thread(lambda: Listing.of(listed_in(read_listing(content))))
        self._listings[digest] = listing
        while len(self._listings) > 1 and sum(map(len, self._listings.values())) > MAX_LISTED:
            self._listings.popitem(last=False)
        return listing

    async def _split(self, document: Document) -> Split:
        digest = document.entry.sha256
        if digest in self._splits:
            self._splits.move_to_end(digest)
            return self._splits[digest]
        split = await self._in_thread(Split.of, digest, await self._documents.content(document))
        self._splits[digest] = split
        while len(self._splits) > 1 and sum(one.weight for one in self._splits.values()) > MAX_SPLIT_BYTES:
            self._splits.popitem(last=False)
        return split

    async def _list(self, template: str, *, refresh: bool) -> list[str]:
        async def locate() -> str:
            return template

        key = f"mirror/{self._alias}/list.json"
        request = DocumentRequest(key=key, locate=locate, check=check_object, fresh_for=self._fresh_for())
        found = await (self._documents.refresh(request) if refresh else self._documents.find(request))
        content = await self._documents.content(found)
        document: dict[str, Any] = await self._in_thread(read_object, content)
        names = document.get("packageNames")
        return [name.lower() for name in names if isinstance(name, str)] if isinstance(names, list) else []

    def _root_request(self) -> DocumentRequest:
        async def locate() -> str:
            return self.root_url

        def check(content: bytes) -> object:
            return Root.read(content, self.root_url)

        async def never() -> bool:
            return False  # without it nothing is left; a repository that moved away is served as it was

        key = f"mirror/{self._alias}/packages.json"
        return DocumentRequest(key=key, locate=locate, check=check, fresh_for=self._fresh_for(), may_go=never)

    def _file_request(self, included: Included) -> DocumentRequest:
        async def locate() -> str:
            return included.url

        place = sha256(included.path.encode()).hexdigest()[:32]
        return DocumentRequest(
            key=f"mirror/{self._alias}/included/{place}",
            locate=locate,
            check=check_object,
            fresh_for=self._fresh_for(),
            digest=included.digest,
        )

    def _package_request(
        self, key: str, locate: Callable[[], Awaitable[str]], digest: str | None = None
    ) -> DocumentRequest:
        return DocumentRequest(
            key=key,
            locate=locate,
            check=check_package,
            fresh_for=self._fresh_for(),
            digest=digest,
            may_go=self._is_there,
        )

    async def _is_there(self) -> bool:
        """Say if upstream's root can be had now: where it cannot, nothing follows from a package that is missing."""
        try:
            await self.refresh_root()
        except UpstreamFailed:
            return False
        return True

    def _metadata_key(self, name: PackageName, *, dev: bool) -> str:
        return f"mirror/{self._alias}/p2/{name}{'~dev' if dev else ''}.json"

    def _old_key(self, name: PackageName) -> str:
        return f"mirror/{self._alias}/p/{name}.json"
