"""Log observers: text and JSON lines; the access log. Neither holds a secret."""

import json
import re
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import IO, Any

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

USERINFO = re.compile(r"(?<=://)[^/\s@]+@")
TOKENS = re.compile(r"(?i)\b((?:[a-z0-9_-]*token|api[_-]?key|password|passwd|secret|authorization)\s*[=:]\s*)\S+")
BEARER = re.compile(r"(?i)\b(basic|bearer)\s+[A-Za-z0-9+/._=~-]{6,}")
PAIR = re.compile(r"[^/:@\s]+:[^/@\s]+@")
ESCAPES = {code: f"\\x{code:02x}" for code in (*range(32), *range(127, 160))}


def redact(text: str) -> str:
    """Mask what looks like a credential: userinfo in URLs, `token=…`, `Authorization: …`, Basic and Bearer."""
    text = USERINFO.sub("***@", text)
    text = BEARER.sub(r"\1 ***", text)
    return TOKENS.sub(r"\1***", text)


def _moment(event: Mapping[str, Any]) -> str:
    return datetime.fromtimestamp(event["log_time"], UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _message(event: Mapping[str, Any]) -> str:
    return redact(formatEvent(dict(event)))


def _traceback(event: Mapping[str, Any]) -> str | None:
    failure = event.get("log_failure")
    return None if failure is None else redact(failure.getTraceback().rstrip())


@implementer(ILogObserver)
@define
class TextObserver:
    """One line an event: time (UTC), level, namespace, message; a traceback follows indented."""

    _file: IO[Any]

    def __call__(self, event: Mapping[str, Any]) -> None:
        """Write the event."""
        level = event.get("log_level", LogLevel.info).name
        message = _message(event).replace("\n", "\n    ")
        lines = f"{_moment(event)} {level:<8} {event.get('log_namespace', '-')}: {message}\n"
        traceback = _traceback(event)
        if traceback is not None:
            lines += "    " + traceback.replace("\n", "\n    ") + "\n"
        self._file.write(lines)
        self._file.flush()


@implementer(ILogObserver)
@define
class JsonObserver:
    """One JSON object a line, with the event's simple fields."""

    _file: IO[Any]

    def __call__(self, event: Mapping[str, Any]) -> None:
        """Write the event."""
        document = {
            "time": _moment(event),
            "level": event.get("log_level", LogLevel.info).name,
            "namespace": event.get("log_namespace", "-"),
            "message": _message(event),
        }
        for name, value in event.items():
            simple = isinstance(value, str | int | float | bool)
            if simple and name not in document and not name.startswith(("log_", "_")):
                document[name] = redact(value) if isinstance(value, str) else value
        traceback = _traceback(event)
        if traceback is not None:
            document["traceback"] = traceback
        self._file.write(json.dumps(document, ensure_ascii=False) + "\n")
        self._file.flush()


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
            method=_plain(method)[:20],
            path=PAIR.sub("***@", _plain(path.partition("?")[0]))[:1000],
            status=status,
            sent=sent,
            seconds=round(seconds, 6),
            cache=_plain(cache),
            agent=redact(_plain(agent))[:300],
        )


def _plain(text: str) -> str:
    """Return *text* on one line, control characters written out."""
    return text.translate(ESCAPES)
