"""auth.json: which credential goes to which host."""

from base64 import b64encode
from collections.abc import Iterable, Mapping
from hashlib import sha256
from typing import Any
from urllib.parse import unquote, urlsplit, urlunsplit

from attrs import field, frozen

from packeton.errors import Invalid

__all__ = ["Credentials", "basic_login", "bracketed", "origin_of", "without_userinfo"]

Fields = tuple[tuple[str, str], ...]
DEFAULT_PORTS = {"http": 80, "https": 443}
API_HOSTS = {"api.github.com": "github.com", "api.bitbucket.org": "bitbucket.org"}
"""Hosts that get the credentials of another one. Source: AuthHelper::addAuthenticationOptions, its last branch."""
GITHUB_API = "api.github.com"
CONFIGURATION = frozenset({"gitlab-domains", "github-domains", "gitlab-protocol", "github-protocols", "store-auths"})
"""Keys of Composer's `config` that people keep in auth.json; they are no credentials."""


def bracketed(host: str) -> str:
    """Return *host* as it stands in a URL: an IPv6 address in brackets."""
    return f"[{host}]" if ":" in host else host


def origin_of(url: str) -> str:
    """
    Return Composer's origin of a URL: `host`, or `host:port` where a port is written that is not the scheme's own.

    Raises:
        ValueError: *url* has a port that is none, or brackets that hold no address.

    Source: Composer's Util/Url::getOrigin.
    """
    parts = urlsplit(url)
    host = bracketed((parts.hostname or "").lower())
    return host if parts.port in {None, DEFAULT_PORTS.get(parts.scheme)} else f"{host}:{parts.port}"


def without_userinfo(url: str) -> str:
    """Return *url* without user and password, else as it stands. Raises ValueError for brackets without an address."""
    parts = urlsplit(url)
    if "@" not in parts.netloc:
        return url
    host = parts.netloc.rpartition("@")[2]
    if parts.netloc in url:
        return url.replace(parts.netloc, host, 1)
    return urlunsplit(parts._replace(netloc=host))  # there were tabs or line ends in it, which are dropped on reading


def basic_login(username: str, password: str) -> str:
    """Return an Authorization value, in UTF-8 as git and curl have it. Source: RFC 7617 section 2.1."""
    return "Basic " + b64encode(f"{username}:{password}".encode()).decode()


def _basic(username: str, password: str) -> Fields:
    return (("Authorization", basic_login(_string(username), _string(password))),)


def _bearer(token: Any) -> Fields:
    return (("Authorization", f"Bearer {_string(token)}"),)


@frozen
class Credentials:
    """
    The header fields that go to each origin. A credential never goes to another origin, and those of an upstream that
    is reached over https never go over plain http.

    Source: Composer's Util/AuthHelper::addAuthenticationOptions and IO/BaseIO::loadConfiguration.
    """

    _fields: Mapping[str, Fields] = field(factory=dict, repr=False)
    _https_only: bool = False

    @classmethod
    def gather(
        cls,
        *,
        url: str,
        http_basic: tuple[str, str] | None = None,
        composer_auth: Mapping[str, Any] | None = None,
        headers: Fields = (),
    ) -> "Credentials":
        """
        Put together what one upstream needs: auth.json content, the user and password in its URL, `http_basic`; the
        later ones win for the upstream's own origin. *headers* go there as well.

        Raises:
            Invalid: auth.json has something in it that it cannot have; the text names the key, never the value.
        """
        fields = _read_auth(composer_auth or {})
        parts = urlsplit(url)
        if parts.username is not None:
            fields[origin_of(url)] = _basic(unquote(parts.username), unquote(parts.password or ""))
        if http_basic is not None:
            fields[origin_of(url)] = _basic(*http_basic)
        if headers:
            known = fields.get(origin_of(url), ())
            names = {name.lower() for name, _ in known}
            fields[origin_of(url)] = (*known, *(pair for pair in headers if pair[0].lower() not in names))
        return cls(fields, parts.scheme == "https")

    def fields_for(self, url: str) -> Fields:
        """Return the header fields for a request to *url*; none where *url* is no address."""
        try:
            origin = origin_of(url)
        except ValueError:
            return ()
        if self._https_only and urlsplit(url).scheme != "https":
            return ()
        if origin in self._fields:
            return self._fields[origin]
        return self._fields.get(API_HOSTS.get(origin, origin), ())

    def realm_of(self, url: str) -> str:
        """Return a name for the credential that goes to *url*, equal for equal ones; it tells nothing of the secret."""
        fields = self.fields_for(url)
        return sha256(repr(fields).encode()).hexdigest()[:16] if fields else ""


