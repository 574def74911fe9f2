"""What people decide about a mirror: choices, approvals, packages to keep fresh, patches."""

from collections.abc import AsyncIterator, Iterable, Mapping, Sequence
from typing import Any

from attrs import define, frozen

from packeton.core.caching.decisions import Choices, MirrorCounts, MirrorPackage, MirrorPatch
from packeton.core.composer.names import PackageName
from packeton.core.composer.patches import PatchStrategy, check_patch
from packeton.errors import Invalid, NotFound
from packeton.features.mirroring.policy import Policy
from packeton.interfaces.clocks import Now
from packeton.interfaces.mirrors import IMirrorRecords, Which

__all__ = ["Approvals", "Checked"]

PAGE = 1000


@frozen(kw_only=True)
class Checked:
    """What an approval of some names would do, or did."""

    fresh: Sequence[str] = ()
    """Not so before."""
    known: Sequence[str] = ()
    """So already."""
    private: Mapping[str, str]
    """Ours, by the rules against mixed up names: name → why. They are left out unless asked for by `even_private`."""


@define
class Approvals:
    """The decisions about one mirror; each is in force here at once, and in other processes within a second."""

    _policy: Policy
    _records: IMirrorRecords
    _now: Now

    @property
    def alias(self) -> str:
        """The mirror."""
        return self._policy.rules.alias

    async def choices(self) -> Choices:
        """Return what is chosen."""
        return await self._records.choices(self.alias)

    async def choose(self, choices: Choices) -> None:
        """Choose."""
        await self._records.choose(self.alias, choices)
        await self._take_effect()

    async def counts(self) -> MirrorCounts:
        """Count packages."""
        return await self._records.counts(self.alias)

    async def packages(self, which: Which) -> AsyncIterator[MirrorPackage]:
        """Yield the packages of a kind, by name."""
        after = ""
        while some := await self._records.packages(self.alias, which, after, PAGE):
            for one in some:
                yield one
            after = some[-1].name

    async def check(self, names: Iterable[str], *, approved: bool) -> Checked:
        """Say what approving (or else enabling) *names* would do. Raises Invalid for what is no name."""
        fresh: list[str] = []
        known: list[str] = []
        private: dict[str, str] = {}
        for name in sorted({_name(one) for one in names}):
            reason = await self._policy.refusal(name)
            if reason is not None:
                private[name] = reason
            found = await self._records.find(self.alias, name)
            at = None if found is None else found.approved_at if approved else found.enabled_at
            (fresh if at is None else known).append(name)
        return Checked(fresh=fresh, known=known, private=private)

    async def approve(self, names: Iterable[str], *, even_private: bool = False) -> Checked:
        """Approve (and enable) *names*. Raises Invalid."""
        checked = await self._usable(names, approved=True, even_private=even_private)
        await self._records.approve(self.alias, checked.fresh, self._now())
        await self._take_effect()
        return checked

    async def enable(self, names: Iterable[str], *, even_private: bool = False) -> Checked:
        """Keep *names* fresh, as if clients used them. Raises Invalid."""
        checked = await self._usable(names, approved=False, even_private=even_private)
        await self._records.enable(self.alias, checked.fresh, self._now())
        return checked

    async def disapprove(self, names: Iterable[str]) -> int:
        """Take approvals back; return how many there were."""
        count = await self._records.disapprove(self.alias, [_name(one) for one in names])
        await self._take_effect()
        return count

    async def remove(self, names: Iterable[str]) -> int:
        """Forget *names*: neither enabled nor approved nor waiting; return how many there were."""
        count = await self._records.remove(self.alias, [_name(one) for one in names])
        await self._take_effect()
        return count

    async def patches(self) -> Sequence[MirrorPatch]:
        """Return all patches."""
        return await self._records.patches(self.alias)

    async def patch(
        self,
        name: str,
        version: str,
        strategy: PatchStrategy,
        patch: Mapping[str, Any],
        upstream: Sequence[Mapping[str, Any]],
    ) -> bool:
        """
        Put *patch* over upstream's metadata of a version from now on; an empty one removes what there was.

        Args:
            version: As upstream writes it, or normalised.
            upstream: The versions of the package, in full and unpatched.

        Returns:
            True when there is a patch now.

        Raises:
            NotFound: there is no such version.
            Invalid: the patched version would be none that Composer takes.
        """
        found = next((one for one in upstream if version in {_normalized(one), one.get("version")}), None)
        normal = version if found is None else _normalized(found)
        if not patch:
            await self._records.unpatch(self.alias, _name(name), normal)
        elif found is None:
            raise NotFound(f"{name} has no version {version}")
        else:
            check_patch(found, strategy, dict(patch))
            kept = MirrorPatch(
                name=_name(name), version=normal, strategy=strategy.value, patch=patch, changed_at=self._now()
            )
            await self._records.patch(self.alias, kept)
        await self._take_effect()
        return bool(patch)

    async def unpatch(self, name: str, version: str | None = None) -> int:
        """Remove a patch, or all of a package; return how many there were."""
        count = await self._records.unpatch(self.alias, _name(name), version)
        await self._take_effect()
        return count

    async def _usable(self, names: Iterable[str], *, approved: bool, even_private: bool) -> Checked:
        checked = await self.check(names, approved=approved)
        if even_private:
            return checked
        fresh = [name for name in checked.fresh if name not in checked.private]
        return Checked(fresh=fresh, known=checked.known, private=checked.private)

    async def _take_effect(self) -> None:
        self._policy.forget_used()
        await self._policy.notice((await self._records.revisions()).get(self.alias, 0))


def _normalized(version: Mapping[str, Any]) -> str:
    return str(version.get("version_normalized") or version.get("version"))


def _name(text: str) -> str:
    try:
        name = str(PackageName.parse(text.lower()))
    except NotFound as error:
        raise Invalid(f"{text[:200]!r} is no package name") from error
    return name
