"""Log observers: text and JSON lines; the access log. Neither holds a secret, and neither can be forged by a client."""

import json
import math
import re
from collections.abc import Mapping
from contextlib import suppress
from datetime import UTC, datetime
from typing import IO, Any, Final

from attrs import define, field
from twisted.logger import (
    FileLogObserver,
    FilteringLogObserver,
    ILogObserver,
    Logger,
    LogLevel,
    LogLevelFilterPredicate,
    LogPublisher,
    formatEvent,
)
from zope.interface import implementer

__all__ = ["AccessLog", "JsonObserver", "TextObserver", "install", "redact"]

USERINFO: Final = re.compile(r"(?<=://)[^/\s]*@")
NAMED: Final = re.compile(
    r"""(?ix) ((?<![\w-]) [\w-]{0,40}?
    (?:token|api[_-]?key|access[_-]?key|passw(?:or)?d|passphrase|secret|authorization|cookie)
    ["']? \s{0,9} [=:]{1,2} \s{0,9} [\[(]{0,2} b? ["']?) [^\s"'&;,)\]]+"""
)
SCHEME: Final = re.compile(r"(?i)\b(basic|bearer)\s{1,9}[A-Za-z0-9+/._=~-]{6,}")
KNOWN: Final = re.compile(r"\b(?:gh[pousr]_|github_pat_|glpat-|pk_api_|pk_jwt_|pat_|whk_)[A-Za-z0-9_.-]{8,}")
WORDS: Final = ("token", "key", "passw", "passphrase", "secret", "authorization", "cookie")
"""One of them is in all that NAMED matches; looking for them is the faster way to see that there is nothing."""
ESCAPES: Final = {code: f"\\x{code:02x}" for code in (*range(32), *range(127, 160))} | {
    code: f"\\u{code:04x}" for code in (0x2028, 0x2029)
}
QUOTABLE: Final = ESCAPES | {code: f"\\x{code:02x}" for code in b'"\\'}
MANY_LINES: Final = {code: text for code, text in ESCAPES.items() if code not in {9, 10}}


def redact(text: str) -> str:
    """
    Mask what looks like a credential: userinfo in URLs, `token=…`, `Authorization: …`, Basic, Bearer, forges' tokens.

    Takes time in proportion to the length of *text*.
    """
    lower = text.lower()
    if "@" in text:
        text = USERINFO.sub("***@", text)
    if "basic" in lower or "bearer" in lower:
        text = SCHEME.sub(r"\1 ***", text)
    if ("=" in text or ":" in text) and any(word in lower for word in WORDS):
        text = NAMED.sub(r"\1***", text)
    return KNOWN.sub("***", text) if "_" in text or "glpat-" in text else text


def _moment(event: Mapping[str, Any]) -> str:
    moment = datetime.fromtimestamp(event.get("log_time", 0), UTC)
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _message(event: Mapping[str, Any]) -> str:
    form = event.get("log_format")
    if isinstance(form, str) and "()" not in form:
        with suppress(Exception):  # Twisted's own formatting, which is several times slower, tells what is wrong
            return redact(form.format_map(event))
    return redact(formatEvent(dict(event)))


def _traceback(event: Mapping[str, Any]) -> str | None:
    failure = event.get("log_failure")
    return None if failure is None else redact(failure.getTraceback().rstrip())


def _level(event: Mapping[str, Any]) -> str:
    return str(event.get("log_level", LogLevel.info).name)


def _write(file: IO[Any], text: str) -> None:
    """Write all of *text* that the file's encoding can hold; the rest as escapes."""
    encoding = getattr(file, "encoding", None) or "utf-8"
    file.write(text.encode(encoding, "backslashreplace").decode(encoding))
    file.flush()


