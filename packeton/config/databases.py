"""DATABASE_URL: which database, as Doctrine writes it."""

from pathlib import Path
from typing import Final
from urllib.parse import parse_qsl, unquote, urlsplit

from attrs import field, frozen

from packeton.config.settings import Secret

__all__ = ["DatabaseAddress", "Engine", "database_address"]

Engine = str
"""`sqlite`, `postgresql` or `mysql` (MariaDB too)."""
SCHEMES: Final[dict[str, Engine]] = {
    "sqlite": "sqlite", "sqlite3": "sqlite", "pdo-sqlite": "sqlite",
    "postgresql": "postgresql", "postgres": "postgresql", "pgsql": "postgresql", "pdo-pgsql": "postgresql",
    "mysql": "mysql", "mysql2": "mysql", "mariadb": "mysql", "pdo-mysql": "mysql",
}  # fmt: skip
PORTS: Final = {"postgresql": 5432, "mysql": 3306}
IGNORED: Final = frozenset({"serverVersion", "charset", "driver"})
"""What the server is, we ask itself; and text is always UTF-8."""
OPTIONS: Final = {
    "postgresql": frozenset({"host", "sslmode", "sslrootcert", "sslcert", "sslkey", "application_name"}),
    "mysql": frozenset({"unix_socket", "ssl_ca", "ssl_cert", "ssl_key"}),
}
PROJECT: Final = "%kernel.project_dir%/"


@frozen(kw_only=True)
class DatabaseAddress:
    """Where a database is."""

    engine: Engine
    path: Path | None = None
    """The file of SQLite."""
    host: str = ""
    """Empty: a socket of this machine."""
    port: int = 0
    user: str = ""
    password: Secret | None = None
    name: str = ""
    options: tuple[tuple[str, str], ...] = field(default=())

    def __str__(self) -> str:
        """Say where it is, without user and password."""
        if self.engine == "sqlite":
            return f"sqlite:///{self.path}"
        return f"{self.engine}://{self.host or 'localhost'}:{self.port}/{self.name}"


def database_address(url: str) -> DatabaseAddress:
    """
    Read `sqlite:///var/app.db`, `postgresql://user:password@host:5432/name` or `mysql://…`.

    `serverVersion` and `charset` are accepted and mean nothing. `%kernel.project_dir%` is the current directory.
    Raises ValueError, which repeats nothing of the address. Source: Doctrine DBAL's DsnParser.
    """
    try:
        parts = urlsplit(url.strip())
        port = parts.port
        options = dict(parse_qsl(parts.query, keep_blank_values=True, strict_parsing=bool(parts.query)))
    except ValueError as error:
        raise ValueError("must be an address such as postgresql://user:password@host:5432/name") from error
    engine = SCHEMES.get(parts.scheme.replace("_", "-"))
    scheme, separator, rest = url.strip().partition("://")
    if engine is None and "_" in scheme:  # a scheme with an underscore is none to urlsplit
        return database_address(f"{scheme.replace('_', '-')}{separator}{rest}")
    if engine is None:
        raise ValueError("must begin with sqlite://, postgresql:// or mysql://")
    options = {name: value for name, value in options.items() if name not in IGNORED}
    if engine == "sqlite":
        return _file(rest.partition("?")[0], options)
    unknown = sorted(set(options) - OPTIONS[engine])
    if unknown:
        raise ValueError(f"has an unknown option {unknown[0][:40]}; known are {', '.join(sorted(OPTIONS[engine]))}")
    name = unquote(parts.path.lstrip("/"))
    if not name or "/" in name:
        raise ValueError("must name a database, as in postgresql://user:password@host/name")
    return DatabaseAddress(
        engine=engine,
        host=options.pop("host", "") or unquote(parts.hostname or ""),
        port=port or PORTS[engine],
        user=unquote(parts.username or ""),
        password=None if parts.password is None else Secret(unquote(parts.password)),
        name=name,
        options=tuple(sorted(options.items())),
    )


def _file(rest: str, options: dict[str, str]) -> DatabaseAddress:
    """Read what follows `sqlite://`: three slashes begin a relative path, four an absolute one."""
    if options:
        raise ValueError(f"has an unknown option {min(options)[:40]}")
    _, slash, path = rest.partition("/")
    path = unquote(path).removeprefix(PROJECT)
    if not slash or not path or path.endswith("/") or "memory:" in path or "\0" in path:
        raise ValueError("must name a file, as in sqlite:////var/lib/packeton/packeton.db")
    return DatabaseAddress(engine="sqlite", path=Path(path))
