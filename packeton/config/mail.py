"""MAILER_DSN: which mail server, as Symfony's mailer writes it."""

from email.headerregistry import Address
from email.utils import parseaddr
from typing import Final
from urllib.parse import parse_qsl, unquote, urlsplit

from attrs import frozen

from packeton.config.settings import Secret

__all__ = ["MailServer", "mail_sender", "mail_server"]

PORTS: Final = {"smtp": 25, "smtps": 465}
TRUE: Final = {"1": True, "true": True, "on": True, "yes": True, "0": False, "false": False, "off": False, "no": False}
IGNORED: Final = frozenset({"ping_threshold", "restart_threshold", "restart_threshold_sleep", "max_per_second"})
"""About connections that are kept open, which we do not."""
FLAGS: Final = frozenset({"verify_peer", "require_tls", "auto_tls"})
LOOPBACK: Final = frozenset({"localhost", "127.0.0.1", "::1"})


@frozen(kw_only=True)
class MailServer:
    """An SMTP server, and how to speak with it."""

    host: str
    port: int
    user: str | None = None
    password: Secret | None = None
    implicit_tls: bool = False
    """TLS from the first byte; else STARTTLS where the server offers it."""
    starttls: bool = True
    require_tls: bool = False
    """Send nothing in clear; always so when there is a password and the server is another machine."""
    verify_peer: bool = True
    local_domain: str = "localhost"


def mail_server(dsn: str) -> MailServer | None:
    """
    Read `smtp://user:password@host:587`, `smtps://host` or `null://null`, which is None.

    Options: `verify_peer`, `require_tls`, `auto_tls` (STARTTLS), `local_domain`; those about kept connections are
    accepted and mean nothing here. Raises ValueError, which does not repeat the DSN.
    Source: Symfony's mailer, EsmtpTransportFactory.
    """
    try:
        parts = urlsplit(dsn)
        port = parts.port
    except ValueError as error:
        raise ValueError("must be a DSN such as smtp://user:password@host:587") from error
    if parts.scheme == "null":
        return None
    if parts.scheme not in PORTS:
        raise ValueError("must begin with smtp://, smtps:// or null://")
    host = (parts.hostname or "").strip("[]")
    if not host or parts.path not in {"", "/"}:
        raise ValueError("must name a host, as in smtp://host:587")
    options = {name: value for name, value in parse_qsl(parts.query, keep_blank_values=True) if name not in IGNORED}
    local = options.pop("local_domain", "localhost")
    flags = {name: _flag(name, options.pop(name)) for name in FLAGS & options.keys()}
    if options:
        raise ValueError(f"has an unknown option {min(options)[:40]}")
    if not local.isascii() or not local.isprintable() or " " in local:
        raise ValueError("has a local_domain that is no host name")
    password = None if parts.password is None else Secret(unquote(parts.password))
    implicit = parts.scheme == "smtps" or port == PORTS["smtps"]
    must = password is not None and host not in LOOPBACK and flags.get("auto_tls", True)
    return MailServer(
        host=host,
        port=port or PORTS[parts.scheme],
        user=unquote(parts.username) if parts.username else None,
        password=password,
        implicit_tls=implicit,
        starttls=flags.get("auto_tls", True),
        require_tls=flags.get("require_tls", must),
        verify_peer=flags.get("verify_peer", True),
        local_domain=local,
    )


def mail_sender(text: str) -> Address:
    """Read `Name <name@example.com>` or a bare address. Raises ValueError."""
    name, address = parseaddr(text)
    user, at, domain = address.rpartition("@")
    if not at or not user or not domain or not address.isascii() or any(part in text for part in "\r\n"):
        raise ValueError("must be a mail address, such as Packeton <packeton@example.com>")
    return Address(display_name=name, username=user, domain=domain)


def _flag(name: str, value: str) -> bool:
    if value.lower() not in TRUE:
        raise ValueError(f"has an option {name} that is neither true nor false")
    return TRUE[value.lower()]
