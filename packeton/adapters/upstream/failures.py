"""What Twisted, OpenSSL and treq raise, as kinds of ours with a text for people. No text holds a credential."""

from collections.abc import Iterator

from OpenSSL import SSL
from service_identity.exceptions import VerificationError
from twisted.internet.defer import CancelledError
from twisted.internet.error import (
    ConnectError,
    ConnectingCancelledError,
    ConnectionDone,
    DNSLookupError,
    NoRouteError,
    TCPTimedOutError,
)
from twisted.internet.error import ConnectionAborted as Aborted
from twisted.internet.error import ConnectionLost as AbruptlyLost
from twisted.internet.error import ConnectionRefusedError as Refused
from twisted.internet.error import TimeoutError as ConnectTimedOut
from twisted.python.failure import Failure
from twisted.web._newclient import ParseError  # only here can it be had

from packeton.adapters.upstream.addresses import RedirectRefused
from packeton.adapters.upstream.connections import HeadTooLarge
from packeton.adapters.upstream.proxies import ProxyFailed
from packeton.adapters.upstream.targets import plain
from packeton.errors import BadContent, UpstreamFailed, UpstreamRefused, UpstreamTimedOut

__all__ = ["failure_of", "was_cancelled"]

VERIFICATION = {
    9: "it is not valid yet",
    10: "it has expired",
    18: "it is self-signed",
    19: "its authority is not known",
    20: "its authority is not known",
    21: "its authority is not known",
    23: "it was revoked",
}
"""By OpenSSL's X509_V_ERR_… codes. Source: openssl-verification-options(1)."""
LOST = "the connection was lost before an answer came"


def failure_of(error: BaseException, url: str) -> UpstreamFailed:
    """Turn what the HTTP client raised for *url* into a kind of ours."""
    where = plain(url)
    reasons = list(_reasons(error))
    for reason in reasons:
        if isinstance(reason, RedirectRefused):
            return UpstreamRefused(f"{where}: the address is private, and no upstream may send us there")
        if isinstance(reason, ConnectTimedOut | TCPTimedOutError):
            return UpstreamTimedOut(f"{where}: no connection in time")
        if isinstance(reason, HeadTooLarge):
            return BadContent(f"{where}: {reason}")
        if reason is not error and isinstance(reason, ParseError | ValueError | KeyError):
            return BadContent(f"{where}: the answer is no HTTP that we understand")
        told = _told(reason)
        if told is not None:
            return UpstreamFailed(f"{where}: {told}")
    if isinstance(error, ValueError):
        return UpstreamRefused(f"{where}: the address cannot be used")
    return UpstreamFailed(f"{where}: no usable answer ({type(reasons[-1]).__name__})")


def was_cancelled(error: BaseException) -> bool:
    """Say if *error* comes from a cancelled Deferred; Twisted wraps that, too."""
    return any(isinstance(reason, CancelledError | ConnectingCancelledError) for reason in _reasons(error))


def _reasons(error: BaseException) -> Iterator[BaseException]:
    """Yield what lies inside of Twisted's wrapping exceptions, innermost first, then *error*."""
    for failure in getattr(error, "reasons", ()):
        if isinstance(failure, Failure) and failure.value is not None:
            yield from _reasons(failure.value)
    yield error


def _told(reason: BaseException) -> str | None:
    """Return what happened, None when *reason* says nothing that people understand."""
    plainly: tuple[tuple[type[BaseException], str], ...] = (
        (DNSLookupError, "the host name is not known"),
        (Refused, "connection refused"),
        (NoRouteError, "there is no route to it"),
        (VerificationError, "the TLS certificate is not trusted: it is for another name"),
        (AbruptlyLost, LOST),
        (ConnectionDone, LOST),
        (Aborted, LOST),
    )
    for kind, text in plainly:
        if isinstance(reason, kind):
            return text
    if isinstance(reason, SSL.Error):
        return _tls(reason)
    if isinstance(reason, ProxyFailed):
        return str(reason)
    return "no connection" if isinstance(reason, ConnectError) else None


def _tls(error: SSL.Error) -> str:
    result = getattr(error, "verify_result", 0)
    if result:
        return f"the TLS certificate is not trusted: {VERIFICATION.get(result, f'OpenSSL says {result}')}"
    parts = error.args[0] if error.args and isinstance(error.args[0], list) else []
    texts = [str(part[-1]) for part in parts if isinstance(part, tuple) and part]
    return f"TLS failed: {', '.join(texts) or type(error).__name__}"
