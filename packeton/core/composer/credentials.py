"""auth.json: which credential goes to which host."""

from base64 import b64encode
from collections.abc import Mapping
from typing import Any
from urllib.parse import unquote, urlsplit, urlunsplit

from attrs import field, frozen

from packeton.errors import Invalid

__all__ = ["Credentials", "origin_of", "without_userinfo"]

Fields = tuple[tuple[str, str], ...]
DEFAULT_PORTS = {"http": 80, "https": 443}


def origin_of(url: str) -> str:
    """
    Return Composer's origin of a URL: `host`, or `host:port` where a port is written that is not the scheme's own.

    Source: Composer's Util/Url::getOrigin.
    """
    parts = urlsplit(url)
    host = (parts.hostname or "").lower()
    if ":" in host:
        host = f"[{host}]"
    return host if parts.port in {None, DEFAULT_PORTS.get(parts.scheme)} else f"{host}:{parts.port}"


def without_userinfo(url: str) -> str:
    """Return *url* without user and password."""
    parts = urlsplit(url)
    return urlunsplit(parts._replace(netloc=parts.netloc.rpartition("@")[2]))


def _basic(username: str, password: str) -> Fields:
    return (("Authorization", "Basic " + b64encode(f"{username}:{password}".encode()).decode()),)


def _bearer(token: str) -> Fields:
    return (("Authorization", f"Bearer {token}"),)


@frozen
class Credentials:
    """
    The header fields that go to each origin. A credential never goes to another origin.

    Source: Composer's Util/AuthHelper::addAuthenticationOptions.
    """

    _fields: Mapping[str, Fields] = field(factory=dict, repr=False)

    @classmethod
    def gather(
        cls, *, url: str, http_basic: tuple[str, str] | None = None, composer_auth: Mapping[str, Any] | None = None
    ) -> "Credentials":
        """
        Put together what one upstream needs: auth.json content, the user and password in its URL, `http_basic`.

        Raises:
            Invalid: auth.json has something in it that it cannot have; the text names the key, never the value.
        """
        fields = _read_auth(composer_auth or {})
        parts = urlsplit(url)
        if parts.username is not None:
            fields[origin_of(url)] = _basic(unquote(parts.username), unquote(parts.password or ""))
        if http_basic is not None:
            fields[origin_of(url)] = _basic(*http_basic)
        return cls(fields)

    def fields_for(self, url: str) -> Fields:
        """Return the header fields for a request to *url*."""
        return self._fields.get(origin_of(url), ())


def _read_auth(auth: Mapping[str, Any]) -> dict[str, Fields]:
    fields: dict[str, Fields] = {}
    for method, hosts in auth.items():
        if method in {"gitlab-domains", "github-domains"}:
            continue
        if not isinstance(hosts, Mapping):
            raise Invalid(f"{method}: must be a map of hosts")
        for host, value in hosts.items():
            try:
                fields[str(host).lower()] = _read_one(method, str(host), value)
            except (KeyError, TypeError, AttributeError) as error:
                raise Invalid(f"{method}.{host}: is not complete") from error
    return fields


def _read_one(method: str, host: str, value: Any) -> Fields:
    if method == "http-basic":
        return _basic(value["username"], value["password"])
    if method == "bearer":
        return _bearer(_string(value))
    if method == "github-oauth":
        return (("Authorization", f"token {_string(value)}"),)
    if method == "gitlab-oauth":
        return _bearer(_string(value["token"] if isinstance(value, Mapping) else value))
    if method == "gitlab-token":
        if isinstance(value, Mapping):
            return _basic(value["username"], value["token"])
        return (("PRIVATE-TOKEN", _string(value)),)
    if method == "bitbucket-oauth":
        return _basic(value["consumer-key"], value["consumer-secret"])
    if method == "custom-headers":
        return tuple((name.strip(), rest.strip()) for name, _, rest in (line.partition(":") for line in value))
    raise Invalid(f"{method}.{host}: this kind of credential is not known")


def _string(value: Any) -> str:
    if not isinstance(value, str):
        raise TypeError("a credential is text")
    return value
