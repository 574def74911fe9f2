"""The REST API: what its routes call, and the routes."""

from collections.abc import Sequence
from datetime import timedelta
from functools import partial

from attrs import define

from packeton.adapters.database.feeds import FeedRecords
from packeton.adapters.database.search import LinkRecords, SearchRecords
from packeton.assembly.accounts import Accounts
from packeton.assembly.jobs import Work
from packeton.assembly.packages import Packages, dist_rules
from packeton.assembly.store import Store
from packeton.background.timetable import Entry
from packeton.config.settings import Settings
from packeton.features.hooks.incoming import HookRules, IncomingHooks
from packeton.features.packages.changelogs import Changelogs
from packeton.features.packages.dependents import Dependents
from packeton.features.packages.editing import Editing
from packeton.features.packages.favourites import Favourites
from packeton.features.packages.feeds import Feeds
from packeton.features.packages.importing import IMPORT, Importing, ImportJobs
from packeton.features.packages.marking import Marking
from packeton.features.packages.prechecks import Prechecks
from packeton.features.packages.pushing import Pushing
from packeton.features.packages.searching import Searching
from packeton.features.packages.statistics import Statistics
from packeton.features.packages.submitting import Checks, Submitting
from packeton.features.packages.viewing import Viewing
from packeton.features.packages.watching import JobWatching
from packeton.interfaces.clocks import now_of
from packeton.interfaces.queues import Priority
from packeton.web.access import Gate
from packeton.web.addresses import Addresses
from packeton.web.api.favourites import FavouriteApi
from packeton.web.api.hooks import HookRoutes
from packeton.web.api.imports import ImportApi
from packeton.web.api.jobs import JobRoutes
from packeton.web.api.marks import MarkApi
from packeton.web.api.openapi import OpenApiRoutes
from packeton.web.api.packages import PackageApi
from packeton.web.api.prechecks import PrecheckApi
from packeton.web.api.search import SearchApi
from packeton.web.api.security import SecurityApi
from packeton.web.api.statistics import StatisticsApi
from packeton.web.api.uploads import UploadApi
from packeton.web.changing import ChangeGate
from packeton.web.feeds import FeedRoutes
from packeton.web.root import Routes
from packeton.web.sessions import CookieSessions

__all__ = ["Api", "api_routes", "open_api"]


@define(kw_only=True)
class Api:
    """What the routes call."""

    hooks: IncomingHooks
    watching: JobWatching
    submitting: Submitting
    prechecks: Prechecks
    marking: Marking
    editing: Editing
    viewing: Viewing
    dependents: Dependents
    changelogs: Changelogs
    pushing: Pushing
    statistics: Statistics
    searching: Searching
    importing: Importing
    favourites: Favourites
    feeds: Feeds


def open_api(store: Store, accounts: Accounts, packages: Packages, work: Work) -> Api:
    """Put it together."""
    settings, now, database = store.settings, now_of(store.reactor), store.database
    records, revisions, local = packages.records, accounts.revisions, tuple(settings.vcs.local_paths)
    checks = Checks(packages.credentials, packages.library, packages.folders)
    dependents = Dependents(packages.catalogue, LinkRecords(database), store.in_thread)
    submitting = Submitting(
        records, accounts.subrepos, revisions, packages.accesses, packages.checkouts, checks, packages.library,
        packages.scheduling, now, packages.hook_secrets, local,
    )  # fmt: skip
    editing = Editing(
        records, packages.removals, packages.counters, revisions, checks, packages.library, packages.scheduling,
        packages.accesses, packages.checkouts, now, packages.hook_secrets, packages.versions,
        (accounts.groups.rename_package, accounts.subrepos.rename_package), local,
    )  # fmt: skip
    viewing = Viewing(
        records, packages.versions, packages.counters, accounts.users, accounts.groups, dist_rules(settings),
        dependents, packages.favourites, store.in_thread, now,
    )  # fmt: skip
    submit = partial(submitting.submit, priority=Priority.NORMAL)  # whoever pushes goes before an import
    work.kinds.register(IMPORT, ImportJobs(submit), timeout=timedelta(hours=6))
    statistics = Statistics(packages.catalogue, viewing, packages.counters, now)
    work.timetable.append(Entry(name="old counters", expression="30 3 * * *", work=statistics.forget))
    return Api(
        hooks=IncomingHooks(
            records, packages.scheduling, store.in_thread, packages.hook_secrets, _hook_rules(settings)
        ),
        watching=JobWatching(work.jobs.records, store.reactor),
        submitting=submitting,
        marking=Marking(records, editing, revisions, packages.scheduling, now),
        prechecks=Prechecks(records, submitting, packages.accesses, packages.checkouts),
        editing=editing,
        viewing=viewing,
        dependents=dependents,
        changelogs=Changelogs(packages.accesses, packages.checkouts),
        pushing=Pushing(records, editing, submitting, packages.library),
        statistics=statistics,
        searching=Searching(packages.catalogue, SearchRecords(database), dependents),
        feeds=Feeds(packages.catalogue, FeedRecords(database), now, settings.rss_max_items),
        favourites=Favourites(packages.favourites, records, packages.catalogue, now),
        importing=Importing(records, packages.foreign, work.jobs.put, settings.max_import),
    )


def api_routes(
    api: Api, gate: Gate, addresses: Addresses, sessions: CookieSessions, packages: Packages, store: Store
) -> Sequence[Routes]:
    """Return the routes."""
    changes = ChangeGate(gate, sessions)
    return [
        HookRoutes(gate, api.hooks, store.in_thread),
        JobRoutes(gate, api.watching, store.reactor),
        PackageApi(gate, changes, addresses, api.submitting, api.editing, api.viewing, api.dependents, api.changelogs),
        UploadApi(gate, api.pushing, packages.library, packages.upload_files, store.in_thread, changes),
        StatisticsApi(gate, addresses, api.statistics, api.editing, api.viewing),
        ImportApi(gate, changes, api.importing),
        PrecheckApi(changes, addresses, api.prechecks),
        MarkApi(changes, api.marking),
        FavouriteApi(gate, changes, api.favourites, api.editing),
        SecurityApi(gate, api.editing, packages.advisories),
        SearchApi(gate, addresses, api.searching, api.dependents, api.viewing),
        FeedRoutes(gate, addresses, api.feeds),
        OpenApiRoutes(gate, addresses),
    ]


def _hook_rules(settings: Settings) -> HookRules:
    secret = settings.hooks.secret
    return HookRules(
        secret=None if secret is None else secret.reveal(), allow_unsigned=settings.hooks.allow_unsigned
    )
