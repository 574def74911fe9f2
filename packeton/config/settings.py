"""The shape of the settings: one frozen class a section, with every default. Nowhere else are there defaults."""

from collections.abc import Mapping
from datetime import timedelta
from pathlib import Path
from typing import Any

from attrs import field, frozen

__all__ = [
    "AdvisorySettings",
    "ArchiveSettings",
    "ArtifactSettings",
    "CacheSettings",
    "DatabaseSettings",
    "FirstAdminSettings",
    "HookSettings",
    "HttpBasicSettings",
    "JobSettings",
    "JwtSettings",
    "LdapProviderSettings",
    "LdapSettings",
    "LogSettings",
    "MailSettings",
    "MetadataSettings",
    "MirrorSettings",
    "ProxySettings",
    "RedisSettings",
    "Secret",
    "SecuritySettings",
    "SessionSettings",
    "Settings",
    "UpstreamSettings",
    "VcsSettings",
    "WebProtectionSettings",
]


class Secret(str):
    """Text that hides itself in `repr()` and in formatted logs; `reveal()` is the only way to it."""

    __slots__ = ()

    def reveal(self) -> str:
        """Return the text itself."""
        return str.__str__(self)

    def __repr__(self) -> str:
        return "Secret('***')"

    def __str__(self) -> str:
        return "***"

    def __format__(self, spec: str) -> str:
        return "***"


@frozen(kw_only=True)
class LogSettings:
    """`packeton.log`: what is written to the log, and how."""

    format: str = "text"
    """`text`, or `json` for one JSON object a line."""
    level: str = "info"
    """`debug`, `info`, `warn` or `error`."""
    access: bool = True
    """One line a request. Credentials and query strings never appear in it."""


@frozen(kw_only=True)
class LdapProviderSettings:
    """`packeton.ldap.providers.<name>`: one search in one directory, and the roles of those it finds."""

    server: str
    """`ldap://host:389` or `ldaps://host`."""
    start_tls: bool = False
    """Encrypt an `ldap://` connection before anything is said; the certificate is verified."""
    ca_file: Path | None = None
    """PEM file of certificate authorities to trust besides the system's."""
    base_dn: str
    search_dn: str | None = None
    """Who searches; without it the search is anonymous."""
    search_password: Secret | None = None
    uid_key: str = "uid"
    """The attribute with the user's name: `uid`, `sAMAccountName` …"""
    filter: str = "({uid_key}={username})"
    """Who is found; `{uid_key}` and `{username}` are put in, escaped."""
    login_dn: str | None = None
    """The DN that a user binds as, with `{username}` in it; without it the DN that the search finds."""
    default_roles: tuple[str, ...] = ("ROLE_USER",)
    """Roles of users that are not ours as well."""
    timeout: timedelta = timedelta(seconds=5)


@frozen(kw_only=True)
class LdapSettings:
    """`packeton.ldap`: users of directories, beside our own."""

    first: bool = False
    """Who is in a directory has its roles, even where we have a user of the name; else ours come first."""
    providers: Mapping[str, LdapProviderSettings] = field(factory=dict)
    """By name, asked in this order."""


@frozen(kw_only=True)
class MailSettings:
    """`packeton.mail`: where password resets and invitations go out."""

    dsn: Secret | None = None
    """`smtp://user:password@host:587`, `smtps://host`, or `null://null` for no mails; default: environment
    `MAILER_DSN`. Options: `verify_peer`, `require_tls`, `auto_tls`, `local_domain`."""
    sender: str = "Packeton <packeton@example.com>"
    """The sender; default: environment `MAILER_FROM`."""


@frozen(kw_only=True)
class FirstAdminSettings:
    """`packeton.first_admin`: an administrator that a start makes, unless there is a user of this name."""

    username: str | None = None
    """Default: environment `ADMIN_USER`."""
    password: Secret | None = None
    """Default: environment `ADMIN_PASSWORD`."""
    email: str | None = None
    """Default: environment `ADMIN_EMAIL`, and without it USERNAME@example.com."""


