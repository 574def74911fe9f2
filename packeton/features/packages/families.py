"""Which package a version belongs to: the one that is read, or one of those found in a mono-repo."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

import orjson
from attrs import define, field

from packeton.core.composer.packages import apply_require_patch
from packeton.core.composer.versions import is_dev
from packeton.errors import Invalid
from packeton.interfaces.packages import Package, RepoType, VersionDraft
from packeton.interfaces.sources import Finding, FoundVersion

__all__ = ["Family", "Names"]


class Family:
    """A package that is read, and those that are found in it, by name."""

    def __init__(self, package: Package, children: Iterable[Package]) -> None:
        self._package = package
        self._children = {child.name: child for child in children}
        self._names = {member.id: member.name for member in self.members()}
        self._refused: dict[str, str] = {}

    def members(self) -> Sequence[Package]:
        """Return all of them, the one that is read first."""
        return [self._package, *self.children()]

    def children(self) -> Sequence[Package]:
        """Return those that were found in it."""
        return [child for _, child in sorted(self._children.items())]

    def find(self, name: str) -> Package | None:
        """Return the member of this name."""
        return self._package if name == self._package.name else self._children.get(name)

    def name_of(self, package_id: int) -> str:
        """Return the name of a member."""
        return self._names.get(package_id, "?")

    def add(self, child: Package) -> None:
        """Add a new child."""
        self._children[child.name] = child
        self._names[child.id] = child.name

    def refuse(self, name: str, why: str) -> None:
        """Note that there can be no child of this name."""
        self._refused[name] = why

    def refusal(self, name: str) -> str | None:
        """Return why there can be no child of this name."""
        return self._refused.get(name)


@define
class Names:
    """The versions of one ref, each with the package that it belongs to."""

    _family: Family
    _package: Package
    _finding: Finding
    _owners: dict[str, str] = field(factory=dict, init=False)

    def missing(self) -> Sequence[Package]:
        """Return the packages that must be made first."""
        if self._package.repo_type is not RepoType.MONO_REPO:
            return ()
        new: dict[str, Package] = {}
        for found in self._finding.versions:
            name = _name(found)
            if found.directory and name and self._family.find(name) is None and not self._family.refusal(name):
                new.setdefault(name, _child(self._package, name, found.directory))
        return list(new.values())

    def drafts(self) -> tuple[list[VersionDraft], list[str]]:
        """Return the versions to store, and what is wrong with the others."""
        drafts: list[VersionDraft] = []
        problems: list[str] = []
        taken: dict[tuple[str, str], str] = {}
        for found in self._finding.versions:
            try:
                owner = self._owner(found)
                draft = _draft(owner, found)
            except Invalid as error:
                problems.append(str(error))
                continue
            key = (owner.name, draft.normalized)
            if key in taken:
                first = taken[key] or "the root"
                problems.append(f"{found.directory}: {owner.name} is also in {first}; that one counts")
                continue
            taken[key] = found.directory
            drafts.append(draft)
        return drafts, problems

    def _owner(self, found: FoundVersion) -> Package:
        name = _name(found)
        if self._package.repo_type is not RepoType.MONO_REPO or not found.directory:
            if name != self._package.name:
                raise Invalid(f"composer.json names {name or 'nothing'}, and this package is {self._package.name}")
            return self._package
        why = self._family.refusal(name)
        owner = self._family.find(name)
        if owner is None or why is not None or owner.id == self._package.id:
            raise Invalid(f"{found.directory}: {why or f'{name} cannot be a package of this mono-repo'}")
        return owner


def _name(found: FoundVersion) -> str:
    name = found.version.get("name")
    return name if isinstance(name, str) else ""


def _child(parent: Package, name: str, directory: str) -> Package:
    """Return a package found in a mono-repo; it has no settings of its own, and its parent's maintainers."""
    return Package(
        name=name,
        repo_type=RepoType.VCS,
        url=parent.url,
        parent_id=parent.id,
        directory=directory,
        visible_for_all=parent.visible_for_all,
        auto_updated=True,
        maintainers=parent.maintainers,
        created_at=parent.created_at,
        stable_modified_at=parent.created_at,
        dev_modified_at=parent.created_at,
    )


def _draft(owner: Package, found: FoundVersion) -> VersionDraft:
    """Render a version, patched as the package's settings say. Raises Invalid."""
    version = _patched(found.version, owner)
    normalized, pretty = str(version["version_normalized"]), str(version["version"])
    if max(len(normalized), len(pretty)) > 191:
        raise Invalid(f"the version {pretty[:60]}… is too long")
    return VersionDraft(
        package_id=owner.id,
        version=pretty,
        normalized=normalized,
        is_dev=is_dev(normalized),
        reference=found.source_reference,
        dist_reference=found.dist_reference,
        directory=found.directory,
        tree=found.tree,
        is_default=bool(version.get("default-branch")),
        released_at=_released(version.get("time")),
        document=orjson.dumps(version),
    )


def _patched(version: Mapping[str, Any], owner: Package) -> Mapping[str, Any]:
    patches = owner.settings.get("requirePatches")
    if not isinstance(patches, Mapping) or not patches:
        return version
    try:
        return apply_require_patch(version, patches)
    except Invalid as error:
        raise Invalid(f"a patch of the requirements cannot be applied: {error}") from error


def _released(time: object) -> datetime | None:
    if not isinstance(time, str):
        return None
    try:
        moment = datetime.fromisoformat(time)
    except ValueError:
        return None
    return moment.astimezone(UTC) if moment.tzinfo is not None else moment.replace(tzinfo=UTC)

