"""The one function that says which packages a mirror lets be seen: metadata, v1 documents and dists alike ask it."""

from collections.abc import Awaitable, Callable, Sequence

from attrs import define, field, frozen

from packeton.core.caching.modes import AllowList, ReservedVendors
from packeton.core.composer.metadata import JsonObject
from packeton.errors import NotFound

__all__ = ["Policy", "PolicyRules"]


@frozen(kw_only=True)
class PolicyRules:
    """What the configuration says."""

    allowed: AllowList = field(factory=AllowList)
    reserved: ReservedVendors = field(factory=ReservedVendors)


async def _none_is_private(_name: str) -> bool:
    return False


@define
class Policy:
    """
    What one mirror lets be seen. By default: everything, as it is.

    Whoever serves something of a package calls `admit` first, before it looks at the store, at upstream or at a
    condition of the client; and `note_served` once it has something to serve.
    """

    _rules: PolicyRules = field(factory=PolicyRules)
    _is_private: Callable[[str], Awaitable[bool]] = _none_is_private

    async def admit(self, name: str, *, read_only: bool = False) -> None:  # noqa: ARG002  # the records will ask
        """
        Return if *name* (lower-case `vendor/name`) may be served from this mirror.

        Args:
            read_only: The caller may only have what others use already (a token without `mirror:all`).

        Raises:
            NotFound: it may not; the text says why, for the client to read.
        """
        if self._rules.reserved.cover(name):
            vendor = name.partition("/")[0]
            raise NotFound(f"{name}: the vendor {vendor} is reserved for packages that do not come from a mirror")
        if await self._is_private(name):
            raise NotFound(f"{name} is a package of our own and does not come from a mirror")
        if not self._rules.allowed.admits(name):
            raise NotFound(f"{name} is not on this mirror's list of available packages")

    async def allowed(self, names: Sequence[str]) -> Sequence[str]:
        """Return those of *names* that `admit` lets pass; notes nothing, for lists and roots."""
        passed = []
        for name in names:
            try:
                await self.admit(name)
            except NotFound:
                continue
            passed.append(name)
        return passed

    async def names(self) -> Sequence[str] | None:
        """Return the only names that are available, sorted, for `available-packages`; None without such a list."""
        names = self._rules.allowed.names
        return sorted(names) if names else None

    @property
    def patterns(self) -> Sequence[str]:
        """The globs of names that are available besides `names`, for `available-package-patterns`."""
        return self._rules.allowed.patterns

    @property
    def disable_v2(self) -> bool:
        """True: the root offers no metadata-url."""
        return False

    @property
    def frozen(self) -> bool:
        """True: what is stored is served as it is, and not refreshed."""
        return False

    @property
    def revision(self) -> str:
        """A text that changes whenever `names`, `patterns` or `disable_v2` do; for the fingerprint of a root."""
        return "0"

    def revision_of(self, name: str) -> str:  # noqa: ARG002
        """Return a text that changes whenever `patched` gives something else for *name*; for its fingerprints."""
        return ""

    def patched(self, name: str, versions: Sequence[JsonObject]) -> Sequence[JsonObject]:  # noqa: ARG002
        """Return the versions of *name*, in full (not minified), with what was decided here put over upstream's."""
        return versions

    def note_served(self, name: str) -> None:
        """Note that clients use *name*, so that it is kept fresh; cheap, call it each time."""
