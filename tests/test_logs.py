"""Logs: form, levels, and no secrets."""

import io
import json
import time
from typing import Any

from hypothesis import given
from hypothesis import strategies as st
from twisted.logger import FileLogObserver, Logger, LogPublisher, formatEvent
from twisted.trial.unittest import SynchronousTestCase

from packeton.config.settings import Secret
from packeton.logs import AccessLog, JsonObserver, TextObserver, install, redact


class ObserverTests(SynchronousTestCase):
    """Lines."""

    def log(self, observer_class: type) -> tuple[Logger, io.StringIO]:
        file = io.StringIO()
        return Logger(namespace="n", observer=observer_class(file)), file

    def test_text(self) -> None:
        """One line an event, in UTC; a traceback is indented below it."""
        log, file = self.log(TextObserver)
        log.info("Filled {key}", key="a\nb")
        try:
            raise ValueError("https://u:tellnobody@x/")
        except ValueError:
            log.failure("It broke")
        lines = file.getvalue().splitlines()
        self.assertRegex(lines[0], r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z info +n: Filled a$")
        self.assertTrue(all(line.startswith("    ") for line in (lines[1], *lines[3:])))
        self.assertNotIn("tellnobody", file.getvalue())

    def test_json(self) -> None:
        """One object a line, with the event's simple fields."""
        log, file = self.log(JsonObserver)
        log.warn("Filled {key}", key="k", size=3, url="https://u:tellnobody@x/", odd=object())
        document = json.loads(file.getvalue())
        self.assertEqual(("warn", "n", "Filled k", 3), tuple(document[key] for key in ("level", "namespace", "message", "size")))
        self.assertNotIn("odd", document)
        self.assertNotIn("tellnobody", file.getvalue())

    def test_redact(self) -> None:
        """What looks like a credential."""
        for text in (
            "https://user:tellnobody@host/x", "?token=tellnobody&x", "Authorization: Basic tellnobody", "Bearer tellnobody",
            "api_key=tellnobody", "password: tellnobody", "apiToken=tellnobody",
        ):  # fmt: skip
            self.assertNotIn("tellnobody", redact(text), text)
        self.assertEqual("GET /p2/acme/foo.json at 12:30", redact("GET /p2/acme/foo.json at 12:30"))

    def test_secret_values(self) -> None:
        """A value that hides itself stays hidden in every form, as do credentials in a message and a traceback."""
        for observer in (TextObserver, JsonObserver):
            log, file = self.log(observer)
            secret = Secret("https://u:tellnobody@x/")
            log.info("At {url} {url!r} {text}", url=secret, text="http://u:tell@nobody@x")
            log.warn("Hm", password=Secret("tellnobody"), note="Authorization: Bearer tellnobody")
            try:
                raise ValueError(f"GET /?token=tellnobody {secret}")
            except ValueError:
                log.failure("Broken: {what}", what="X-Api-Key: tellnobody")
            self.assertNotIn("nobody", file.getvalue())
            self.assertIn("At *** Secret('***') http://***@x", file.getvalue())

    def test_nothing_forged(self) -> None:
        """What a client sends cannot make lines, nor move a terminal's cursor."""
        log, file = self.log(TextObserver)
        log.info("Got {text}", text="a\r\n2026-01-01T00:00:00.000Z info n: forged\x1b[2J\u2028\x9b")
        first, second = file.getvalue().split("\n")[:2]
        self.assertTrue(second.startswith("    2026"), second)
        self.assertTrue(file.getvalue().rstrip("\n").isascii() and "\x1b" not in file.getvalue() and "\r" not in first)
        self.assertIn("\\x1b[2J\\u2028\\x9b", second)

    def test_any_file(self) -> None:
        """What the file's encoding cannot hold is written out; odd numbers and events without a time are no trouble."""
        for observer in (TextObserver, JsonObserver):
            raw = io.BytesIO()
            file = io.TextIOWrapper(raw, encoding="ascii")
            Logger(namespace="n", observer=observer(file)).info("é \ud800 {n}", n=float("nan"), m=float("inf"))
            observer(file)({"log_format": "bare"})
            lines = raw.getvalue().decode("ascii").splitlines()
            self.assertEqual(2, len(lines))
            self.assertIn("bare", lines[1])
            if observer is JsonObserver:
                self.assertEqual("nan", json.loads(lines[0])["n"])
                self.assertEqual("1970-01-01T00:00:00.000Z", json.loads(lines[1])["time"])

    def test_redact_keeps(self) -> None:
        """What is no credential stays."""
        for text in (
            "https://repo.packagist.org/p2/acme/foo.json", "Filled mirror/a/p2/x.json: 5 bytes", "https://h/a@b", "tokens", "secretary: Ann",
            "basic", "http://[::1]:80/", "",
        ):  # fmt: skip
            self.assertEqual(text, redact(text))

    def test_redact_more(self) -> None:
        """Headers as they are printed, JSON, forges' tokens, passwords with an @."""
        for text in (
            "https://u:p@tellnobody@h/x", "{'PRIVATE-TOKEN': 'tellnobody'}", '{"password": "tellnobody"}', "b'cookie': [b'sid=tellnobody']",
            "glpat-tellnobody", "ghp_tellnobody", "github_pat_tellnobody", "access_token=tellnobody&x=1", "client_secret : tellnobody",
            "Proxy-Authorization: Basic tellnobody", "ftp://tellnobody@h",
        ):  # fmt: skip
            self.assertNotIn("tellnobody", redact(text), text)

    @given(st.text(st.sampled_from("ab:/@ =?%\"'*\\nétoken-_"), max_size=80))
    def test_redact_twice(self, text: str) -> None:
        """Masking what is masked changes nothing."""
        self.assertEqual(redact(redact(text)), redact(text))

    def test_redact_is_fast(self) -> None:
        """No text takes long."""
        began = time.monotonic()
        for piece in ("a", "://", "a:", "@", "token", "token=", "a-", " ", "basic ", "://a@", "=", "[(", "-token "):
            redact(piece * (200_000 // len(piece)))
        self.assertLess(time.monotonic() - began, 5)

    def test_install(self) -> None:
        """The observer on a file is replaced on the same file; others stay; levels are kept."""
        file, other = io.StringIO(), []
        publisher = LogPublisher(FileLogObserver(file, formatEvent), other.append)
        install(publisher, form="json", level="warn")
        log = Logger(namespace="n", observer=publisher)
        log.info("quiet")
        log.warn("loud")
        self.assertEqual(["loud"], [json.loads(line)["message"] for line in file.getvalue().splitlines()])
        self.assertEqual(2, len(other))


class AccessTests(SynchronousTestCase):
    """One line a request."""

    def line(self, **given: Any) -> str:
        events: list[dict[str, Any]] = []
        fields = {
            "method": "GET", "path": "/", "status": 200, "sent": 5, "seconds": 0.1234567, "client": "1.2.3.4", "agent": "Composer/2.8", "cache": "hit",
        }  # fmt: skip
        AccessLog(Logger(namespace="a", observer=events.append))(**{**fields, **given})
        (event,) = events
        line = formatEvent(event)
        file = io.StringIO()
        JsonObserver(file)(event)
        self.assertEqual(line, json.loads(file.getvalue())["message"])
        self.assertNotIn("nobody", file.getvalue())
        return line

    def test_line(self) -> None:
        """What it says."""
        self.assertEqual('1.2.3.4 "GET /p2/a/b.json" 200 5 0.123s hit "Composer/2.8"', self.line(path="/p2/a/b.json"))

    def test_no_injection(self) -> None:
        """Control characters and quotes are written out, wherever they came in."""
        for name in ("method", "path", "client", "agent", "cache"):
            line = self.line(**{name: 'x"\r\n\x1b\\\x00\u2028'})
            self.assertTrue(line.isprintable(), line)
            self.assertIn("x\\x22\\x0d\\x0a\\x1b\\x5c\\x00\\u2028"[:20], line)

    def test_no_credential(self) -> None:
        """Neither query nor user and password, encoded or not, nor tokens in a path or a user agent."""
        for path in (
            "/a?token=tellnobody", "/u:tellnobody@h/x", "/u%3Atellnobody%40h", "/http://u:tellnobody@h/", "/x/token=tellnobody/y",
            "/u:p@tellnobody@h", "/u%3atellnobody@h", "/?" + "tellnobody", "//u:tellnobody@h",
        ):  # fmt: skip
            self.assertIn(" 200 5 ", self.line(path=path))
        self.line(agent="curl Authorization: Bearer tellnobody")
        self.line(agent="x https://u:tellnobody@h")
        self.assertIn("/files/@scope/x@1.0.tgz", self.line(path="/files/@scope/x@1.0.tgz"))

    def test_bounded(self) -> None:
        """A line has an end, and takes no time."""
        began = time.monotonic()
        for piece in ("a", "a:", ":", "@", "%40", "/", "a:@/", "token="):
            self.assertLess(len(self.line(path="/" + piece * 100_000, agent=piece * 100_000, method=piece * 100)), 12_000)
        self.assertLess(time.monotonic() - began, 5)
