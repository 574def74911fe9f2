"""Logs: form, levels, and no secrets."""

import io
import json

from twisted.logger import FileLogObserver, Logger, LogPublisher, formatEvent
from twisted.trial.unittest import SynchronousTestCase

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

    def test_no_injection(self) -> None:
        """Control characters are written out; query and credentials are left out."""
        events: list[dict[str, object]] = []
        AccessLog(Logger(namespace="a", observer=events.append))(
            method="GET", path="/a\r\nb/u:tellnobody@h?token=tellnobody", status=200, sent=5, seconds=0.1,
            client="1.2.3.4", agent="x\n2026 fake line", cache="hit",
        )  # fmt: skip
        line = formatEvent(events[0])
        self.assertNotIn("\n", line)
        self.assertNotIn("tellnobody", line)
        self.assertIn("200 5", line)