def _read_auth(auth: Mapping[str, Any]) -> dict[str, Fields]:
    """Read all of it; of two credentials for one host the one that Composer reads last wins."""
    fields: dict[str, Fields] = {}
    unknown = sorted(str(method) for method in auth if method not in METHODS and method not in CONFIGURATION)
    if unknown:
        raise Invalid(f"{unknown[0]}: this kind of credential is not known")
    for method, read in METHODS.items():
        hosts = auth.get(method) or {}
        if not isinstance(hosts, Mapping):
            raise Invalid(f"{method}: must be a map of hosts")
        for host, value in hosts.items():
            try:
                found = _checked(read(value))
            except (KeyError, TypeError, AttributeError, ValueError):
                raise Invalid(f"{method}.{host}: is not complete, or holds what cannot be sent") from None
            name = str(host).lower()
            if method == "github-oauth":
                _add_github(fields, name, value)
            else:
                fields[name] = found + (fields.get(name, ()) if method == "custom-headers" else ())
    return fields


def _add_github(fields: dict[str, Fields], host: str, token: str) -> None:
    """Add a GitHub token: github.com's goes to its API only, another host's is a user name."""
    if host == "github.com":
        fields[GITHUB_API] = (("Authorization", f"token {token}"),)
    else:
        fields[host] = _basic(token, "x-oauth-basic")


def _bitbucket(value: Any) -> Fields:
    """A consumer's key and secret; or a token that does not expire. One that does would be stale before long."""
    if value.get("access-token") and not value.get("access-token-expiration"):
        return _bearer(value["access-token"])
    return _basic(value["consumer-key"], value["consumer-secret"])


def _gitlab_token(value: Any) -> Fields:
    if isinstance(value, Mapping):
        return _basic(value["username"], value["token"])
    return (("PRIVATE-TOKEN", _string(value)),)


def _custom(lines: Iterable[str]) -> Fields:
    if isinstance(lines, str):
        raise TypeError("custom headers are a list")
    pairs = [_string(line).partition(":") for line in lines]
    return tuple((name.strip(), value.strip()) for name, _, value in pairs)


METHODS: Mapping[str, Any] = {
    "bitbucket-oauth": _bitbucket,
    "github-oauth": _bearer,
    "gitlab-oauth": lambda value: _bearer(value["token"] if isinstance(value, Mapping) else value),
    "gitlab-token": _gitlab_token,
    "http-basic": lambda value: _basic(value["username"], value["password"]),
    "bearer": _bearer,
    "custom-headers": _custom,
}
"""In the order in which Composer reads them. Source: IO/BaseIO::loadConfiguration."""


def _checked(fields: Fields) -> Fields:
    """Return *fields*; raises ValueError for one that would break out of its line."""
    for name, value in fields:
        if not name or not all("!" <= char <= "~" and char != ":" for char in name):
            raise ValueError("a field name that is none")
        if not value.isprintable():
            raise ValueError("a control character")
    return fields


def _string(value: Any) -> str:
    if not isinstance(value, str):
        raise TypeError("a credential is text")
    return str(getattr(value, "reveal", lambda: value)())
