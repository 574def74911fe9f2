"""A whole server: Settings and a reactor become a resource and services."""

from collections.abc import Mapping
from typing import Any

from attrs import frozen
from twisted.application.service import MultiService
from twisted.web.resource import IResource

from packeton.assembly.accounts import Accounts, access_work, open_accounts
from packeton.assembly.api import Api, open_api
from packeton.assembly.building import let_mirrors_build
from packeton.assembly.jobs import Work, open_work, timetable_of, worker_of
from packeton.assembly.mirroring import open_mirroring
from packeton.assembly.packages import Packages, note_installs, open_catalogue, open_packages, package_work
from packeton.assembly.pages import open_mailer, open_sign_in, sign_in_work
from packeton.assembly.proxies import proxy_mount
from packeton.assembly.running import Running, periodic_work
from packeton.assembly.store import Store, open_store
from packeton.assembly.web import root_resource
from packeton.background.workers import WorkerService
from packeton.config.settings import Settings
from packeton.features.packages.failure_mails import FailureMails
from packeton.interfaces.blobs import IBlobStore

__all__ = ["Packeton", "Parts", "WorkerOptions", "build"]


@frozen(kw_only=True)
class WorkerOptions:
    """What an extra process does."""

    at_once: int
    max_jobs: int | None = None
    """After so many jobs it begins no more."""


@frozen(kw_only=True)
class Parts:
    """What a server is made of, for commands; not for embedders, it changes with the inside."""

    store: Store
    accounts: Accounts
    work: Work
    packages: Packages
    api: Api


@frozen(kw_only=True)
class Packeton:
    """A whole server, not running yet: mount `resource`, and start `services` (they hold threads and timers)."""

    resource: IResource
    services: MultiService
    settings: Settings
    parts: Parts
    worker: WorkerService | None = None
    """What does jobs in this process, if anything."""


def build(
    settings: Settings,
    reactor: Any,
    *,
    blobs: IBlobStore | None = None,
    environment: Mapping[str, str] | None = None,
    extra: WorkerOptions | None = None,
) -> Packeton:
    """
    Put a server together. Nothing runs and nothing listens yet.

    Args:
        blobs: Keeps the bytes of the cache; default: files in the data directory.
        environment: Where proxies are looked up (`http_proxy` …); default: none.
        extra: Make a further process that only does jobs, beside the server that owns the data directory.

    Raises:
        ConfigurationInvalid: a setting cannot be used.
    """
    store = open_store(settings, reactor, blobs)
    accounts = open_accounts(store)
    catalogue = open_catalogue(store, accounts)
    mirroring = open_mirroring(store, environment or {}, catalogue.is_private)
    fills, transports = mirroring.fills, mirroring.transports
    periodic = periodic_work(store, owns=extra is None)
    access_work(accounts, store).setServiceParent(periodic)
    work = open_work(store)
    if work.link is not None:
        work.link.setServiceParent(periodic)
    packages = open_packages(store, accounts, work.jobs, catalogue, mirroring, environment or {})
    let_mirrors_build(mirroring, packages.checkouts)
    package_work(packages, work, settings)
    api = open_api(store, accounts, packages, work)
    worker = _worker(work, store, extra)
    if extra is None:
        timetable_of(work, store).setServiceParent(periodic)
    if worker is not None:
        worker.setServiceParent(periodic)
    sign_in = open_sign_in(settings, store, accounts, work)
    sign_in_work(sign_in, store, serves=extra is None).setServiceParent(periodic)
    note_installs(packages, sign_in.trail, accounts.now)
    packages.updates.listen(FailureMails(accounts.users, open_mailer(settings, store)))
    services = MultiService()
    Running(mirroring, periodic, packages.children, owns=extra is None).setServiceParent(services)
    store.metrics.gauge("packeton_fills_in_flight", "Fills under way", lambda: len(fills))
    mounts = {
        proxy.path: proxy_mount(name, proxy, settings, store, fills, transports.common)
        for name, proxy in settings.proxies.items()
    }
    resource = root_resource(settings, store, accounts, packages, work, api, sign_in, mirroring, mounts)
    parts = Parts(store=store, accounts=accounts, work=work, packages=packages, api=api)
    return Packeton(resource=resource, services=services, settings=settings, parts=parts, worker=worker)


def _worker(work: Work, store: Store, extra: WorkerOptions | None) -> WorkerService | None:
    if extra is not None:
        return worker_of(work, store, extra.at_once, extra.max_jobs)
    at_once = store.settings.jobs.at_once
    return worker_of(work, store, at_once) if at_once else None
