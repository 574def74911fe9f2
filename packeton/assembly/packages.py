"""Our own packages, put together: records, what reads them, what publishes them, their archives."""

import secrets
from collections.abc import Mapping, Sequence
from datetime import timedelta
from functools import partial
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import orjson
from attrs import define, evolve

from packeton.adapters.database.archives import ArchiveRecords, UploadRecords
from packeton.adapters.database.credentials import CredentialRecords
from packeton.adapters.database.downloads import DownloadRecords
from packeton.adapters.database.hooks import FavouriteRecords, HookSecrets
from packeton.adapters.database.packages import PackageRecords
from packeton.adapters.database.versions import VersionRecords
from packeton.adapters.files import DirectoryStore
from packeton.adapters.processes import ProcessPool
from packeton.adapters.upstream.http import HttpClient
from packeton.assembly.accounts import Accounts
from packeton.assembly.jobs import Work
from packeton.assembly.mirroring import Mirroring
from packeton.assembly.store import Store
from packeton.assembly.upstream import configured_hosts, limits_of
from packeton.assembly.vcs import open_checkouts, open_children
from packeton.background.jobs import Jobs
from packeton.background.timetable import Entry
from packeton.background.updates import UpdateJobs
from packeton.config.settings import Settings
from packeton.core.access.audit import MAX_DOWNLOADS, AuditEvent, Source
from packeton.core.access.identities import Identity
from packeton.core.composer.advisories import FORM, question_about
from packeton.core.composer.archives import ArchiveBounds
from packeton.core.composer.configs import auth_sections
from packeton.core.composer.credentials import Credentials
from packeton.core.composer.metadata import JsonObject
from packeton.core.composer.names import PackageName
from packeton.core.composer.roots import Resource
from packeton.errors import ConfigurationInvalid
from packeton.features.access.audit import AuditTrail
from packeton.features.advisories.monitoring import SecurityMonitoring
from packeton.features.advisories.own import OwnAdvisories
from packeton.features.packages.accesses import Accesses
from packeton.features.packages.archives import Archives, Builder
from packeton.features.packages.building import DefinitionBuilder, UploadBuilder, VcsBuilder
from packeton.features.packages.catalogue import Catalogue
from packeton.features.packages.dates import Dates
from packeton.features.packages.downloads import Downloads
from packeton.features.packages.folders import Folders
from packeton.features.packages.foreign import MIRROR, ForeignRepositories
from packeton.features.packages.github import GitHub
from packeton.features.packages.keyring import Keyring
from packeton.features.packages.publishing import Publishing
from packeton.features.packages.removals import Removals
from packeton.features.packages.rendering import DistRules
from packeton.features.packages.repositories import Repositories, RootRules
from packeton.features.packages.scheduling import UPDATES, Scheduling
from packeton.features.packages.shelf import Shelf
from packeton.features.packages.sources_files import ArtifactSource, DefinitionSource
from packeton.features.packages.sources_proxy import ProxyBuilder, ProxySource
from packeton.features.packages.sources_vcs import VcsSource
from packeton.features.packages.tidying import Tidying
from packeton.features.packages.updating import Updates
from packeton.features.packages.uploads import Uploads
from packeton.interfaces.clocks import Now, now_of
from packeton.interfaces.packages import RepoType
from packeton.interfaces.sources import ISource
from packeton.interfaces.upstream import Headers
from packeton.interfaces.vcs import ICheckouts

__all__ = ["Packages", "note_installs", "open_catalogue", "open_packages", "package_work"]

MAX_GITHUB_BYTES = 4 * 2**20
FROM_CHECKOUTS = (RepoType.VCS, RepoType.MONO_REPO, RepoType.ASSET)