@implementer(ILogObserver)
@define
class TextObserver:
    """One line an event: time (UTC), level, namespace, message; further lines, and a traceback, are indented."""

    _file: IO[Any]

    def __call__(self, event: Mapping[str, Any]) -> None:
        """Write the event."""
        text = f"{_moment(event)} {_level(event):<8} {event.get('log_namespace', '-')}: {_message(event)}"
        traceback = _traceback(event)
        if traceback is not None:
            text += f"\n{traceback}"
        _write(self._file, text.translate(MANY_LINES).replace("\n", "\n    ") + "\n")


@implementer(ILogObserver)
@define
class JsonObserver:
    """One JSON object a line, with the event's simple fields."""

    _file: IO[Any]

    def __call__(self, event: Mapping[str, Any]) -> None:
        """Write the event."""
        document = {
            "time": _moment(event),
            "level": _level(event),
            "namespace": event.get("log_namespace", "-"),
            "message": _message(event),
        }
        for name, value in event.items():
            if isinstance(value, str | int | float) and name not in document and not name.startswith(("log_", "_")):
                document[name] = _simple(value)
        traceback = _traceback(event)
        if traceback is not None:
            document["traceback"] = traceback
        _write(self._file, json.dumps(document) + "\n")


def _simple(value: str | float) -> str | float | bool:
    """Return what JSON can hold. A text that hides itself (a secret) stays hidden."""
    if isinstance(value, str):
        return redact(str(value))
    return value if isinstance(value, int) or math.isfinite(value) else str(value)


def install(publisher: LogPublisher, *, form: str, level: str) -> None:
    """
    Make *publisher* write in our form to the files that it writes to now; other observers (syslog …) stay.

    Args:
        form: `text` or `json`.
        level: The lowest level that is written.
    """
    chosen = LogLevelFilterPredicate(defaultLogLevel=LogLevel.levelWithName(level))
    if level == "info":  # what Twisted says of its own doings is for debugging
        for namespace in ("twisted", "log_legacy"):
            chosen.setLogLevelForNamespace(namespace, LogLevel.warn)
    for old in list(publisher._observers):  # noqa: SLF001  # there is no public way to learn what twistd chose
        if isinstance(old, FileLogObserver):
            file = old._outFile  # noqa: SLF001
            publisher.removeObserver(old)
            observer = JsonObserver(file) if form == "json" else TextObserver(file)
            publisher.addObserver(FilteringLogObserver(observer, [chosen]))


def show(publisher: LogPublisher, file: IO[str], level: str) -> None:
    """Make *publisher* write what is of *level* or above to *file* as text, also; for commands."""
    chosen = LogLevelFilterPredicate(defaultLogLevel=LogLevel.warn)
    chosen.setLogLevelForNamespace("packeton", LogLevel.levelWithName(level))
    publisher.addObserver(FilteringLogObserver(TextObserver(file), [chosen]))


@define
class AccessLog:
    """Writes one line for each finished request, from which every credential has been left out."""

    _log: Logger = field(factory=lambda: Logger(namespace="packeton.access"))

    def __call__(
        self,
        *,
        method: str,
        path: str,
        status: int,
        sent: int,
        seconds: float,
        client: str,
        agent: str,
        cache: str,
    ) -> None:
        """Write it down; *path* has no query, and what looks like `user:password@` in it is masked."""
        self._log.info(
            '{client} "{method} {path}" {status} {sent} {seconds:.3f}s {cache} "{agent}"',
            client=_plain(client),
            method=redact(_plain(method[:20])),
            path=redact("/".join(map(_without_userinfo, _plain(path.partition("?")[0][:1000]).split("/")))),
            status=status,
            sent=sent,
            seconds=round(seconds, 6),
            cache=_plain(cache),
            agent=redact(_plain(agent[:300])),
        )


def _plain(text: str) -> str:
    """Return *text* on one line and without quotes; control characters, quotes and backslashes are written out."""
    return text.translate(QUOTABLE)


def _without_userinfo(segment: str) -> str:
    """Mask `user:password@` in one segment of a path, also where it is percent-encoded."""
    readable = segment.replace("%40", "@").replace("%3a", ":").replace("%3A", ":")
    before, at, rest = readable.rpartition("@")
    return f"***@{rest}" if at and ":" in before else segment
