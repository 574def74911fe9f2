"""What one field's type cannot say, of single sections."""

import re
from collections.abc import Callable
from datetime import timedelta
from ipaddress import ip_network
from urllib.parse import urlsplit

from packeton.config.settings import LdapProviderSettings, Settings, UpstreamSettings
from packeton.errors import ConfigurationInvalid

__all__ = ["Wrong", "check_ldap", "check_pages", "check_upstream"]

Wrong = Callable[[str, str], ConfigurationInvalid]
"""Takes an option's path and what is wrong with it."""


def check_ldap(provider: LdapProviderSettings, path: str, wrong: Wrong) -> None:
    """Raises ConfigurationInvalid."""
    try:
        parts = urlsplit(provider.server)
        good = parts.scheme in {"ldap", "ldaps"} and bool(parts.hostname) and parts.port != 0
        good = good and parts.path in {"", "/"} and not (parts.query or parts.fragment or "@" in parts.netloc)
    except ValueError:
        good = False
    if not good:
        raise wrong(f"{path}.server", "must be ldap://host:port or ldaps://host:port")
    if (provider.search_dn is None) != (provider.search_password is None):
        raise wrong(f"{path}.search_password", "search_dn and search_password are given together or not at all")
    for name, text in (("filter", provider.filter), ("login_dn", provider.login_dn)):
        if text is not None and "{username}" not in text:
            raise wrong(f"{path}.{name}", "must have {username} in it")
    if not re.fullmatch(r"[A-Za-z][A-Za-z0-9-]*", provider.uid_key):
        raise wrong(f"{path}.uid_key", "must be the name of an attribute")
    if not provider.timeout:
        raise wrong(f"{path}.timeout", "must be more than nothing")


def check_pages(settings: Settings, wrong: Wrong) -> None:
    """Check what concerns the web pages. Raises ConfigurationInvalid."""
    for name in ("idle", "longest"):
        if getattr(settings.sessions, name) < timedelta(minutes=1):
            raise wrong(f"packeton.sessions.{name}", "must be at least 1m")
    protection = settings.web_protection
    for name, texts in (
        ("metrics_allow_ips", settings.metrics_allow_ips), ("web_protection.allow_ips", protection.allow_ips)
    ):  # fmt: skip
        for part in ",".join(texts).split(",") if texts else ():
            try:
                ip_network(part.strip(), strict=False)
            except ValueError as error:
                raise wrong(f"packeton.{name}", f"{part.strip()!r} is no address or range") from error
    if not 200 <= protection.status_code <= 599:
        raise wrong("packeton.web_protection.status_code", "must be a status from 200 to 599")
    if protection.content_type is not None and not re.fullmatch(r"[\x20-\x7e]+/[\x20-\x7e]+", protection.content_type):
        raise wrong("packeton.web_protection.content_type", "must be a media type such as text/html")
    if settings.cors_allow_origin is not None:
        try:
            re.compile(settings.cors_allow_origin)
        except re.error as error:
            raise wrong("packeton.cors_allow_origin", f"is no regular expression: {error}") from error


def check_upstream(upstream: UpstreamSettings, wrong: Wrong) -> None:
    """Check how other servers are reached. Raises ConfigurationInvalid."""
    if upstream.connections_per_host < 1:
        raise wrong("packeton.upstream.connections_per_host", "must be at least 1")
    if upstream.ca_file is not None:
        try:
            upstream.ca_file.open("rb").close()
        except OSError as error:
            raise wrong("packeton.upstream.ca_file", f"{upstream.ca_file}: {error.strerror}") from error
    for name in ("connect_timeout", "response_timeout", "idle_timeout", "total_timeout"):
        if not getattr(upstream, name):
            raise wrong(f"packeton.upstream.{name}", "must be more than nothing")
