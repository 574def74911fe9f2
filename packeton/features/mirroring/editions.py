"""The metadata of one package as we send it, to either generation of Composer."""

from collections.abc import Callable, Sequence
from hashlib import sha256

import orjson
from attrs import define

from packeton.core.composer.editions import Edits, edited, first_generation, second_generation
from packeton.core.composer.metadata import JsonObject, read_package, versions_of
from packeton.core.composer.names import PackageName
from packeton.errors import NotFound, StorageFailed
from packeton.features.mirroring.originals import Original, Originals
from packeton.features.mirroring.policy import Policy
from packeton.features.mirroring.publications import Publications
from packeton.features.mirroring.renditions import Rendition, Renditions
from packeton.features.mirroring.rules import MirrorRules
from packeton.interfaces.caching import IDistRecords
from packeton.interfaces.clocks import InThread

__all__ = ["Editions"]

Render = Callable[[Sequence[bytes]], bytes]


@define
class Editions:
    """Makes what clients read out of what upstream has. Nothing here asks the policy for leave: the mirror does."""

    _rules: MirrorRules
    _originals: Originals
    _publications: Publications
    _renditions: Renditions
    _policy: Policy
    _records: IDistRecords
    _in_thread: InThread

    async def second(self, name: PackageName, *, dev: bool, mirror_url: str) -> Rendition:
        """
        Return the document for Composer 2: the stable versions, or with *dev* the branches.

        Upstream's own bytes, where nothing is to be changed and upstream has such a document.

        Raises:
            NotFound: upstream has no such package.
            UpstreamFailed (and kinds): upstream gave nothing usable, and there is no copy.
        """
        originals = await self._originals.package(name, dev=dev)
        edits, told = await self._edits(str(name), mirror_url)
        path = f"p2/{name}{'~dev' if dev else ''}.json"
        if originals[0].generation == 1:

            def render(contents: Sequence[bytes]) -> bytes:
                documents = [read_package(content) for content in contents]
                return orjson.dumps(second_generation(documents, str(name), edits, dev=dev))

            return await self._rendition(path, originals, told, edits, render)
        return await self._rendition(path, originals, told, edits, _editor(edits))

    async def first(self, name: PackageName, *, mirror_url: str, digest: str | None = None) -> Rendition:
        """
        Return the one document for Composer 1.

        Args:
            digest: The SHA-256 of upstream's own document to make it of, where upstream lists hashes.

        Raises:
            NotFound: upstream has no such package.
            UpstreamFailed (and kinds): upstream gave nothing usable, and there is no copy.
        """
        if digest is None:
            originals = await self._originals.package(name)
        else:
            originals = [await self._originals.hashed(name, digest)]
        edits, told = await self._edits(str(name), mirror_url)
        whole = len(originals) == 1 and originals[0].generation == 1

        def render(contents: Sequence[bytes]) -> bytes:
            documents = [read_package(content) for content in contents]
            return orjson.dumps(first_generation(documents, str(name), edits))

        return await self._rendition(f"pkg/{name}.json", originals, told, edits, _editor(edits) if whole else render)

    async def listed(self, name: str, digest: str, mirror_url: str) -> str | None:
        """
        Return the SHA-256 of what `first` gives of upstream's document *digest*, where that is known without asking
        upstream and without making it anew; None where it is not.
        """
        if not self.changes(name):
            return digest
        rendition = await self.held(name, digest, mirror_url)
        return None if rendition is None else self._renditions.known_digest(rendition, "sha256")

    async def held(self, name: str, digest: str, mirror_url: str) -> Rendition | None:
        """Return what `first` gives of upstream's document *digest* if we hold that document."""
        try:
            package = PackageName.parse(name)
        except NotFound:
            return None
        if await self._originals.held(package) != digest:
            return None
        return await self.first(package, mirror_url=mirror_url, digest=digest)

    async def digest(self, rendition: Rendition) -> str:
        """Return the SHA-256 of the output, in hex."""
        return await self._renditions.digest(rendition, "sha256")

    def changes(self, name: str) -> bool:
        """Say if anything is changed in the documents of *name*."""
        return self._rules.dists == "rewrite" or self._rules.hide_source or bool(self._policy.revision_of(name))

    async def versions(self, name: PackageName, *, dev: bool) -> list[JsonObject]:
        """Return all versions of a package in full, as the clients see them but with upstream's dists. Raises as
        `second`; where upstream keeps branches apart, only these or only the others."""
        originals = await self._originals.package(name, dev=dev)
        contents = [await original.read() for original in originals]
        patched = Edits(patched=self._policy.patched)

        def work() -> list[JsonObject]:
            documents = [read_package(content) for content in contents]
            full = [version for document in documents for version in versions_of(document, str(name))]
            return patched.apply(str(name), full)

        return await self._in_thread(work)

    async def _edits(self, name: str, mirror_url: str) -> tuple[Edits, str]:
        """Return what is changed in *name*, and a text that changes with it, whatever address the client uses."""
        revision, shasums = self._policy.revision_of(name), {}
        rewrites = self._rules.dists == "rewrite"
        if rewrites and self._rules.dist_shasum:
            shasums = await self._shasums(name)
        edits = Edits(
            mirror_url=mirror_url if rewrites else None,
            hide_source=self._rules.hide_source,
            shasums=shasums,
            patched=self._policy.patched if revision else None,
        )
        known = sha256(repr(sorted(shasums.items())).encode()).hexdigest() if shasums else ""
        return edits, f"{self._rules.edits} {revision} {known}"

    async def _shasums(self, name: str) -> dict[tuple[str, str], str]:
        try:
            digests = await self._records.of_package(self._rules.alias, name)
        except StorageFailed:
            return {}
        return {(digest.version, digest.reference): digest.sha1 for digest in digests if digest.sha1}

    async def _rendition(
        self,
        path: str,
        originals: Sequence[Original],
        told: str,
        edits: Edits,
        render: Render | None,
    ) -> Rendition:
        source = originals[0].digest if len(originals) == 1 else _joined(originals)
        key = f"mirror/{self._rules.alias}/{path}"
        fingerprint = sha256(f"{source} {told}".encode()).hexdigest()
        modified = max(original.modified for original in originals)

        async def read() -> list[bytes]:
            return [await original.read() for original in originals]

        return Rendition(
            key=key,
            source=source,
            fingerprint=fingerprint,
            variant=f"{told} {edits.mirror_url or ''}",
            last_modified=await self._publications.last_modified(key, fingerprint, modified),
            outcome=originals[0].outcome,
            read=read,
            render=render,
        )


def _editor(edits: Edits) -> Render | None:
    """Return what makes *edits* in a document that is of the right kind already; None where there are none."""
    if not edits:
        return None

    def render(contents: Sequence[bytes]) -> bytes:
        return orjson.dumps(edited(read_package(contents[0]), edits))

    return render


def _joined(originals: Sequence[Original]) -> str:
    return sha256(" ".join(original.digest for original in originals).encode()).hexdigest()
