"""YAML + environment + command line → Settings; every error begins with the path of the option."""

import json
import os
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import timedelta
from difflib import get_close_matches
from ipaddress import ip_address, ip_network
from pathlib import Path
from types import NoneType, UnionType
from typing import Any, TypeVar, Union, cast, get_args, get_origin, get_type_hints
from urllib.parse import urlsplit

import attrs
from attrs import evolve, field, frozen
from twisted.internet.endpoints import serverFromString

from packeton.config.archives import completed_archives, faults, spell_out
from packeton.config.checks import check_ldap, check_pages, check_upstream
from packeton.config.databases import database_address
from packeton.config.dotenv import with_dotenv
from packeton.config.environment import as_bool
from packeton.config.mail import mail_sender, mail_server
from packeton.config.redis import redis_address
from packeton.config.settings import (
    MirrorSettings,
    ProxySettings,
    Secret,
    Settings,
    VcsSettings,
)
from packeton.config.sources import files_of, read_tree
from packeton.config.tree import Tree
from packeton.config.trust import parts, proxies
from packeton.config.unbuilt import ACCEPTED, UNBUILT, refuse_unbuilt
from packeton.config.units import duration, size
from packeton.core.access.patterns import parse_line
from packeton.core.composer.credentials import Credentials
from packeton.core.composer.names import PackageName
from packeton.core.composer.options import HttpOptions
from packeton.errors import ConfigurationInvalid, Invalid, NotFound

__all__ = ["Loaded", "is_loopback", "load", "load_settings"]

NAME = re.compile(r"(?!\.+$)[A-Za-z0-9_.-]{1,64}")
MOUNT = re.compile(r"(?:/[A-Za-z0-9_.~-]+)+")
HOST = re.compile(r"[^\s/\\@,;'\"<>]+")
UNPRINTABLE = re.compile(r"[\s\x00-\x1f\x7f\\]")
PACKAGIST = frozenset({"packagist.org", "repo.packagist.org", "packagist.com"})
LAZY = frozenset({"packagist.org", "repo.packagist.org"})
Number = TypeVar("Number", int, timedelta)
OUR_PATHS = ("/mirror", "/api", "/metrics", "/p", "/p2", "/packages.json", "/packages", "/zipball", "/downloads")


FALLBACKS: tuple[tuple[str, str, Callable[[str], Any]], ...] = (
    ("trusted_proxies", "TRUSTED_PROXIES", proxies),
    ("trusted_hosts", "TRUSTED_HOSTS", parts),
    ("mail.dsn", "MAILER_DSN", str),
    ("mail.sender", "MAILER_FROM", str),
    ("app_secret", "APP_SECRET", str),
    ("first_admin.username", "ADMIN_USER", str),
    ("first_admin.password", "ADMIN_PASSWORD", str),
    ("first_admin.email", "ADMIN_EMAIL", str),
    ("app_secret_previous", "APP_SECRET_PREVIOUS", parts),
    ("database.url", "DATABASE_URL", str),
    ("redis.url", "REDIS_URL", str),
    ("composer_auth", "COMPOSER_AUTH", str),
    ("cors_allow_origin", "CORS_ALLOW_ORIGIN", str),
    ("anonymous_access", "PUBLIC_ACCESS", as_bool),
    ("anonymous_archive_access", "PUBLIC_ACCESS", as_bool),
    ("github_no_api", "GITHUB_NO_API", as_bool),
    ("package_update_interval", "PACKAGE_UPDATE_INTERVAL", lambda text: f"{text}s"),
    ("archive_options.basedir", "PACKAGIST_DIST_PATH", str),
    ("archive_options.endpoint", "PACKAGIST_DIST_HOST", str),
    ("artifacts.allowed_paths", "APP_COMPOSER_HOME", lambda home: [f"{home}/artifacts"]),
    ("artifacts.artifact_storage", "APP_COMPOSER_HOME", lambda home: f"{home}/artifact_storage"),
)
"""Variables that hold where the files say nothing: option, variable, how it is read."""


@frozen(kw_only=True)
class Loaded:
    """Settings, and by dotted path where each given value came from."""

    settings: Settings
    origins: Mapping[str, str] = field(factory=dict)
    files: tuple[Path, ...] = ()
    environment: Mapping[str, str] = field(factory=dict, repr=False)
    """The environment with the `.env` files; proxies are looked up in it."""