@define(kw_only=True)
class Packages:
    """Everything about our own packages."""

    records: PackageRecords
    versions: VersionRecords
    credentials: CredentialRecords
    keyring: Keyring
    hook_secrets: HookSecrets
    favourites: FavouriteRecords
    uploads: UploadRecords
    library: Uploads
    upload_files: DirectoryStore
    archive_files: DirectoryStore
    counters: DownloadRecords
    children: ProcessPool
    checkouts: ICheckouts
    accesses: Accesses
    folders: Folders
    foreign: ForeignRepositories
    catalogue: Catalogue
    advisories: OwnAdvisories
    publishing: Publishing
    repositories: Repositories
    archives: Archives
    updates: Updates
    removals: Removals
    scheduling: Scheduling
    downloads: Downloads
    tidying: Tidying


def open_catalogue(store: Store, accounts: Accounts) -> Catalogue:
    """Return the view of all packages that serving has, and mirrors ask for names they must not serve."""
    return Catalogue(PackageRecords(store.database), VersionRecords(store.database), accounts.revisions)


def open_packages(
    store: Store,
    accounts: Accounts,
    jobs: Jobs,
    catalogue: Catalogue,
    mirroring: Mirroring,
    environment: Mapping[str, str],
) -> Packages:
    """Put them together; no child process runs before `children` start."""
    settings, database, now = store.settings, store.database, now_of(store.reactor)
    records, versions = PackageRecords(database), VersionRecords(database)
    uploads, built, counters = UploadRecords(database), ArchiveRecords(database), DownloadRecords(database)
    credentials = CredentialRecords(database, accounts.keys.sealer)
    upload_files = _directory(settings.artifacts.artifact_storage, settings, "artifact_storage")
    archive_files = _directory(settings.archive_options.basedir, settings, "zipball")
    children = open_children(settings, store.reactor, environment)
    checkouts = open_checkouts(settings, children, store.in_thread, environment)
    accesses = Accesses(records, credentials, common_auth(settings, environment))
    foreign = foreign_repositories(store, mirroring)
    rules = dist_rules(settings)
    bounds = ArchiveBounds(
        max_entries=settings.cache.max_entries, max_unpacked_bytes=settings.cache.max_unpacked_bytes
    )
    of_checkouts = VcsBuilder(checkouts, accesses)
    of_uploads = UploadBuilder(uploads, upload_files, versions, store.in_thread)
    builders: dict[str, Builder] = {
        **dict.fromkeys(FROM_CHECKOUTS, of_checkouts),
        **dict.fromkeys((RepoType.ARTIFACT, RepoType.CUSTOM), of_uploads),
        RepoType.VIRTUAL: DefinitionBuilder(versions, store.in_thread),
        RepoType.PROXY: ProxyBuilder(foreign, accesses, checkouts, versions, bounds, store.in_thread),
    }
    archives = Archives(
        rules, catalogue, records, versions, built, archive_files, builders, store.in_thread, now,
        settings.archive_options.keep_unused,
    )  # fmt: skip
    shelf = Shelf(settings.cache.memory_bytes)
    checksums = built.checksums if settings.archive_options.include_archive_checksum else None
    advisories = OwnAdvisories(
        catalogue, records, accounts.revisions, now, lambda: f"PKTN-{secrets.token_hex(6)}"
    )
    publishing = Publishing(
        catalogue, rules, versions, store.in_thread, shelf, checksums, advisories.of,
        Dates(versions.published_at, store.reactor),
    )  # fmt: skip
    root_rules = RootRules(format=settings.metadata.format, info=settings.metadata.info_cmd_message)
    repositories = Repositories(
        publishing, root_rules, records, versions, accounts.revisions, store.in_thread, shelf, now
    )
    allowed = settings.artifacts.allowed_paths or (str(settings.data.absolute() / "artifacts"),)
    folders = Folders(allowed, bounds, store.in_thread)
    sources: dict[RepoType, ISource] = {
        **dict.fromkeys(FROM_CHECKOUTS, VcsSource(checkouts, accesses)),
        RepoType.ARTIFACT: ArtifactSource(uploads, upload_files, folders, bounds, store.in_thread),
        RepoType.CUSTOM: DefinitionSource(uploads, True),
        RepoType.VIRTUAL: DefinitionSource(uploads, False),
        RepoType.PROXY: ProxySource(foreign, accesses),
    }
    updates = Updates(
        records, versions, accounts.revisions, sources, archives, store.in_thread, now,
        prebuild=settings.archive_options.prebuild_zipball and bool(settings.archive),
        audit=_audit(store, mirroring, records, catalogue),
        forge=_github(store, mirroring, accesses),
    )  # fmt: skip
    return Packages(
        records=records,
        versions=versions,
        credentials=credentials,
        keyring=Keyring(credentials, store.in_thread, now),
        hook_secrets=HookSecrets(database, accounts.keys.sealer),
        favourites=FavouriteRecords(database),
        uploads=uploads,
        library=Uploads(
            uploads, upload_files, frozenset(settings.artifacts.support_types), bounds, store.in_thread, now,
            lambda: secrets.token_hex(20),
        ),
        upload_files=upload_files,
        archive_files=archive_files,
        counters=counters,
        children=children,
        checkouts=checkouts,
        accesses=accesses,
        folders=folders,
        foreign=foreign,
        catalogue=catalogue,
        advisories=advisories,
        publishing=publishing,
        repositories=repositories,
        archives=archives,
        updates=updates,
        removals=Removals(records, versions, accounts.revisions, updates.tell, now),
        scheduling=Scheduling(
            records, jobs.put, jobs.records.latest, secrets.SystemRandom().random, now, settings.package_update_interval
        ),
        downloads=Downloads(catalogue, counters, now),
        tidying=Tidying(records, versions, archives, (archive_files, upload_files), store.in_thread, now),
    )