@frozen(kw_only=True)
class JwtSettings:
    """`packeton.jwt_authentication`: JSON web tokens; on as soon as there is a key."""

    algo: str = "EdDSA"
    """EdDSA, RS256, RS384, RS512, ES256, ES384, HS256, HS384 or HS512."""
    private_key: Secret | None = None
    """File, or the key itself (with a line break or `=` in it): PEM, for EdDSA also base64, for HS a shared secret."""
    public_key: Secret | None = None
    """Likewise. Default: from the private key."""
    passphrase: Secret | None = None
    """Of a private key in PEM that is encrypted."""
    lifetime: timedelta | None = None
    """How long a new token is good. Default: until the user's name or roles change."""
    key_id: str | None = None
    """`kid` in the head of new tokens."""


@frozen(kw_only=True)
class SecuritySettings:
    """`packeton.security`: how callers prove who they are."""

    query_tokens: bool = True
    """Accept tokens in the address (`?token=`, `?username=&apiToken=`), as forges' hooks send them. They are never
    logged by us, but by what stands in front of us."""


@frozen(kw_only=True)
class SessionSettings:
    """`packeton.sessions`: how long people stay signed in on the pages."""

    idle: timedelta = timedelta(hours=12)
    """After this time without a request."""
    longest: timedelta = timedelta(days=7)
    """However much they do."""


@frozen(kw_only=True)
class WebProtectionSettings:
    """`packeton.web_protection`: hides all but Composer's routes; either condition is enough."""

    repo_hosts: tuple[str, ...] = ()
    """Hosts on which everything else is hidden; `*` is all but those given as `!host`."""
    allow_ips: tuple[str, ...] = ()
    """Addresses and CIDR ranges, as a list or with commas: from all others everything else is hidden."""
    custom_page: str | None = None
    """What `/` shows instead of "not found": HTML, or the path of a file."""
    status_code: int = 200
    """With the custom page."""
    content_type: str | None = None
    """Of the custom page; default: text/html."""


@frozen(kw_only=True)
class UpstreamSettings:
    """`packeton.upstream`: how we reach other servers."""

    contact: str = "https://pypi.org/project/packeton/"
    """URL or mail address in our User-Agent, so that an upstream's operator can reach you."""
    ca_file: Path | None = None
    """PEM file of certificate authorities to trust besides the system's."""
    http_proxy: Secret | None = None
    """Proxy for http:// URLs; default: environment `http_proxy`."""
    https_proxy: Secret | None = None
    """Proxy for https:// URLs (CONNECT); default: environment `https_proxy` or `HTTPS_PROXY`."""
    no_proxy: str | None = None
    """Comma list of hosts, `.suffixes` and `*` reached without a proxy; default: environment `no_proxy`, `NO_PROXY`."""
    connections_per_host: int = 16
    """Requests under way at once to one host."""
    connect_timeout: timedelta = timedelta(seconds=10)
    response_timeout: timedelta = timedelta(seconds=30)
    """How long to wait for a response head."""
    idle_timeout: timedelta = timedelta(seconds=30)
    """How long a body may be silent."""
    total_timeout: timedelta = timedelta(minutes=30)
    max_metadata_bytes: int = 16 * 2**20
    """Larger metadata documents are refused."""
    max_dist_bytes: int = 2 * 2**30
    """Larger dists are refused."""
    max_redirects: int = 10


@frozen(kw_only=True)
class CacheSettings:
    """`packeton.cache`: the store of upstream content in the data directory."""

    max_bytes: int = 50 * 2**30
    """Least recently used content goes first once the store is larger; pinned content stays."""
    max_age: timedelta = timedelta(days=180)
    """Content that nobody asked for in this time goes."""
    memory_bytes: int = 64 * 2**20
    """Memory for rendered documents."""
    max_entries: int = 100_000
    """Entries of a dist archive above which it is refused."""
    max_unpacked_bytes: int = 4 * 2**30
    """Unpacked size of a dist archive above which it is refused."""


@frozen(kw_only=True)
class JobSettings:
    """`packeton.jobs`: work that is done in the background, such as reading repositories."""

    at_once: int = 4
    """Jobs under way at once in this process; 0 leaves them all to `packeton worker`."""
    per_host: int = 2
    """Of these, how many may work with the same host."""


@frozen(kw_only=True)
class RedisSettings:
    """`packeton.redis`: optional; several nodes learn of each other's work at once, instead of within a second."""

    url: Secret | None = None
    """`redis://user:password@host:6379/0`, `redis://password@host`, `rediss://…`; default: environment `REDIS_URL`."""


