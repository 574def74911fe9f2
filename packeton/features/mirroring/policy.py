"""
The one function that says which packages a mirror lets be seen: metadata, v1 documents and dists alike ask it.

Theory of operation: what people decided (choices, approvals, patches) is in the records, and of it choices and patches
in memory, of one revision. `Policies.watch` looks every second if a revision moved, in whichever process; then what is
in memory is forgotten. Notes of what was used, and of what was asked for in vain, are gathered and written in one go.
"""

from collections import OrderedDict
from collections.abc import Awaitable, Callable, Mapping, Sequence
from hashlib import sha256

import orjson
from attrs import define, field, frozen
from twisted.logger import Logger

from packeton.core.caching.decisions import Choices, MirrorPackage, MirrorPatch
from packeton.core.caching.modes import AllowList, Mode, ReservedVendors
from packeton.core.composer.metadata import JsonObject
from packeton.core.composer.patches import PatchStrategy, patched
from packeton.errors import NotAdmitted, PacketonError
from packeton.features.caching.flights import Flights
from packeton.interfaces.clocks import Now
from packeton.interfaces.mirrors import IMirrorRecords, Which

__all__ = ["IsPrivate", "Policies", "Policy", "PolicyRules"]

log = Logger()

MAX_REMEMBERED = 20_000
MAX_NOTES = 10_000
"""Names noted between two writings; more of them are not noted."""
MAX_WAITING = 10_000
"""Packages that wait for an approval; once there are so many, others are not noted."""
BATCH = 5000

IsPrivate = Callable[[str], Awaitable[bool]]


@frozen(kw_only=True)
class PolicyRules:
    """What the configuration says."""

    alias: str = ""
    mode: Mode = Mode.LAZY
    allowed: AllowList = field(factory=AllowList)
    reserved: ReservedVendors = field(factory=ReservedVendors)


async def _none_is_private(_name: str) -> bool:
    return False


@frozen(kw_only=True)
class _Loaded:
    """What is in memory, of one revision."""

    revision: int = 0
    choices: Choices = field(factory=Choices)
    patches: Mapping[str, Mapping[str, MirrorPatch]] = field(factory=dict)
    digests: Mapping[str, str] = field(factory=dict)