def load_settings(*paths: str | Path, environment: Mapping[str, str] | None = None) -> Settings:
    """
    Read settings from YAML files, or directories of them merged in name order; without any, the defaults.

    Raises:
        ConfigurationInvalid: in one line, beginning with the option's path or the file.
    """
    return load(paths, environment=os.environ if environment is None else environment).settings


def load(
    paths: Sequence[str | Path] = (),
    *,
    environment: Mapping[str, str],
    data: str | None = None,
    listen: Sequence[str] = (),
) -> Loaded:
    """Read settings; *data* and *listen* come from the command line and win. Raises ConfigurationInvalid."""
    if not paths and environment.get("PACKETON_CONFIG"):
        paths = environment["PACKETON_CONFIG"].split(os.pathsep)
    given = [Path(path) for path in paths]
    folder = next((path if path.is_dir() else path.parent for path in given), Path())
    environment = with_dotenv(environment, folder)
    files = [file for path in given for file in files_of(path)]
    refuse_unbuilt(environment)
    tree = read_tree(files, environment)
    _overlay(tree, environment, data, listen)
    settings = _Reader(tree).section(Settings, "packeton", tree.values.get("packeton"))
    settings = _completed(settings, tree)
    return Loaded(settings=settings, origins=tree.origins, files=tuple(files), environment=environment)


def _overlay(tree: Tree, environment: Mapping[str, str], data: str | None, listen: Sequence[str]) -> None:
    """Lay environment variables and command line over what the files say."""
    split: dict[str, tuple[str, Callable[[str], Any]]] = {
        "data": ("PACKETON_DATA", str),
        "listen": ("PACKETON_LISTEN", lambda text: [part.strip() for part in text.split(";") if part.strip()]),
    }
    for key, (name, read) in split.items():
        if environment.get(name):
            tree.merge({"packeton": {key: read(environment[name])}}, {f"packeton.{key}": f"environment {name}"})
    packeton = tree.values.setdefault("packeton", {})
    for key, spell in (("trusted_proxies", proxies), ("trusted_hosts", _listed)):
        if key in packeton:
            packeton[key] = spell(packeton[key])
    for path, name, read in FALLBACKS:
        section, _, key = path.rpartition(".")
        holder = (packeton.get(section) or {}) if section else packeton
        if environment.get(name) and isinstance(holder, dict) and holder.get(key) is None:
            try:
                inner: dict[str, Any] = {key: read(environment[name])}
            except ValueError as error:
                raise ConfigurationInvalid(f"packeton.{path}: cannot be read (environment {name})") from error
            values = {"packeton": {section: inner} if section else inner}
            tree.merge(values, {f"packeton.{path}": f"environment {name}"})
    spell_out(tree)
    for key, value in (("data", data), ("listen", list(listen))):
        if value:
            tree.merge({"packeton": {key: value}}, {f"packeton.{key}": "command line"})


def _listed(value: Any) -> Any:
    return parts(value) if isinstance(value, str) else value


