"""Groups and sub-repositories: made and changed, with what a form or a command line may get wrong."""

import re
from collections.abc import Awaitable, Callable, Collection, Iterable
from typing import Final

from attrs import evolve, frozen

from packeton.core.access.accounts import AclLine, Group, Subrepo
from packeton.core.access.patterns import checked_line, checked_stability, is_pattern
from packeton.core.access.repositories import RESERVED_SLUGS, SLUG
from packeton.errors import Conflict, Invalid, InvalidFields, NotFound
from packeton.interfaces.accounts import IGroupRecords, ISubrepoRecords

__all__ = ["Groups", "IsPackage", "Subrepositories"]

IsPackage = Callable[[str], Awaitable[bool]]
"""Says if there is a package of ours of this name."""

ATTEMPTS: Final = 5
MAX_NAME: Final = 64
MAX_LINES: Final = 20_000
HOST: Final = re.compile(r"[a-z0-9](?:[a-z0-9.-]{0,189}[a-z0-9])?")


@frozen
class Groups:
    """Makes and changes groups."""

    _groups: IGroupRecords
    _is_package: IsPackage
    _mirrors: Collection[str]
    """The aliases that there are."""

    async def create(self, group: Group, *, force: bool = False) -> Group:
        """
        Make a group; its id does not count.

        Args:
            force: Take names of packages that are not there (yet).

        Raises:
            InvalidFields: what cannot be used. Conflict: the name is taken.
        """
        made: Group = await self._groups.create(await self._checked(group, (), force=force))
        return made

    async def change(self, group_id: int, change: Callable[[Group], Group], *, force: bool = False) -> Group:
        """
        Put what *change* makes of a group in its place; called again when somebody else was quicker.

        Lines that the group had are not asked about. Raises as `create`; NotFound.
        """
        for _ in range(ATTEMPTS):
            before: Group | None = await self._groups.get(group_id)
            if before is None:
                raise NotFound("no such group")
            known = {line.package for line in before.lines}
            checked = await self._checked(change(before), known, force=force)
            if await self._groups.replace(before, checked):
                return checked
        raise Conflict("others are changing this group")

    async def remove(self, group_id: int) -> None:
        """Delete a group. Raises NotFound."""
        if not await self._groups.remove(group_id):
            raise NotFound("no such group")

    async def named(self, name: str) -> Group:
        """Return a group by its name. Raises NotFound, which says which name."""
        group: Group | None = await self._groups.find(name)
        if group is None:
            raise NotFound(f"there is no group {name[:MAX_NAME]}")
        return group

    async def _checked(self, group: Group, known: Collection[str], *, force: bool) -> Group:
        wrong: dict[str, str] = {}
        name = group.name.strip()
        if not name or len(name) > MAX_NAME or not name.isprintable():
            wrong["name"] = f"a group needs a name of 1 to {MAX_NAME} characters"
        unknown = [alias for alias in group.mirrors if alias not in self._mirrors]
        if unknown:
            wrong["proxies"] = f"there is no mirror {unknown[0][:64]}"
        lines: tuple[AclLine, ...] = ()
        stability = None
        try:
            stability = checked_stability(group.min_stability)
        except Invalid as error:
            wrong["minStability"] = str(error)
        try:
            lines = await self._lines(group.lines, known, force=force)
        except Invalid as error:
            wrong["aclPermissions"] = str(error)
        if wrong:
            raise InvalidFields(wrong)
        return evolve(group, name=name, lines=lines, min_stability=stability)

    async def _lines(self, lines: Iterable[AclLine], known: Collection[str], *, force: bool) -> tuple[AclLine, ...]:
        checked = tuple(dict.fromkeys(checked_line(one.package, one.constraint, one.min_stability) for one in lines))
        if len(checked) > MAX_LINES:
            raise Invalid(f"a group has at most {MAX_LINES} lines")
        for line in checked:
            package = line.package
            if not (force or is_pattern(package) or package in known or await self._is_package(package)):
                raise Invalid(f"there is no package {package}")
        return checked


@frozen
class Subrepositories:
    """Makes and changes sub-repositories."""

    _subrepos: ISubrepoRecords
    _is_package: IsPackage

    async def create(self, subrepo: Subrepo, *, force: bool = False) -> Subrepo:
        """Make one; its id does not count. Raises InvalidFields, Conflict: slug or host are taken."""
        made: Subrepo = await self._subrepos.create(await self._checked(subrepo, frozenset(), force=force))
        return made

    async def change(
        self, subrepo_id: int, change: Callable[[Subrepo], Subrepo], *, force: bool = False
    ) -> Subrepo:
        """
        Put what *change* makes of one in its place; called again when somebody else was quicker.

        Packages that it held are not asked about. Raises as `create`; NotFound.
        """
        for _ in range(ATTEMPTS):
            before: Subrepo | None = await self._subrepos.get(subrepo_id)
            if before is None:
                raise NotFound("no such sub-repository")
            checked = await self._checked(change(before), before.packages, force=force)
            if await self._subrepos.replace(before, checked):
                return checked
        raise Conflict("others are changing this sub-repository")

    async def remove(self, subrepo_id: int) -> None:
        """Delete one. Raises NotFound."""
        if not await self._subrepos.remove(subrepo_id):
            raise NotFound("no such sub-repository")

    async def named(self, slug: str) -> Subrepo:
        """Return one by its slug. Raises NotFound, which says which slug."""
        subrepo: Subrepo | None = await self._subrepos.find(slug)
        if subrepo is None:
            raise NotFound(f"there is no sub-repository {slug[:64]}")
        return subrepo

    async def _checked(self, subrepo: Subrepo, known: Collection[str], *, force: bool) -> Subrepo:
        wrong: dict[str, str] = {}
        if SLUG.fullmatch(subrepo.slug) is None:
            wrong["slug"] = "letters, digits, and hyphens or underscores between them; at most 64"
        elif subrepo.slug.lower() in RESERVED_SLUGS:
            wrong["slug"] = f"{subrepo.slug} is a path of our own"
        hosts = tuple(dict.fromkeys(host.strip().lower() for host in subrepo.hosts))
        odd = [host for host in hosts if HOST.fullmatch(host) is None]
        if odd:
            wrong["hosts"] = f"{odd[0][:80]!r} is no host name (without scheme and port)"
        name = subrepo.name.strip()
        if not name or len(name) > 191 or not name.isprintable():
            wrong["name"] = "a sub-repository needs a name of 1 to 191 characters"
        packages: list[str] = []
        try:
            packages = [checked_line(package).package for package in sorted(subrepo.packages)]
            for package in packages:
                if not (force or is_pattern(package) or package in known or await self._is_package(package)):
                    raise Invalid(f"there is no package {package}")
        except Invalid as error:
            wrong["packages"] = str(error)
        if wrong:
            raise InvalidFields(wrong)
        return evolve(subrepo, name=name, hosts=hosts, packages=frozenset(packages))