@define
class Policy:
    """
    What one mirror lets be seen. Without records: what the configuration says, by default everything.

    Whoever serves something of a package calls `admit` first, before it looks at the store, at upstream or at a
    condition of the client; and `note_served` once it has something to serve.
    """

    _rules: PolicyRules = field(factory=PolicyRules)
    _is_private: IsPrivate = _none_is_private
    _records: IMirrorRecords | None = None
    _now: Now | None = None
    _loaded: _Loaded | None = field(default=None, init=False)
    _loading: Flights[_Loaded] = field(factory=Flights, init=False)
    _approvals: "OrderedDict[str, bool]" = field(factory=OrderedDict, init=False)
    _names: tuple[int, tuple[Sequence[str], frozenset[str]]] | None = field(default=None, init=False)
    _enabled: "OrderedDict[str, None]" = field(factory=OrderedDict, init=False)
    _served: dict[str, None] = field(factory=dict, init=False)
    _refused: dict[str, int] = field(factory=dict, init=False)

    @property
    def rules(self) -> PolicyRules:
        """What the configuration says."""
        return self._rules

    async def admit(self, name: str, *, read_only: bool = False) -> None:
        """
        Return if *name* (lower-case `vendor/name`) may be served from this mirror.

        Args:
            read_only: The caller may only have what others use already (a token without `mirror:all`).

        Raises:
            NotAdmitted: it may not; the text says why, for the client to read.
            StorageFailed: it cannot be known.
        """
        loaded = await self._load()
        if read_only and not await self._is_enabled(name):
            raise NotAdmitted(f"{name}: the token may only read, and nobody uses this package yet")
        if loaded.choices.strict:
            if await self._is_approved(name):
                return
            self._note_refused(name)
            raise NotAdmitted(f"{name} is not approved yet")
        reason = await self.refusal(name)
        if reason is not None and not await self._is_approved(name):
            raise NotAdmitted(reason)
        if not self._rules.allowed.admits(name):
            raise NotAdmitted(f"{name} is not on this mirror's list of available packages")

    async def refusal(self, name: str) -> str | None:
        """Say why *name* must not come from a mirror unless it was approved: it is ours. None: it is not."""
        if self._rules.reserved.cover(name):
            vendor = name.partition("/")[0]
            return f"{name}: the vendor {vendor} is reserved for packages that do not come from a mirror"
        if await self._is_private(name):
            return f"{name} is a package of our own and does not come from a mirror"
        return None

    async def allowed(self, names: Sequence[str]) -> Sequence[str]:
        """Return those of *names* that `admit` lets pass; notes nothing, for lists and roots."""
        loaded = await self._load()
        if loaded.choices.strict:
            approved = (await self._approved(loaded))[1]
            return [name for name in names if name in approved]
        listed = [name for name in names if self._rules.allowed.admits(name)]
        return [name for name in listed if await self.refusal(name) is None or await self._is_approved(name)]

    async def names(self) -> Sequence[str] | None:
        """Return the only names that are available, sorted, for `available-packages`; None without such a list."""
        loaded = await self._load()
        if not loaded.choices.strict:
            names = self._rules.allowed.names
            return sorted(names) if names else None
        return (await self._approved(loaded))[0]

    @property
    def patterns(self) -> Sequence[str]:
        """The globs of names that are available besides `names`, for `available-package-patterns`."""
        return () if self.strict else self._rules.allowed.patterns

    @property
    def strict(self) -> bool:
        """True: only approved packages are served."""
        return self._loaded is not None and self._loaded.choices.strict

    @property
    def disable_v2(self) -> bool:
        """True: it was chosen that the root offers no metadata-url."""
        return self._loaded is not None and self._loaded.choices.disable_v2

    @property
    def frozen(self) -> bool:
        """True: what is stored is served as it is, and not refreshed."""
        return self._loaded is not None and not self._loaded.choices.sync

    @property
    def revision(self) -> str:
        """A text that changes whenever `names`, `patterns` or `disable_v2` do; for the fingerprint of a root."""
        rules = self._rules
        shape = (sorted(rules.allowed.names), rules.allowed.patterns, rules.reserved.vendors, rules.reserved.exceptions)
        number = 0 if self._loaded is None else self._loaded.revision
        return f"{number} {sha256(repr(shape).encode()).hexdigest()[:16]}"

    def revision_of(self, name: str) -> str:
        """Return a text that changes whenever `patched` gives something else for *name*; for its fingerprints."""
        return "" if self._loaded is None else self._loaded.digests.get(name, "")

    def patched(self, name: str, versions: Sequence[JsonObject]) -> Sequence[JsonObject]:
        """Return the versions of *name*, in full (not minified), with what was decided here put over upstream's."""
        patches = {} if self._loaded is None else self._loaded.patches.get(name, {})
        if not patches:
            return versions
        result = []
        for version in versions:
            patch = patches.get(str(version.get("version_normalized")))
            result.append(version if patch is None else patched(version, PatchStrategy(patch.strategy), patch.patch))
        return result

    def note_served(self, name: str) -> None:
        """Note that clients use *name*, so that it is kept fresh; cheap, call it each time."""
        if name not in self._enabled and len(self._served) < MAX_NOTES:
            self._served[name] = None

    async def prepare(self) -> None:
        """Read what was decided, so that the properties know of it. Raises StorageFailed."""
        await self._load()

    async def notice(self, revision: int) -> None:
        """Read anew what was decided if the records are of another revision than what is in memory."""
        if self._loaded is not None and self._loaded.revision != revision:
            self._loaded = await self._read()
            self._approvals.clear()

    async def write_notes(self) -> None:
        """Write down what was used, and what was asked for in vain."""
        if self._records is None or self._now is None:
            return
        served, self._served = self._served, {}
        if served:
            await self._records.enable(self._rules.alias, served, self._now())
            for name in served:
                _remember(self._enabled, name, None)
        refused, self._refused = self._refused, {}
        if refused:
            if (await self._records.counts(self._rules.alias)).waiting > MAX_WAITING:
                log.warn("{alias}: too many packages wait for an approval to note others", alias=self._rules.alias)
                return
            await self._records.requested(self._rules.alias, refused, self._now())

    def forget_used(self) -> None:
        """Take nothing for enabled any more: some were removed."""
        self._enabled.clear()

    def _note_refused(self, name: str) -> None:
        if name in self._refused or len(self._refused) < MAX_NOTES:
            self._refused[name] = self._refused.get(name, 0) + 1

    async def _load(self) -> _Loaded:
        if self._loaded is None:
            self._loaded = await self._loading.join("", self._read)
        return self._loaded

    async def _read(self) -> _Loaded:
        records, alias = self._records, self._rules.alias
        if records is None:
            return _Loaded()
        # The revision first: what changes meanwhile is then read once more, and never overlooked.
        revision = (await records.revisions()).get(alias, 0)
        choices = await records.choices(alias)
        patches: dict[str, dict[str, MirrorPatch]] = {}
        for patch in await records.patches(alias):
            patches.setdefault(patch.name, {})[patch.version] = patch
        digests = {name: _digest(of_package) for name, of_package in patches.items()}
        return _Loaded(revision=revision, choices=choices, patches=patches, digests=digests)

    async def _is_enabled(self, name: str) -> bool:
        if name in self._enabled:
            return True
        found = await self._find(name)
        if found is None or found.enabled_at is None:
            return False
        _remember(self._enabled, name, None)
        return True

    async def _is_approved(self, name: str) -> bool:
        if name not in self._approvals:
            before = self._loaded
            found = await self._find(name)
            approved = found is not None and found.approved_at is not None
            if before is not self._loaded:
                return approved
            _remember(self._approvals, name, approved)
        return self._approvals[name]

    async def _find(self, name: str) -> MirrorPackage | None:
        return None if self._records is None else await self._records.find(self._rules.alias, name)

    async def _approved(self, loaded: _Loaded) -> tuple[Sequence[str], frozenset[str]]:
        if self._names is None or self._names[0] != loaded.revision:
            names = await self._all_approved()
            self._names = (loaded.revision, (names, frozenset(names)))
        return self._names[1]

    async def _all_approved(self) -> Sequence[str]:
        names: list[str] = []
        if self._records is not None:
            while some := await self._records.packages(
                self._rules.alias, Which.APPROVED, names[-1] if names else "", BATCH
            ):
                names += [one.name for one in some]
        return names