class _Reader:
    """Turns plain values into settings classes, by the types of their fields."""

    def __init__(self, tree: Tree) -> None:
        self._tree = tree

    def wrong(self, path: str, message: str) -> ConfigurationInvalid:
        """Return the error for an option, with where it stands."""
        return self._tree.invalid(path, message)

    def section(self, kind: type[Any], path: str, values: Any) -> Any:
        """Read one section."""
        if values is None:
            values = {}
        if not isinstance(values, Mapping):
            raise self.wrong(path, f"must be a map, not {_kind(values)}")
        fields = {item.name: item for item in attrs.fields(kind)}
        types = get_type_hints(kind)
        read = {}
        for key, value in values.items():
            place = f"{path}.{key}"
            if self._is_unbuilt(place, value) or key not in fields:
                self._unknown(place, key, fields)
                continue
            if value is not None and not (value == "" and NoneType in get_args(types[key])):
                read[key] = self.value(types[key], place, value)
        for name, item in fields.items():
            if item.default is attrs.NOTHING and name not in read:
                raise self.wrong(f"{path}.{name}", "is missing")
        return kind(**read)

    def value(self, kind: Any, path: str, value: Any) -> Any:
        """Read one value of type *kind*."""
        origin, arguments = get_origin(kind), get_args(kind)
        if origin in {Union, UnionType}:
            return self.value(next(part for part in arguments if part is not NoneType), path, value)
        if origin is tuple:
            return self._list(arguments[0], path, value)
        if isinstance(origin, type) and issubclass(origin, Mapping):
            return self._map(arguments[1], path, value)
        if attrs.has(kind):
            return self.section(kind, path, value)
        try:
            return _plain(kind, path, value, self.shown(path, value))
        except ValueError as error:
            raise self.wrong(path, str(error)) from error

    def is_told(self, path: str) -> bool:
        """Say if an error may repeat what stands at *path* or below it."""
        return not self._tree.is_secret(path)

    def shown(self, path: str, value: Any) -> str:
        """Return *value* for an error's text; of a secret, and of what an environment variable holds, only its kind."""
        if not self.is_told(path):
            return "what it holds" if isinstance(value, str) else _kind(value)
        text = json.dumps(value, default=str)
        return text if len(text) <= 60 else f"{text[:60]}…"

    def _list(self, kind: Any, path: str, value: Any) -> tuple[Any, ...]:
        items = ([value] if value else []) if isinstance(value, str) else value
        if not isinstance(items, list):
            raise self.wrong(path, f"must be a list, not {_kind(value)}")
        return tuple(self.value(kind, f"{path}[{index}]", item) for index, item in enumerate(items))

    def _map(self, kind: Any, path: str, value: Any) -> dict[str, Any]:
        if isinstance(value, str) and value and path.endswith(".git_ssh_keys"):
            return {"": value}
        if isinstance(value, str) and value and kind is Any:
            try:
                value = json.loads(value)
            except ValueError as error:
                raise self.wrong(path, "must be a map or JSON text of one") from error
        if value in ([], ""):  # PHP's empty map, and an empty variable
            value = {}
        if not isinstance(value, Mapping):
            raise self.wrong(path, f"must be a map, not {_kind(value)}")
        for name in value:
            if kind is not Any and not NAME.fullmatch(name):
                raise self.wrong(f"{path}.{name}", "a name is up to 64 letters, digits, points, hyphens, underscores")
        return {name: self.value(kind, f"{path}.{name}", inner) for name, inner in value.items()}

    def _is_unbuilt(self, path: str, value: Any) -> bool:
        pattern = re.sub(r"^packeton\.mirrors\.(.+)\.([^.]+)$", r"packeton.mirrors.*.\2", path)
        if pattern in UNBUILT:
            if not any(value is harmless or value == harmless for harmless in UNBUILT[pattern]):
                raise self.wrong(path, "not supported yet")
            return True
        return pattern in ACCEPTED

    def _unknown(self, path: str, key: str, fields: Iterable[str]) -> None:
        pattern = re.sub(r"^packeton\.mirrors\.(.+)\.([^.]+)$", r"packeton.mirrors.*.\2", path)
        if pattern not in UNBUILT and pattern not in ACCEPTED:
            close = get_close_matches(key, list(fields), 1)
            raise self.wrong(path, "unknown option" + (f"; did you mean {close[0]}?" if close else ""))


def _plain(kind: Any, path: str, value: Any, shown: str) -> Any:
    """Read a value that is no section. Raises ValueError saying what it must be, and not *shown*."""
    if kind is Any:
        return value
    if kind is bool:
        if isinstance(value, bool):
            return value
        hint = " (%env(bool:NAME)% makes one of a variable)" if isinstance(value, str) else ""
        raise ValueError(f"must be true or false, not {shown}{hint}")
    if kind is int:
        if path.endswith("_bytes"):
            return _unit(size, value, shown)
        if isinstance(value, int) and not isinstance(value, bool):
            return _positive(value)
        raise ValueError(f"must be a whole number, not {shown}")
    if kind is timedelta:
        return _unit(duration, value, shown)
    if kind in {str, Path, Secret}:
        if isinstance(value, str) and value.strip() and "\0" not in value:
            return kind(value)
        raise ValueError(_no_text(value, _kind(value) if kind is Secret else shown))
    raise TypeError(f"{path}: no way to read {kind}")


def _no_text(value: Any, shown: str) -> str:
    quotes = "; put it in quotes" if isinstance(value, int | float) else ""
    return "must be text that is not empty" if isinstance(value, str) else f"must be text, not {shown}{quotes}"


def _positive(number: int) -> int:
    if number < 0:
        raise ValueError("must not be negative")
    return number


def _kind(value: Any) -> str:
    names = {dict: "a map", list: "a list", str: "text", bool: "true or false", int: "a number", float: "a number"}
    return names.get(type(value), "nothing" if value is None else type(value).__name__)


def _unit(read: Callable[[object], Number], value: Any, shown: str) -> Number:
    try:
        return read(value)
    except ValueError as error:
        raise ValueError(f"{error}, not {shown}") from error