def _audit(
    store: Store, mirroring: Mirroring, records: PackageRecords, catalogue: Catalogue
) -> SecurityMonitoring | None:
    """Return what looks for security advisories."""
    settings = store.settings
    if not settings.advisories.enabled:
        return None
    url = settings.advisories.url
    hosts = frozenset({urlsplit(url).hostname or ""})
    client = HttpClient(
        mirroring.transports.common, Credentials.gather(url=url), hosts, store.metrics.on_exchange
    )
    limits = evolve(
        limits_of(settings.upstream, settings.upstream.max_metadata_bytes), total_timeout=timedelta(minutes=1)
    )
    return SecurityMonitoring(
        records, client, url, limits, catalogue.is_private, store.in_thread, now_of(store.reactor)
    )


def _github(store: Store, mirroring: Mirroring, accesses: Accesses) -> GitHub:
    """Return what asks GitHub's API about repositories."""

    def client_for(api: str, fields: Headers) -> HttpClient:
        hosts = frozenset({urlsplit(api).hostname or ""})
        credentials = Credentials.gather(url=api, headers=tuple(fields))
        return HttpClient(mirroring.transports.common, credentials, hosts, store.metrics.on_exchange)

    limits = evolve(limits_of(store.settings.upstream, MAX_GITHUB_BYTES), total_timeout=timedelta(minutes=1))
    for_all = not store.settings.github_no_api
    return GitHub(accesses, client_for, limits, store.in_thread, now_of(store.reactor), for_all)


def package_work(packages: Packages, work: Work, settings: Settings) -> None:
    """Register the jobs about packages, and what is done at set times."""
    tidy = partial(packages.checkouts.tidy, settings.vcs.keep_unused)
    work.kinds.register(UPDATES, UpdateJobs(packages.updates), timeout=timedelta(hours=2))
    work.timetable.append(Entry(name="stale packages", expression="*/15 * * * *", work=packages.scheduling.stale))
    work.timetable.append(Entry(name="tidying of packages", expression="40 1 * * *", work=packages.tidying.tidy))
    work.timetable.append(Entry(name="tidying of checkouts", expression="20 2 * * *", work=tidy))


def note_installs(packages: Packages, trail: AuditTrail, now: Now) -> None:
    """Have installs written into the audit trail of who made them."""

    def note(identity: Identity, address: str, lines: Sequence[str]) -> None:
        event = AuditEvent(
            user_id=identity.user_id,
            name=identity.name,
            source=Source.DOWNLOADS,
            success=True,
            at=now(),
            address=address,
            downloads=tuple(lines[:MAX_DOWNLOADS]),
        )
        trail.note(event)

    packages.downloads.on_installed = note