@define
class Policies:
    """The policies of all mirrors, kept up to date."""

    _records: IMirrorRecords
    _policies: Mapping[str, Policy]

    def __getitem__(self, alias: str) -> Policy:
        return self._policies[alias]

    async def watch(self) -> None:
        """Notice what any process decided, and write down what was used; to be called every second."""
        revisions = await self._records.revisions()
        for alias, policy in self._policies.items():
            await policy.notice(revisions.get(alias, 0))
        await self.write_notes()

    async def write_notes(self) -> None:
        """Write down what was used and asked for; what cannot be written is only logged."""
        for alias, policy in self._policies.items():
            try:
                await policy.write_notes()
            except PacketonError as error:
                log.warn("{alias}: what was used could not be noted: {why}", alias=alias, why=str(error))


def _remember(memory: "OrderedDict[str, bool] | OrderedDict[str, None]", name: str, value: bool | None) -> None:
    memory[name] = value  # type: ignore[assignment]  # each memory has values of one type
    memory.move_to_end(name)
    if len(memory) > MAX_REMEMBERED:
        memory.popitem(last=False)


def _digest(patches: Mapping[str, MirrorPatch]) -> str:
    told = [[one.version, one.strategy, dict(one.patch)] for one in patches.values()]
    return sha256(orjson.dumps(told, option=orjson.OPT_SORT_KEYS)).hexdigest()[:16]