def _completed(settings: Settings, tree: Tree) -> Settings:
    """Fill in what depends on other values, and check what one field's type cannot say."""
    reader = _Reader(tree)
    _check_top(settings, reader)
    for place, fault in faults(settings):
        raise reader.wrong(place, fault)
    settings = completed_archives(settings)
    mirrors = {
        alias: _mirror(mirror, f"packeton.mirrors.{alias}", reader) for alias, mirror in settings.mirrors.items()
    }
    if not mirrors:
        local = all(is_loopback(endpoint) for endpoint in settings.listen)
        packagist = MirrorSettings(url=Secret("https://repo.packagist.org"), public_access=local)
        mirrors = {"packagist": _mirror(packagist, "packeton.mirrors.packagist", reader)}
    _check_proxies(settings.proxies, reader)
    return evolve(settings, mirrors=mirrors)


def _mirror(mirror: MirrorSettings, path: str, reader: _Reader) -> MirrorSettings:
    url = _web_url(mirror.url.reveal(), f"{path}.url", reader).rstrip("/")
    shown = reader.shown(f"{path}.dist_urls", mirror.dist_urls)
    if mirror.dist_urls not in {"mirrors", "rewrite"}:
        raise reader.wrong(f"{path}.dist_urls", f"must be mirrors or rewrite, not {shown}")
    basic = mirror.http_basic
    try:
        Credentials.gather(
            url=url,
            http_basic=None if basic is None else (basic.username, basic.password.reveal()),
            composer_auth=mirror.composer_auth,
        )
    except Invalid as error:
        raise reader.wrong(f"{path}.composer_auth", str(error)) from error
    _check_keys(mirror, path, reader)
    try:
        HttpOptions.read(mirror.options)
    except Invalid as error:
        raise reader.wrong(f"{path}.options", str(error)) from error
    host = urlsplit(url).hostname
    notify = host in PACKAGIST if mirror.parent_notify is None else mirror.parent_notify
    lazy = host in LAZY if mirror.sync_lazy is None else mirror.sync_lazy
    _check_names(mirror, path, reader)
    return evolve(mirror, url=Secret(url), parent_notify=notify, sync_lazy=lazy)


def _check_names(mirror: MirrorSettings, path: str, reader: _Reader) -> None:
    for index, name in enumerate(mirror.available_packages):
        try:
            PackageName.parse(name.lower())
        except NotFound as error:
            place = f"{path}.available_packages[{index}]"
            raise reader.wrong(place, "must be a package's name, vendor/name") from error


def _check_keys(mirror: MirrorSettings, path: str, reader: _Reader) -> None:
    for part, file in mirror.git_ssh_keys.items():
        place = f"{path}.git_ssh_keys" + (f".{part}" if part else "")
        if not isinstance(file, str):
            raise reader.wrong(place, "must be the path of a file")
        try:
            Path(file).open("rb").close()
        except OSError as error:
            raise reader.wrong(place, f"the file cannot be read: {error.strerror}") from error


def _check_top(settings: Settings, reader: _Reader) -> None:
    _check_listen(settings, reader)
    _check_patterns(settings, reader)
    if settings.public_url is not None:
        _web_url(settings.public_url, "packeton.public_url", reader)
        if "@" in urlsplit(settings.public_url).netloc:
            raise reader.wrong("packeton.public_url", "must not hold a user or password")
    for index, text in enumerate(settings.anonymous_packages):
        try:
            parse_line(text)
        except Invalid as error:
            raise reader.wrong(f"packeton.anonymous_packages[{index}]", str(error)) from error
    check_upstream(settings.upstream, reader.wrong)
    _check_vcs(settings.vcs, reader)
    for name, provider in settings.ldap.providers.items():
        check_ldap(provider, f"packeton.ldap.providers.{name}", reader.wrong)
    check_pages(settings, reader.wrong)
    _check_services(settings, reader)
    for path, value, choices in (
        ("packeton.log.format", settings.log.format, ("text", "json")),
        ("packeton.log.level", settings.log.level, ("debug", "info", "warn", "error")),
    ):
        if value not in choices:
            raise reader.wrong(path, f"must be one of {', '.join(choices)}, not {reader.shown(path, value)}")


