"""The REST API: what its routes call, and the routes."""

from collections.abc import Sequence

from attrs import define
from twisted.internet.interfaces import IReactorTime

from packeton.assembly.accounts import Accounts
from packeton.assembly.jobs import Work
from packeton.assembly.packages import Packages
from packeton.assembly.store import Store
from packeton.config.settings import Settings
from packeton.features.hooks.incoming import HookRules, IncomingHooks
from packeton.features.packages.watching import JobWatching
from packeton.web.access import Gate
from packeton.web.addresses import Addresses
from packeton.web.api.hooks import HookRoutes
from packeton.web.api.jobs import JobRoutes
from packeton.web.root import Routes

__all__ = ["Api", "api_routes", "open_api"]


@define(kw_only=True)
class Api:
    """What the routes call."""

    hooks: IncomingHooks
    watching: JobWatching


def open_api(store: Store, accounts: Accounts, packages: Packages, work: Work) -> Api:  # noqa: ARG001
    """Put it together."""
    return Api(
        hooks=IncomingHooks(packages.records, packages.scheduling, store.in_thread, _hook_rules(store.settings)),
        watching=JobWatching(work.jobs.records, store.reactor),
    )


def api_routes(api: Api, gate: Gate, addresses: Addresses, clock: IReactorTime) -> Sequence[Routes]:  # noqa: ARG001
    """Return the routes."""
    return [HookRoutes(gate, api.hooks), JobRoutes(gate, api.watching, clock)]


def _hook_rules(settings: Settings) -> HookRules:
    secret = settings.hooks.secret
    return HookRules(
        secret=None if secret is None else secret.reveal(), allow_unsigned=settings.hooks.allow_unsigned
    )
