"""For whom something is published: a caller, looking at the root or at a sub-repository."""

from collections.abc import Sequence
from functools import lru_cache
from hashlib import sha256

from attrs import evolve, field, frozen

from packeton.core.access.identities import Identity
from packeton.core.access.repositories import Repository
from packeton.core.access.rules import (
    PackageFacts,
    VersionFacts,
    sees_every_version,
    sees_package,
    visible_versions,
)
from packeton.core.composer.versions import stability_of
from packeton.interfaces.packages import KnownReference, Package, PackageSummary, VersionIndex

__all__ = ["ALL", "Audience", "facts_of", "version_facts"]

ALL = b"all"
"""The mask that hides nothing."""
SHORT = 64
"""Up to so many versions it is told one by one which are seen."""


@frozen(kw_only=True)
class Audience:
    """
    Who looks, and at what. All questions of who sees what go from here to `core/access/rules`.

    Two audiences with the same `key` see the same.
    """

    identity: Identity
    repository: Repository | None = None
    """None: the root."""
    key: str = field(init=False)
    slug: str = field(init=False)
    """What our paths begin with: `/slug`, or nothing."""

    def __attrs_post_init__(self) -> None:
        repository = self.repository
        seen = "public" if repository is not None and repository.public else self.identity.acl_class
        where = "" if repository is None else f"{repository.id}:{_subset(repository.packages)}"
        slug = f"/{repository.slug}" if repository is not None and repository.by_path else ""
        object.__setattr__(self, "slug", slug)
        object.__setattr__(self, "key", f"{seen}@{where}{slug}")

    def holds(self, name: str) -> bool:
        """Say if the package is in the sub-repository."""
        return self.repository is None or self.repository.holds(name)

    def facts(self, package: PackageSummary) -> PackageFacts:
        """Return what the rules want to know."""
        public = self.repository is not None and self.repository.public
        return evolve(package.facts, public=True) if public else package.facts

    def sees(self, package: PackageSummary, *, archived: bool = False) -> bool:
        """Say if the package exists for this audience; an archived one only where *archived* ones are asked for."""
        return self.holds(package.name) and sees_package(self.identity, self.facts(package), archived=archived)

    def sees_everything_of(self, package: PackageSummary) -> bool:
        """Say if no version of the package is, or will be, hidden; archived ones count as seen."""
        return self.holds(package.name) and sees_every_version(self.identity, self.facts(package))

    def mask(self, package: PackageSummary, versions: Sequence[VersionFacts]) -> tuple[bytes, bytes]:
        """Return what stands for the versions that are seen, in few bytes; and which they are, a byte each, 1 or 0."""
        seen = bytes(visible_versions(self.identity, self.facts(package), versions))
        return (ALL if 0 not in seen else seen if len(seen) <= SHORT else sha256(seen).digest(), seen)

    def sees_one_of(self, package: PackageSummary, references: Sequence[KnownReference]) -> bool:
        """Say if one of these versions is seen; that the package is archived hides it from no lock."""
        facts = [VersionFacts(known.normalized, known.released_at, stability_of(known.version)) for known in references]
        if not self.holds(package.name):
            return False
        return any(visible_versions(self.identity, self.facts(package), facts, archived=True))


def facts_of(package: Package) -> PackageFacts:
    """Return what the rules want to know of a package."""
    return PackageFacts(
        name=package.name,
        visible_for_all=package.visible_for_all,
        archived=package.archived,
        maintainers=package.maintainers,
    )


def version_facts(version: VersionIndex) -> VersionFacts:
    """Return what the rules want to know of a version."""
    return VersionFacts(version.normalized, version.released_at, stability_of(version.version))


@lru_cache(maxsize=256)
def _subset(packages: frozenset[str]) -> str:
    return _digest(repr(sorted(packages)).encode())


def _digest(content: bytes) -> str:
    return sha256(content).hexdigest()[:24]