def _check_services(settings: Settings, reader: _Reader) -> None:
    """Check the addresses of the database and the mail server, as texts."""
    if not 1 <= settings.database.connections <= 100:
        raise reader.wrong("packeton.database.connections", "must be from 1 to 100")
    _web_url(settings.advisories.url, "packeton.advisories.url", reader)
    database = settings.database.url or Secret("sqlite:///packeton.db")
    for path, read, text in (
        ("packeton.database.url", database_address, database.reveal()),
        ("packeton.redis.url", redis_address, (settings.redis.url or Secret("redis://localhost")).reveal()),
        ("packeton.mail.dsn", mail_server, "null://null" if settings.mail.dsn is None else settings.mail.dsn.reveal()),
        ("packeton.mail.sender", mail_sender, settings.mail.sender),
    ):
        try:
            read(text)
        except ValueError as error:
            raise reader.wrong(path, str(error)) from error


def _check_vcs(vcs: VcsSettings, reader: _Reader) -> None:
    for path in vcs.local_paths:
        if not path.startswith("/") or path.strip("/") == "" or ".." in path.split("/"):
            shown = reader.shown("packeton.vcs.local_paths", path)
            raise reader.wrong("packeton.vcs.local_paths", f"must be absolute directories below the root, not {shown}")
    for name in ("processes", "per_host", "max_repository_bytes", "max_archive_bytes"):
        if getattr(vcs, name) < 1:
            raise reader.wrong(f"packeton.vcs.{name}", "must be at least 1")
    if vcs.max_memory_bytes < 2**28:
        raise reader.wrong("packeton.vcs.max_memory_bytes", "must be at least 256MiB")
    if not vcs.timeout:
        raise reader.wrong("packeton.vcs.timeout", "must be more than nothing")


def _check_listen(settings: Settings, reader: _Reader) -> None:
    if not settings.listen:
        raise reader.wrong("packeton.listen", "must name at least one endpoint")
    for endpoint in settings.listen:
        try:
            serverFromString(cast("Any", None), endpoint)
        except Exception as error:  # Twisted raises what the parser of each kind happens to
            told = f"{endpoint} is no endpoint: {error}" if reader.is_told("packeton.listen") else "one is no endpoint"
            raise reader.wrong("packeton.listen", told) from error


def _check_patterns(settings: Settings, reader: _Reader) -> None:
    for text in settings.trusted_proxies:
        try:
            if text != "unix":
                ip_network(text, strict=False)
        except ValueError as error:
            told = text if reader.is_told("packeton.trusted_proxies") else "one"
            raise reader.wrong("packeton.trusted_proxies", f"{told} is no address or range") from error
    for text in settings.trusted_hosts:
        try:
            re.compile(text)
        except re.error as error:
            told = text if reader.is_told("packeton.trusted_hosts") else "one"
            raise reader.wrong("packeton.trusted_hosts", f"{told} is no regular expression: {error}") from error


def _check_proxies(proxies: Mapping[str, ProxySettings], reader: _Reader) -> None:
    taken: dict[str, str] = dict.fromkeys(OUR_PATHS, "this server's own pages")
    for name, proxy in proxies.items():
        path = f"packeton.proxies.{name}"
        _web_url(proxy.url.reveal(), f"{path}.url", reader)
        if not MOUNT.fullmatch(proxy.path) or ".." in proxy.path:
            raise reader.wrong(f"{path}.path", "must be a path such as /files")
        for other, owner in taken.items():
            if f"{proxy.path}/".startswith(f"{other}/") or f"{other}/".startswith(f"{proxy.path}/"):
                raise reader.wrong(f"{path}.path", f"{proxy.path} lies in the way of {owner} ({other})")
        taken[proxy.path] = f"proxy {name}"


def _web_url(url: str, path: str, reader: _Reader) -> str:
    try:
        parts = urlsplit(url)
        usable = parts.scheme in {"http", "https"} and HOST.fullmatch(parts.hostname or "") and parts.port != 0
    except ValueError:
        usable = None
    if not usable or UNPRINTABLE.search(url):
        raise reader.wrong(path, "must be an address that begins with http:// or https:// and names a host")
    if parts.query or parts.fragment:
        raise reader.wrong(path, "must have no query and no fragment")
    return url


def is_loopback(endpoint: str) -> bool:
    """Say if a server endpoint string listens where only this machine can reach it; when in doubt, no."""
    kind, *arguments = re.split(r"(?<!\\):", endpoint)
    if kind == "unix":
        return True
    interface = next((part.partition("=")[2] for part in arguments if part.startswith("interface=")), "")
    interface = interface.replace("\\", "")
    try:
        return kind in {"tcp", "tcp6", "tcp4", "ssl"} and ip_address(interface).is_loopback
    except ValueError:
        return interface == "localhost"