@frozen(kw_only=True)
class DatabaseSettings:
    """`packeton.database`: where accounts, packages, jobs and the index of the cache are kept."""

    url: Secret | None = None
    """`postgresql://user:password@host:5432/name`, `mysql://…` (MariaDB too) or `sqlite:////path/file.db`. Default:
    environment `DATABASE_URL`, and without it the file `packeton.db` in the data directory."""
    connections: int = 4
    """Connections of this process to a server; for SQLite those that read beside the one that writes."""


@frozen(kw_only=True)
class VcsSettings:
    """`packeton.vcs`: reading repositories under version control, in child processes."""

    local_paths: tuple[str, ...] = ()
    """Absolute directories below which the address of a package may be a path or file://; none by default."""
    processes: int = 2
    """Child processes at once. One of them is kept for archives and small questions, where there are several."""
    per_host: int = 2
    """Repositories of one host that are read at once."""
    timeout: timedelta = timedelta(minutes=30)
    """For one crawl, or one archive."""
    keep_unused: timedelta = timedelta(days=60)
    """Copies of repositories that nobody used for so long are removed; they are made anew when needed."""
    max_repository_bytes: int = 8 * 2**30
    """Repositories whose first fetch brings more are refused."""
    max_archive_bytes: int = 2 * 2**30
    """Archives that unpack to more are refused."""
    max_memory_bytes: int = 3 * 2**30
    """What one child process may take."""


@frozen(kw_only=True)
class AdvisorySettings:
    """`packeton.advisories`: security advisories about what the composer.lock of our packages has."""

    enabled: bool = True
    """Ask, after a package was read, about the public packages in its composer.lock."""
    url: str = "https://packagist.org/api/security-advisories/"
    """The advisories API of a Composer repository: its `security-advisories.api-url`."""


@frozen(kw_only=True)
class HookSettings:
    """`packeton.hooks`: what forges send when something was pushed."""

    secret: Secret | None = None
    """What forges sign payloads with (GitHub, Gitea, Forgejo, Bitbucket: secret; GitLab: secret token). With one,
    payloads that are not signed with it are refused; the caller must have a good token in any case."""
    allow_unsigned: bool = False
    """With a secret: take payloads without any signature all the same; a wrong one is always refused."""


@frozen(kw_only=True)
class HttpBasicSettings:
    """`http_basic` of a mirror: both members are needed."""

    username: str
    password: Secret


@frozen(kw_only=True)
class MirrorSettings:
    """`packeton.mirrors.<alias>`: one upstream Composer repository."""

    url: Secret
    """Base URL of the upstream; may hold `user:password@`."""
    http_basic: HttpBasicSettings | None = None
    composer_auth: Mapping[str, Any] = field(factory=dict)
    """auth.json content, as a map or as JSON text."""
    options: Mapping[str, Any] = field(factory=dict)
    """As a map or as JSON text, only `http` in it: `header` (list of `Name: value`) or `headers` (map), sent to the
    upstream's own host; `proxy`; `timeout` and `max_duration` in seconds."""
    sync_lazy: bool | None = None
    """True: metadata is fetched when it is first asked for, and that of what clients use is kept fresh. False: all of
    it is fetched ahead. Default: true for packagist.org, else false."""
    sync_interval: int | None = None
    """Seconds between two synchronisations, and for which a metadata document is served unasked; 0 asks upstream each
    time. Default: documents are served for 300 seconds, and the interval depends on what upstream offers."""
    available_packages: tuple[str, ...] = ()
    """The only packages that are served, besides those that `available_package_patterns` cover."""
    available_package_patterns: tuple[str, ...] = ()
    """Shell globs over the names of the only packages that are served, for example `symfony/*`."""
    reserved_exceptions: tuple[str, ...] = ()
    """What this mirror may serve of `packeton.reserved_vendors`: package names, globs over them, or vendors."""
    enable_dist_mirror: bool = True
    """Serve dists; false leaves clients to upstream's dist URLs."""
    dist_urls: str = "mirrors"
    """`mirrors`: dist URLs stay as they are and the root's `mirrors` entry sends clients to us first. `rewrite`: dist
    URLs lead to us."""
    dist_shasum: bool = False
    """With `dist_urls: rewrite`: put the SHA-1 of dists that we hold into metadata that has none."""
    hide_source: bool = False
    """Leave `source` out of versions that have a dist, so that no client goes past us to version control. With
    `dist_urls: rewrite` a version without a dist gets one, which is built out of its source."""
    disable_v1: bool = False
    """Offer nothing for Composer 1, and no packages in the root itself."""
    disable_v2: bool = False
    """Offer no `metadata-url`: Composer 2 then uses what Composer 1 does."""
    available_packages_count_limit: int = 5000
    """Above this the full list of names is not made."""
    git_ssh_keys: Mapping[str, Any] = field(factory=dict)
    """Files with private keys for dists that must be built out of their source: one path, or paths by a part of the
    addresses they are for."""
    parent_notify: bool | None = None
    """Pass install notifications on to upstream. Default: true for packagist.org, else false."""
    public_access: bool = False
    """Anyone who reaches us may use this mirror."""
    info_cmd_message: str | None = None
    """Shown by Composer as `Info from <url>: …`."""
    stale_if_error: timedelta = timedelta(days=365)
    """How old a copy may be served while upstream fails."""
    logo: str | None = None


