"""
Reading somebody else's Composer repository, of any generation: which packages it lists, and the versions of one.

Composer's own order: documents by `metadata-url`; else what stands in the root and its includes, documents that are
listed by their hash, documents by `providers-lazy-url`. Source: Composer's ComposerRepository::whatProvides.
"""

import hashlib
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any, Final

from attrs import define

from packeton.core.composer.editions import Edits, second_generation
from packeton.core.composer.metadata import JsonObject, read_object, read_package, versions_of
from packeton.core.composer.roots import Included, Resource, Root, listed_in
from packeton.errors import BadContent, NotFound, UpstreamFailed
from packeton.interfaces.clocks import InThread

__all__ = ["ForeignReader"]

MAX_FILES: Final = 200
"""Files with packages, or with names, that one root may lead to."""
Fetch = Callable[[str], Awaitable[bytes | None]]
"""Gets a document by its address; None where there is none. Raises UpstreamFailed."""


@define
class ForeignReader:
    """One repository. What it lists is read when it is needed, and once. Everything may raise UpstreamFailed."""

    root: Root
    _fetch: Fetch
    _in_thread: InThread
    _held: Mapping[str, Any] | None = None
    _hashes: Mapping[str, str] | None = None

    async def names(self) -> Sequence[str] | None:
        """Return the packages that it lists, in lower case; None where it lists none."""
        root = self.root
        if root.available is not None:
            return root.available
        held, hashes = await self._inline(), await self._listing()
        if held or hashes:
            return list(dict.fromkeys([*held, *hashes]))
        if root.template(Resource.LIST) is None:
            return None
        content = await self._fetch(root.address(Resource.LIST))
        listed = {} if content is None else await self._in_thread(read_object, content)
        names = listed.get("packageNames")
        return [name.lower() for name in names if isinstance(name, str)] if isinstance(names, list) else []

    async def versions(self, name: str) -> Sequence[JsonObject]:
        """Return all versions of a package as Composer 2 knows them. Raises NotFound."""
        found: list[JsonObject] = []
        if not self.root.is_old:
            for suffix in ("", "~dev"):
                found += await self._document(self.root.address(Resource.METADATA, package=f"{name}{suffix}"), name)
        held = {} if found else await self._inline()
        if name in held:
            found = await self._in_thread(_modern, {"packages": {name: held[name]}}, name)
        if not found:
            found = await self._of_old(name)
        if not found:
            raise NotFound(f"{self.root.url} has no package {name}")
        return found

    async def _of_old(self, name: str) -> list[JsonObject]:
        """Return versions by the ways that Composer 1 knows."""
        digest = (await self._listing()).get(name)
        if digest is not None:
            address = self.root.address(Resource.PROVIDERS, package=name, hash=digest)
            content = await self._fetch(address)
            if content is None:
                raise UpstreamFailed(f"{address} is listed, and not there")
            return await self._in_thread(_listed_package, content, name, digest, address)
        if self.root.is_old and self.root.template(Resource.LAZY) is not None:
            return await self._document(self.root.address(Resource.LAZY, package=name), name)
        return []

    async def _document(self, address: str, name: str) -> list[JsonObject]:
        content = await self._fetch(address)
        return [] if content is None else await self._in_thread(_package, content, name)

    async def _inline(self) -> Mapping[str, Any]:
        """Return the packages that stand in the root, or in the files that it includes."""
        if self._held is None:
            held = dict(self.root.inline)
            for _, document in await self._all(self.root.includes(), lambda file: file.includes()):
                held.update(document.inline)
            self._held = {str(name).lower(): versions for name, versions in held.items()}
        return self._held

    async def _listing(self) -> Mapping[str, str]:
        """Return, by name, the SHA-256 of the document of each package that is listed with one."""
        if self._hashes is None:
            hashes = dict(listed_in(self.root.document)) if self.root.has_listing else {}
            if self.root.has_listing:
                files = await self._all(self.root.provider_includes(), lambda file: file.provider_includes())
                for _, document in files:
                    hashes.update(listed_in(document.document))
            self._hashes = hashes
        return self._hashes

    async def _all(
        self, first: Sequence[Included], more: Callable[[Root], Sequence[Included]]
    ) -> list[tuple[str, Root]]:
        """Return the files that others tell of, by address; each is read once."""
        waiting, read = list(first), dict[str, Root]()
        while waiting:
            file = waiting.pop(0)
            if file.url in read:
                continue
            if len(read) >= MAX_FILES:
                raise UpstreamFailed(f"{self.root.url} consists of more than {MAX_FILES} files")
            content = await self._fetch(file.url)
            if content is None:
                raise UpstreamFailed(f"{file.url} is listed, and not there")
            document = await self._in_thread(_listed_file, content, file)
            read[file.url] = self.root.within(document)
            waiting += more(read[file.url])
        return list(read.items())


def _package(content: bytes, name: str) -> list[JsonObject]:
    return _modern(read_package(content), name)


def _modern(document: Mapping[str, Any], name: str) -> list[JsonObject]:
    """Return the versions of a document as Composer 2 has them, whichever generation it is for."""
    if "minified" in document:
        return list(versions_of(document, name))
    made = [second_generation([document], name, Edits(), dev=dev) for dev in (False, True)]
    return [version for half in made for version in versions_of(half, name)]


def _listed_package(content: bytes, name: str, digest: str, address: str) -> list[JsonObject]:
    _check(content, f"sha256:{digest}", address)
    return _package(content, name)


def _listed_file(content: bytes, file: Included) -> JsonObject:
    _check(content, file.digest, file.url)
    return read_object(content)


def _check(content: bytes, digest: str | None, address: str) -> None:
    kind, _, wanted = (digest or "").partition(":")
    if kind and hashlib.new(kind, content, usedforsecurity=False).hexdigest() != wanted:
        raise BadContent(f"{address} has another content than the repository says; it may be about to change")