def foreign_repositories(store: Store, mirroring: Mirroring) -> ForeignRepositories:
    """Return the way to repositories of others, and to what our mirrors have."""
    settings = store.settings

    def client_for(url: str, auth: Mapping[str, Any]) -> HttpClient:
        mirror = settings.mirrors.get(url.removeprefix(MIRROR)) if url.startswith(MIRROR) else None
        if mirror is None:
            hosts = frozenset({urlsplit(url).hostname or ""})
            credentials = Credentials.gather(url=url, composer_auth=auth)
        else:
            basic, hosts = mirror.http_basic, configured_hosts(settings)
            credentials = Credentials.gather(
                url=mirror.url.reveal(),
                http_basic=None if basic is None else (basic.username, basic.password.reveal()),
                composer_auth=mirror.composer_auth,
            )
        return HttpClient(mirroring.transports.common, credentials, hosts, store.metrics.on_exchange)

    async def mirror_versions(alias: str, name: str) -> list[JsonObject]:
        mirror, package = mirroring.site(alias).mirror, PackageName.parse(name)
        found: dict[Any, JsonObject] = {}
        for dev in (False, True):
            for version in await mirror.versions(package, dev=dev):
                found.setdefault(version.get("version"), version)
        return list(found.values())

    async def mirror_advisories(alias: str, name: str) -> bytes:
        mirror = mirroring.site(alias).mirror
        _, answer = await mirror.forward(Resource.ADVISORIES, question_about([name]), FORM)
        return orjson.dumps(answer)

    return ForeignRepositories(
        client_for,
        mirror_versions,
        mirror_advisories,
        limits_of(settings.upstream, settings.upstream.max_metadata_bytes),
        limits_of(settings.upstream, settings.upstream.max_dist_bytes),
        store.in_thread,
    )


def common_auth(settings: Settings, environment: Mapping[str, str]) -> Mapping[str, Any]:
    """Return the logins for packages without a credential. Raises ConfigurationInvalid."""
    home = environment.get("APP_COMPOSER_HOME")
    found: Mapping[str, Any] = {}
    if home:
        config = _held(Path(home) / "config.json").get("config")
        found = auth_sections(config) if isinstance(config, dict) else {}
        found = _together(found, _held(Path(home) / "auth.json"))
    return _together(found, settings.composer_auth)


def _held(file: Path) -> Mapping[str, Any]:
    """Return what a file of Composer's home holds; nothing without one. Raises ConfigurationInvalid."""
    if not file.is_file():
        return {}
    try:
        held = orjson.loads(file.read_bytes())
    except (OSError, ValueError) as error:
        raise ConfigurationInvalid(f"APP_COMPOSER_HOME: {file} cannot be read as JSON") from error
    if not isinstance(held, dict):
        raise ConfigurationInvalid(f"APP_COMPOSER_HOME: {file} holds no JSON object")
    return held


def _together(under: Mapping[str, Any], over: Mapping[str, Any]) -> Mapping[str, Any]:
    return {kind: _merged(under.get(kind), over.get(kind, under.get(kind))) for kind in {**under, **over}}


def _merged(under: Any, over: Any) -> Any:
    return {**under, **over} if isinstance(under, dict) and isinstance(over, dict) else over


def dist_rules(settings: Settings) -> DistRules:
    """Return what clients are told about archives."""
    flags, options = settings.archive, settings.archive_options
    return DistRules(
        enabled=bool(flags),
        replace="replace" in flags,
        mirror="mirror" in flags,
        format=options.format,
        endpoint=options.endpoint,
        addresses=repr((settings.public_url, settings.trusted_proxies, settings.trusted_hosts)),
    )


def _directory(chosen: Path | None, settings: Settings, name: str) -> DirectoryStore:
    folder = chosen or settings.data / name
    return DirectoryStore(folder.absolute(), lambda: secrets.token_hex(16))