@frozen(kw_only=True)
class ProxySettings:
    """`packeton.proxies.<name>`: a plain HTTP cache (RFC 9111) in front of one origin."""

    url: Secret
    """Base URL of the origin; may hold `user:password@`."""
    path: str
    """Path below which it is mounted, for example `/files`."""


@frozen(kw_only=True)
class MetadataSettings:
    """`packeton.metadata`: the root of our own repository."""

    format: str = "auto"
    """`auto` by the client's generation, `only_v1`, `only_v2`, or `full` for both."""
    info_cmd_message: str | None = None
    """Shown by Composer as `Info from <url>: …`."""


@frozen(kw_only=True)
class ArchiveSettings:
    """`packeton.archive_options`: the archives of our own packages."""

    format: str = "zip"
    """`zip` or `tar`."""
    basedir: Path | None = None
    """Directory of the archives; default: environment `PACKAGIST_DIST_PATH`, else `zipball` in `packeton.data`."""
    endpoint: str | None = None
    """What addresses of archives begin with; default: environment `PACKAGIST_DIST_HOST`, else as the client sees us."""
    prebuild_zipball: bool = False
    """Build the archive of every version when it is read, not when it is first asked for."""
    include_archive_checksum: bool = False
    """Metadata has the SHA-1 of archives that are built; needs `prebuild_zipball`."""
    keep_unused: timedelta = timedelta(days=60)
    """Archives that nobody asked for in this time go; they are built again when needed."""


@frozen(kw_only=True)
class ArtifactSettings:
    """`packeton.artifacts`: packages that come as archives."""

    allowed_paths: tuple[str, ...] = ()
    """Directories below which packages of type `artifact` may look; default: `artifacts` in
    environment `APP_COMPOSER_HOME`, else in `packeton.data`."""
    support_types: tuple[str, ...] = ("zip",)
    """Kinds of archives that may be uploaded: `zip`, `tar`, `gz`, `tgz`."""
    artifact_storage: Path | None = None
    """Directory of the upload library; default: `artifact_storage` in environment `APP_COMPOSER_HOME`, else in
    `packeton.data`."""
    max_upload_bytes: int = 2 * 2**30
    """Larger uploads are refused."""


