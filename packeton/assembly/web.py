"""Our root resource, with all its routes."""

from collections.abc import Mapping

from twisted.web.resource import IResource

from packeton.assembly.accounts import Accounts, gate_of
from packeton.assembly.api import Api, api_routes
from packeton.assembly.figures import Figures, health_checks
from packeton.assembly.jobs import Work
from packeton.assembly.mirroring import Mirroring
from packeton.assembly.packages import Packages
from packeton.assembly.pages import SignIn, cookie_sessions, cors_of, page_routes, protection_of
from packeton.assembly.store import Store
from packeton.config.settings import Settings
from packeton.features.access.guesses import guess_limits
from packeton.features.mirroring.directory import MirrorDirectory
from packeton.logs import AccessLog
from packeton.web.addresses import Addresses
from packeton.web.admin.landing import LandingRoutes
from packeton.web.admin.rendering import Pages
from packeton.web.api.credentials import CredentialApi
from packeton.web.api.groups import GroupApi
from packeton.web.api.users import UserApi
from packeton.web.composer.advisories import AdvisoryRoutes
from packeton.web.composer.archives import ArchiveRoutes
from packeton.web.composer.dists import DistRoutes
from packeton.web.composer.downloads import DownloadRoutes
from packeton.web.composer.mirrors import MirrorRoutes
from packeton.web.composer.packages import PackageRoutes
from packeton.web.health import HealthRoutes, MetricRoutes
from packeton.web.pages import PageRoutes
from packeton.web.root import PacketonResource, Routes
from packeton.web.uploads import UploadPlaces

__all__ = ["root_resource"]


def root_resource(
    settings: Settings,
    store: Store,
    accounts: Accounts,
    packages: Packages,
    work: Work,
    api: Api,
    sign_in: SignIn,
    mirroring: Mirroring,
    mounts: Mapping[str, IResource],
) -> IResource:
    """Return the resource that answers everything."""
    clock, directory = store.reactor, MirrorDirectory(mirroring.sites)
    addresses = Addresses(
        public_url=settings.public_url,
        trusted_proxies=settings.trusted_proxies,
        trusted_hosts=settings.trusted_hosts,
    )
    sessions = cookie_sessions(sign_in, addresses)
    throttle = work.throttle("token", guess_limits())
    gate = gate_of(
        accounts, store, addresses, throttle=throttle, users=sign_in.chain, sessions=sessions, observe=sign_in.observe
    )
    pages = Pages(addresses, sessions, accounts.directory)
    landing = LandingRoutes(pages, accounts.directory, sign_in.sessions)
    figures = Figures(store, work)
    figures.install()
    routes: list[Routes] = [
        PageRoutes(directory, store.dists, pages, landing, mirroring.summary),
        MirrorRoutes(directory, store.renditions, addresses, gate),
        DistRoutes(directory, clock, gate),
        PackageRoutes(gate, packages.publishing, packages.repositories, addresses),
        ArchiveRoutes(gate, packages.archives, clock),
        AdvisoryRoutes(gate, packages.advisories),
        DownloadRoutes(gate, packages.downloads),
        UserApi(gate, accounts.users, accounts.people, addresses, sign_in.recovery.invite),
        GroupApi(gate, accounts.groups, accounts.audiences),
        CredentialApi(gate, packages.keyring),
        HealthRoutes(enabled=settings.health_check, checks=health_checks(store, work), clock=clock, gate=gate),
        MetricRoutes(store.metrics, figures.refresh, gate, addresses, settings.metrics_allow_ips),
        *api_routes(api, gate, addresses, sessions, packages, store),
        *page_routes(sign_in, pages, landing, settings, store),
    ]
    return PacketonResource(
        routes=routes,
        mounts=mounts,
        addresses=addresses,
        clock=clock,
        access_log=AccessLog() if settings.log.access else None,
        on_answer=store.metrics.on_answer,
        uploads=UploadPlaces(packages.upload_files, settings.artifacts.max_upload_bytes),
        protection=protection_of(settings, addresses),
        cors=cors_of(settings),
        missing=pages.missing,
    )
