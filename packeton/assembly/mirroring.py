"""All mirrors with what decides about them and keeps them up to date, for the server and for commands beside it."""

import secrets
from collections.abc import Callable, Mapping
from datetime import timedelta

from attrs import define

from packeton.adapters.database.mirrors import MirrorRecords
from packeton.adapters.database.owners import owner_name
from packeton.adapters.database.packages import PackageRecords
from packeton.adapters.database.revisions import Revisions
from packeton.adapters.database.syncs import SyncRecords
from packeton.assembly.mirrors import mirror_site
from packeton.assembly.store import Store
from packeton.assembly.upstream import Transports
from packeton.config.settings import MirrorSettings, Settings
from packeton.core.caching.modes import AllowList, Mode, ReservedVendors
from packeton.errors import NotFound
from packeton.features.caching.fills import Fills
from packeton.features.mirroring.approvals import Approvals
from packeton.features.mirroring.directory import MirrorSite
from packeton.features.mirroring.ownership import OwnNames
from packeton.features.mirroring.policy import IsPrivate, Policies, Policy, PolicyRules
from packeton.features.mirroring.summaries import Summaries, Summary
from packeton.features.mirroring.synchronising import Synchroniser
from packeton.features.mirroring.syncs import Syncs
from packeton.interfaces.clocks import now_of

__all__ = ["Mirroring", "open_mirroring"]


@define
class Mirroring:
    """The mirrors of one store. Nothing runs by itself; `close` ends what is under way."""

    store: Store
    fills: Fills
    transports: Transports
    records: MirrorRecords
    sync_records: SyncRecords
    sites: Mapping[str, MirrorSite]
    policies: Policies
    syncs: Syncs

    def site(self, alias: str) -> MirrorSite:
        """Return a mirror. Raises NotFound naming those there are."""
        if alias not in self.sites:
            raise NotFound(f"there is no mirror {alias}; there are: {', '.join(self.sites)}")
        return self.sites[alias]

    def decisions(self, alias: str) -> Approvals:
        """Return what decides about a mirror. Raises NotFound."""
        return Approvals(self.site(alias).mirror.policy, self.records, now_of(self.store.reactor))

    async def summary(self, alias: str) -> Summary:
        """Return a mirror at a glance. Raises NotFound."""
        summaries = Summaries(self.records, self.sync_records, now_of(self.store.reactor))
        return await summaries.of(self.site(alias), self.syncs.all[alias])

    async def close(self) -> None:
        """End what is under way, write down what was used."""
        await self.syncs.stop()
        await self.fills.stop(timedelta(0))
        await self.policies.write_notes()
        await self.store.storage.note_served()
        await self.transports.close()


def open_mirroring(store: Store, environment: Mapping[str, str], is_private: IsPrivate | None = None) -> Mirroring:
    """
    Put the mirrors of the settings together.

    Args:
        is_private: Says if a name is one of our own packages, which no mirror serves; default: they are read once.
    """
    settings, reactor = store.settings, store.reactor
    records, sync_records = MirrorRecords(store.database), SyncRecords(store.database)
    random = secrets.SystemRandom().random
    fills = Fills(
        storage=store.storage,
        clock=reactor,
        in_thread=store.in_thread,
        random=random,
        observe=store.metrics.on_fill,
    )
    transports = Transports(reactor, settings.upstream, environment)
    is_private = is_private or OwnNames(PackageRecords(store.database), Revisions(store.database))
    now, owner = now_of(reactor), owner_name(secrets.token_hex(4))
    sites: dict[str, MirrorSite] = {}
    synchronisers: dict[str, Synchroniser] = {}
    for alias, mirror in settings.mirrors.items():
        policy = Policy(_rules(alias, mirror, settings), is_private, records, now)
        sites[alias] = mirror_site(alias, mirror, settings, store, fills, transports, random, policy)
        synchronisers[alias] = Synchroniser(
            alias,
            policy.rules.mode,
            timedelta(seconds=mirror.sync_interval) if mirror.sync_interval else None,
            sites[alias].source,
            sync_records,
            records,
            policy,
            reactor,
            owner,
        )
    policies = Policies(records, {alias: site.mirror.policy for alias, site in sites.items()})
    syncs = Syncs(sync_records, synchronisers)
    _measure(store, syncs)
    return Mirroring(store, fills, transports, records, sync_records, sites, policies, syncs)


def _rules(alias: str, mirror: MirrorSettings, settings: Settings) -> PolicyRules:
    return PolicyRules(
        alias=alias,
        mode=Mode.LAZY if mirror.sync_lazy else Mode.FULL,
        allowed=AllowList(names=mirror.available_packages, patterns=mirror.available_package_patterns),
        reserved=ReservedVendors(vendors=settings.reserved_vendors, exceptions=mirror.reserved_exceptions),
    )


def _measure(store: Store, syncs: Syncs) -> None:
    """Add a figure a mirror for how far its synchronisation is."""
    for name, text, read in (
        ("running", "1 while it is being synchronised by this process", lambda one: one.running),
        ("total", "Packages that the last synchronisation was to look at", lambda one: one.state.total),
        ("done", "Packages that it has looked at", lambda one: one.state.done),
        ("changed", "Packages that had changed", lambda one: one.state.changed),
        ("failed", "Packages that could not be had", lambda one: one.state.failed),
        ("broken", "1 while the last synchronisation ended early", lambda one: one.state.error is not None),
        ("success_timestamp_seconds", "When one last ended well, in seconds since 1970",
         lambda one: one.state.synced_at.timestamp() if one.state.synced_at else 0),
    ):  # fmt: skip

        def figures(read: Callable[[Synchroniser], float] = read) -> Mapping[str, float]:
            return {alias: float(read(one)) for alias, one in syncs.all.items()}

        store.metrics.gauges(f"packeton_mirror_sync_{name}", text, "mirror", figures)
