"""URLs as they are asked for, followed and shown."""

from urllib.parse import quote, urljoin, urlsplit

from packeton.core.composer.credentials import without_userinfo
from packeton.errors import UpstreamFailed, UpstreamRefused

__all__ = ["followed", "host_of", "plain", "sendable"]

AS_IT_IS = "".join(chr(code) for code in range(0x21, 0x7F) if chr(code) not in '"<>\\^`{|}')
"""Printable ASCII but what may not stand in a URL unquoted; "%" too: what is quoted stays as it is."""


def plain(url: str) -> str:
    """Return *url* for a message: no user, no password, no query, no control characters."""
    try:
        bare = without_userinfo(url)
    except ValueError:
        return "an address that cannot be read"
    bare = bare.partition("?")[0].partition("#")[0]
    return "".join(char if char.isprintable() else "?" for char in bare)[:500]


def host_of(url: str) -> str:
    """Return the host of a URL, lower case; "-" where there is none."""
    try:
        return urlsplit(url).hostname or "-"
    except ValueError:
        return "-"


def sendable(url: str) -> str:
    """
    Return *url* as a request carries it: without fragment and userinfo, quoted where it must be, else untouched.

    Raises:
        UpstreamRefused: it is no http or https address.
    """
    try:
        parts = urlsplit(url)
        usable = parts.scheme in {"http", "https"} and bool(parts.hostname) and parts.port != 0
        bare = without_userinfo(url).partition("#")[0]
    except ValueError:
        usable, bare = False, ""
    if not usable:
        raise UpstreamRefused(f"{plain(url)}: not an http or https address")
    return quote(bare, safe=AS_IT_IS)


def followed(url: str, location: str) -> str:
    """
    Return where a redirect from *url* leads. *location* is latin-1 text, as header fields are.

    Raises:
        UpstreamFailed: to nothing that can be asked for.

    Source: RFC 9110 section 10.2.2. User and password in a Location are dropped: an upstream chooses no credentials.
    """
    try:
        target = urljoin(url, quote(location.strip().encode("latin-1", "replace"), safe=AS_IT_IS))
        return sendable(target)
    except (ValueError, UpstreamRefused):
        raise UpstreamFailed(f"{plain(url)}: a redirect to something that is no web address") from None
