"""REDIS_URL: which Redis server, as Symfony writes it."""

from typing import Final
from urllib.parse import unquote, urlsplit

from attrs import frozen

from packeton.config.settings import Secret

__all__ = ["RedisAddress", "redis_address"]

MAX_DATABASE: Final = 1023


@frozen(kw_only=True)
class RedisAddress:
    """A server and the number of a database in it."""

    host: str
    port: int = 6379
    user: str | None = None
    password: Secret | None = None
    database: int = 0
    tls: bool = False
    """The server's certificate is verified for its host."""

    def __str__(self) -> str:
        """Say where it is, without user and password."""
        return f"redis{'s' if self.tls else ''}://{self.host}:{self.port}/{self.database}"


def redis_address(url: str) -> RedisAddress:
    """
    Read `redis://host:6379/0`, `redis://password@host`, `redis://user:password@host`, `rediss://…` (TLS).

    Raises ValueError, which repeats nothing of the address. Source: Symfony's RedisTrait.
    """
    try:
        parts = urlsplit(url.strip())
        port = parts.port
    except ValueError as error:
        raise ValueError("must be an address such as redis://password@host:6379/0") from error
    if parts.scheme not in {"redis", "rediss"}:
        raise ValueError("must begin with redis:// or rediss://")
    number = parts.path.strip("/") or "0"
    if not parts.hostname or port == 0:
        raise ValueError("must name a host, as in redis://host:6379")
    if parts.query or not number.isdecimal() or len(number) > 4 or int(number) > MAX_DATABASE:
        raise ValueError("must end with nothing but the number of a database, as in redis://host:6379/1")
    user, password = parts.username, parts.password
    if password is None:  # alone it is the password
        user, password = None, user
    return RedisAddress(
        host=parts.hostname,
        port=port or 6379,
        user=unquote(user) if user else None,
        password=Secret(unquote(password)) if password else None,
        database=int(number),
        tls=parts.scheme == "rediss",
    )
