"""
Incoming hooks: a forge says that something was pushed, and the packages that it is about are read anew.

Theory of operation: a payload names packages (path, query, `composer.package_name`) or gives addresses of a repository.
Addresses are looked up by host and path in an index; only a pattern of the caller's own (`packeton.regex`) is held
against all stored addresses, in linear time and off the reactor.
Source: contract 02 section 3 of the reference.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from attrs import define, evolve, field, frozen

from packeton.core.access.identities import Identity
from packeton.core.access.repositories import Repository
from packeton.core.access.rules import may_update_package
from packeton.core.composer.metadata import JsonObject
from packeton.core.hooks.payloads import PushEvent, push_event
from packeton.core.hooks.signatures import verified
from packeton.errors import Denied, Invalid, Unauthenticated
from packeton.features.packages.audiences import facts_of
from packeton.features.packages.scheduling import Scheduling
from packeton.interfaces.clocks import InThread
from packeton.interfaces.hooks import IHookSecrets
from packeton.interfaces.packages import IPackageRecords, Package
from packeton.interfaces.queues import Job, Priority

__all__ = ["Hook", "HookRules", "IncomingHooks"]

MISSING = "Missing payload parameter"
USELESS = "Missing or invalid payload"
PAGE = 500
MAX_UPDATED = 500
"""Packages that one hook may have read."""


@frozen(kw_only=True)
class Hook:
    """A hook as it came in."""

    payload: JsonObject | None = field(default=None, repr=False)
    names: tuple[str, ...] = ()
    """Packages that the address or a form names; they go before the payload."""
    body: bytes = field(default=b"", repr=False)
    headers: Mapping[str, str] = field(factory=dict, repr=False)


@frozen(kw_only=True)
class HookRules:
    """See `packeton.hooks`."""

    secret: str | None = field(default=None, repr=False)
    allow_unsigned: bool = False


@define
class IncomingHooks:
    """Takes hooks of forges."""

    _packages: IPackageRecords
    _scheduling: Scheduling
    _in_thread: InThread
    _secrets: IHookSecrets
    _rules: HookRules

    async def receive(self, hook: Hook, identity: Identity, repository: Repository | None) -> Sequence[Job]:
        """
        Have all packages updated that a hook is about; return their jobs.

        Raises:
            Unauthenticated: It is signed with another secret, or not at all where it must be.
            Invalid: It is about nothing that we have.
            Denied: The caller may not update what it is about.
        """
        if not hook.payload and not hook.names:
            raise Invalid(MISSING)
        found = await self._found(hook)
        mine = [package for package in found if repository is None or repository.holds(package.name)]
        mine = await self._signed(hook, mine)
        if not mine:
            raise Invalid(USELESS)
        allowed = [package for package in mine if may_update_package(identity, facts_of(package))]
        if not allowed:
            raise Denied("You may not update the packages that this hook is about.")
        return [await self._update(package) for package in allowed[:MAX_UPDATED]]

    async def _signed(self, hook: Hook, packages: Sequence[Package]) -> list[Package]:
        """
        Return those of the packages for which the signature is good: by their own secret, or else by the common one.

        The token lets the caller in; the signature says that it was the forge that wrote the payload.

        Raises:
            Unauthenticated: It is good for none.
        """
        if hook.payload is None:
            return [*packages]
        if not packages:
            await self._check(hook, self._rules.secret)
        own = await self._secrets.of([package.id for package in packages])
        good: list[Package] = []
        wrong: Unauthenticated | None = None
        for package in packages:
            secret = own.get(package.id)
            try:
                await self._check(hook, self._rules.secret if secret is None else secret.reveal())
            except Unauthenticated as error:
                wrong = error
            else:
                good.append(package)
        if wrong is not None and not good:
            raise wrong
        return good

    async def _check(self, hook: Hook, secret: str | None) -> None:
        if secret is None:
            return
        good = await self._in_thread(verified, hook.headers, hook.body, secret)
        if good is None and not self._rules.allow_unsigned:
            raise Unauthenticated("The hook is not signed: enter our secret at the forge too.")
        if good is False:
            raise Unauthenticated("The signature of the hook is wrong: the forge signs with another secret than ours.")

    async def _found(self, hook: Hook) -> Sequence[Package]:
        if hook.names:
            return await self._named(hook.names)
        event = push_event(hook.payload or {})
        if event.packages:
            return await self._named(event.packages)
        if event.pattern is not None:
            return await self._matching(event)
        return await self._at(event.places)

    async def _named(self, names: Sequence[str]) -> Sequence[Package]:
        found = [await self._packages.find(name) for name in names]
        return [package for package in found if package is not None]

    async def _at(self, places: Sequence[tuple[str, str]]) -> Sequence[Package]:
        """Return what is stored under the first of these places that is known: one repository has many addresses."""
        for host, path in places:
            found = await self._packages.at_address(host, path)
            if found:
                return found
        return ()

    async def _matching(self, event: PushEvent) -> Sequence[Package]:
        """Return the packages whose address gives the same place by the payload's own pattern."""
        found: list[Package] = []
        after = ""
        while page := await self._packages.listed(after=after, limit=PAGE):
            after = page[-1].name
            found += await self._in_thread(_same_place, event, page)
        return found

    async def _update(self, package: Package) -> Job:
        if not package.auto_updated:
            package = await self._packages.change(package.id, lambda held: evolve(held, auto_updated=True))
        return await self._scheduling.update(package, priority=Priority.HOOK)


def _same_place(event: PushEvent, packages: Sequence[Package]) -> Sequence[Package]:
    pattern: Any = event.pattern
    wanted = pattern.place(event.url) if event.url else None
    if wanted is None:
        return []
    parents = [package for package in packages if package.parent_id is None and package.url]
    return [package for package in parents if pattern.place(package.url) == wanted]
