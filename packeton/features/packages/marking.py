"""What people say of a package that its source does not: abandoned, archived, for whom, if it is read by itself."""

import re
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any, Final

from attrs import define, evolve, frozen

from packeton.core.access.identities import Identity
from packeton.core.access.repositories import Repository
from packeton.core.access.rules import may_edit_package
from packeton.core.composer.constraints import parse_constraints
from packeton.core.composer.manifest_names import validate_package_name
from packeton.core.composer.packages import UNSET
from packeton.errors import Denied, Invalid, InvalidFields
from packeton.features.packages.audiences import facts_of
from packeton.features.packages.editing import Editing
from packeton.features.packages.scheduling import Scheduling
from packeton.features.packages.updating import UpdateRequest
from packeton.interfaces.clocks import Now
from packeton.interfaces.packages import IPackageRecords, Package
from packeton.interfaces.queues import Priority
from packeton.interfaces.revisions import IRevisions, Subject

__all__ = ["Marking", "Marks"]

PATCHES: Final = "requirePatches"
PACKAGIST: Final = re.compile(r"https?://(?:www\.)?packagist\.org/packages/([^/?#\s]+/[^/?#\s]+)/?")
MAX_REPLACEMENT: Final = 191
MAX_PATCHES: Final = 200


@frozen(kw_only=True)
class Marks:
    """What shall be so; None leaves it as it is."""

    abandoned: bool | None = None
    replacement: str | None = None
    """Of an abandoned package, what to use instead; "" for nothing."""
    archived: bool | None = None
    """Hidden, and abandoned as well."""
    visible_for_all: bool | None = None
    disabled_update: bool | None = None
    """Read when somebody asks for it only."""
    require_patches: Mapping[str, Mapping[str, str]] | None = None
    """Constraint on the version → package → what it requires of it instead, or `unset`."""

    @classmethod
    def read(cls, document: Mapping[str, Any]) -> "Marks":
        """
        Read a JSON object: `archived`, `visibleForAll`, `disabledUpdate`; `abandoned`, which may be the replacement;
        `requirePatches`.

        Raises:
            InvalidFields: By field, what cannot be used.
        """
        wrong = {str(name)[:60]: "there is no such field" for name in document if name not in READERS}
        values: dict[str, Any] = {}
        for name, read in READERS.items():
            if name in document:
                try:
                    values |= read(document[name])
                except Invalid as error:
                    wrong[name] = str(error)
        if wrong:
            raise InvalidFields(wrong)
        return cls(**values)


@define
class Marking:
    """Marks packages, also those that were found in a mono-repo; they are read anew only for other requirements."""

    _packages: IPackageRecords
    _editing: Editing
    _revisions: IRevisions
    _scheduling: Scheduling
    _now: Now

    async def mark(
        self, name: str, marks: Marks, identity: Identity, repository: Repository | None
    ) -> Package:
        """Mark a package; return it as it is now. Raises NotFound, Denied."""
        package = await self._editing.seen(name, identity, repository)
        if not may_edit_package(identity, facts_of(package)):
            raise Denied("You may not edit this package.")
        now = self._now()
        saved = await self._packages.change(package.id, lambda stored: evolve(_marked(stored, marks), updated_at=now))
        await self._revisions.bump(Subject.PACKAGES)
        if marks.require_patches is not None:
            every_version = UpdateRequest(update_equal_refs=saved.parent_id is not None)
            await self._scheduling.update(saved, every_version, priority=Priority.NOW)
        return saved


def _marked(package: Package, marks: Marks) -> Package:
    abandoned = True if marks.archived else marks.abandoned
    changes: dict[str, Any] = {}
    if abandoned is not None:
        changes["abandoned"] = abandoned
    if abandoned is False:
        changes["replacement"] = None
    elif marks.replacement is not None:
        changes["replacement"] = marks.replacement or None
    if marks.archived is not None:
        changes["archived"] = marks.archived
    if marks.visible_for_all is not None:
        changes["visible_for_all"] = marks.visible_for_all
    said = {"disabledUpdate": marks.disabled_update, PATCHES: marks.require_patches}
    settings = {**package.settings, **{name: value for name, value in said.items() if value is not None}}
    return evolve(package, **changes, settings=settings)


def _abandoned(value: Any) -> Mapping[str, Any]:
    if isinstance(value, str):
        return {"abandoned": True, "replacement": _replacement(value)}
    if not isinstance(value, bool):
        raise Invalid("must be true or false, or the name of a package")
    return {"abandoned": value}


def _flag(ours: str, value: Any) -> Mapping[str, Any]:
    if not isinstance(value, bool):
        raise Invalid("must be true or false")
    return {ours: value}


def _patches(value: Any) -> Mapping[str, Mapping[str, str]]:
    """Read patches of requirements; null is none. Raises Invalid."""
    if not isinstance(value, Mapping | None) or len(value or ()) > MAX_PATCHES:
        raise Invalid("must be an object of constraints on the version")
    found: dict[str, Mapping[str, str]] = {}
    for constraint, changed in (value or {}).items():
        parse_constraints(constraint)
        if not isinstance(changed, Mapping) or len(changed) > MAX_PATCHES:
            raise Invalid(f"{constraint[:60]}: must be an object of packages")
        for name, wanted in changed.items():
            if not isinstance(wanted, str):
                raise Invalid(f"{name[:60]}: must be a constraint, or unset")
            if wanted != UNSET:
                parse_constraints(wanted)
        found[constraint] = dict(changed)
    return found


def _replacement(text: str) -> str:
    """Return a replacement: the name of a package, or an address. Source: the reference shortens those of packagist."""
    text = text.strip()
    match = PACKAGIST.fullmatch(text)
    text = text if match is None else match[1]
    if len(text) > MAX_REPLACEMENT or not text.isprintable():
        raise Invalid(f"must be one line of up to {MAX_REPLACEMENT} characters")
    if not text or text.startswith(("http://", "https://")):
        return text
    return validate_package_name(text)


READERS: Final[Mapping[str, Callable[[Any], Mapping[str, Any]]]] = {
    PATCHES: lambda value: {"require_patches": _patches(value)},
    "abandoned": _abandoned,
    "archived": partial(_flag, "archived"),
    "visibleForAll": partial(_flag, "visible_for_all"),
    "disabledUpdate": partial(_flag, "disabled_update"),
}
"""By the name of a field, what it says. They raise Invalid."""