@frozen(kw_only=True)
class Settings:
    """The `packeton` tree."""

    data: Path = Path("var")
    """Directory for everything that is kept; made if missing."""
    listen: tuple[str, ...] = ("tcp:8080:interface=127.0.0.1",)
    """Twisted endpoint strings."""
    public_url: str | None = None
    """The address clients use, with its path. Default: from each request (Host, X-Forwarded-* of trusted proxies)."""
    trusted_proxies: tuple[str, ...] = ()
    """Addresses and CIDR ranges whose X-Forwarded-* we believe; default: environment `TRUSTED_PROXIES`."""
    trusted_hosts: tuple[str, ...] = ()
    """Regular expressions of Host headers to accept; empty accepts any. Default: environment `TRUSTED_HOSTS`."""
    app_secret: Secret | None = None
    """What keys for tokens and secrets at rest are derived from; must stay the same. Default: environment `APP_SECRET`,
    and without it a random one, made once and kept in the file `secret` of the data directory."""
    app_secret_previous: tuple[Secret, ...] = ()
    """Former values of `app_secret`: what was sealed with them, and tokens from then, stay good. Default: environment
    `APP_SECRET_PREVIOUS`, separated by commas."""
    anonymous_access: bool = False
    """Anybody reads the metadata of `anonymous_packages`; signed-in users keep what their groups allow. Default:
    environment `PUBLIC_ACCESS`."""
    anonymous_archive_access: bool = False
    """Anybody downloads dists of `anonymous_packages`. Default: environment `PUBLIC_ACCESS`."""
    anonymous_packages: tuple[str, ...] = ("*",)
    """What readers without an account see, where they may: `acme/a`, `acme/*`, `*`, each also with `:CONSTRAINT`."""
    health_check: bool = True
    """Answer `/api/healthz`."""
    metrics_allow_ips: tuple[str, ...] = ("127.0.0.0/8", "::1")
    """Who may read `/metrics` without being an administrator: addresses and CIDR ranges, as a list or with commas."""
    shutdown_timeout: timedelta = timedelta(seconds=10)
    """How long a stop waits for fills that are under way."""
    log: LogSettings = field(factory=LogSettings)
    mail: MailSettings = field(factory=MailSettings)
    ldap: LdapSettings = field(factory=LdapSettings)
    sessions: SessionSettings = field(factory=SessionSettings)
    web_protection: WebProtectionSettings = field(factory=WebProtectionSettings)
    cors_allow_origin: str | None = r"^https?://(localhost|127\.0\.0\.1)(:[0-9]+)?$"
    """Regular expression of origins whose scripts may call us from a browser; default: environment
    `CORS_ALLOW_ORIGIN`."""
    first_admin: FirstAdminSettings = field(factory=FirstAdminSettings)
    security: SecuritySettings = field(factory=SecuritySettings)
    jwt_authentication: JwtSettings = field(factory=JwtSettings)
    database: DatabaseSettings = field(factory=DatabaseSettings)
    redis: RedisSettings = field(factory=RedisSettings)
    upstream: UpstreamSettings = field(factory=UpstreamSettings)
    cache: CacheSettings = field(factory=CacheSettings)
    composer_auth: Mapping[str, Any] = field(factory=dict)
    """auth.json content, as a map or as JSON text: logins for packages that have no credential of their own. Default:
    environment `COMPOSER_AUTH`, over `auth.json` and `config.json` in the directory `APP_COMPOSER_HOME` names."""
    jobs: JobSettings = field(factory=JobSettings)
    hooks: HookSettings = field(factory=HookSettings)
    advisories: AdvisorySettings = field(factory=AdvisorySettings)
    reserved_vendors: tuple[str, ...] = ()
    """Vendors whose packages never come from a mirror, so that nobody else can publish one under their name: exact, or
    globs such as `acme-*`."""
    vcs: VcsSettings = field(factory=VcsSettings)
    mirrors: Mapping[str, MirrorSettings] = field(factory=dict)
    """By alias. Without any, one mirror `packagist` of https://repo.packagist.org is made, public on loopback only."""
    proxies: Mapping[str, ProxySettings] = field(factory=dict)
    metadata: MetadataSettings = field(factory=MetadataSettings)
    archive: tuple[str, ...] = ("mirror", "replace")
    """`replace`: the dists of all versions are ours. `mirror`: Composer asks us first, also where a lock names another
    address. true is both, false none: then only packages that exist nowhere else have archives."""
    archive_options: ArchiveSettings = field(factory=ArchiveSettings)
    artifacts: ArtifactSettings = field(factory=ArtifactSettings)
    github_no_api: bool = True
    """Repositories on GitHub are read with git alone. false: its API is asked for README, stars and the like, where a
    package has no ssh key. A credential decides for itself with `use-github-api`. Default: environment
    `GITHUB_NO_API`."""
    max_import: int = 10_000
    """How many repositories one mass import takes at most."""
    rss_max_items: int = 40
    """How many entries a feed has at most."""
    package_update_interval: timedelta = timedelta(hours=12)
    """How often packages are read again that no hook keeps up to date; default: environment `PACKAGE_UPDATE_INTERVAL`,
    in seconds."""
