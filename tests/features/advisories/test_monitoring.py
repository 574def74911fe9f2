"""Advisories about what packages have locked, from an update to what is kept."""

from datetime import timedelta
from typing import Any
from urllib.parse import parse_qsl

import orjson
from attrs import evolve

from packeton.core.access.identities import Identity
from packeton.errors import UpstreamFailed
from packeton.features.advisories.monitoring import SETTING, SecurityMonitoring, audit_of, may_see_audit
from packeton.features.packages.updating import Outcome, Updates
from packeton.interfaces.packages import RepoType
from packeton.interfaces.sources import EventKind
from packeton.interfaces.upstream import UpstreamLimits
from tests.features.packages.test_updating import A, UpdatingTestCase, at, found
from tests.support.scripted import ScriptedClient, ScriptedResponse, immediately

URL = "https://packagist.example/api/security-advisories/"


def lock_of(*names: str, version: str = "1.0.0") -> bytes:
    """Return a composer.lock of packagist's packages."""
    url = "https://packagist.org/downloads/"
    return orjson.dumps({"packages": [{"name": name, "version": version, "notification-url": url} for name in names]})


def answer(*entries: tuple[str, str], status: int = 200) -> ScriptedResponse:
    """Return an answer of the API, out of packages and ids."""
    listed: dict[str, list[dict[str, Any]]] = {}
    for name, number in entries:
        sources = [{"name": "GitHub", "remoteId": f"GHSA-{number}"}]
        entry = {"advisoryId": number, "cve": f"CVE-{number}", "affectedVersions": "<2", "title": "Leaks", "sources": sources}
        listed.setdefault(name, []).append(entry)
    return ScriptedResponse(status=status, body=orjson.dumps({"advisories": listed or []}))


class MonitoringTests(UpdatingTestCase):
    """Updates with a monitoring."""

    def setUp(self) -> None:
        super().setUp()
        self.client = ScriptedClient()
        self.limits = UpstreamLimits(max_body_bytes=10_000)
        self.monitoring = SecurityMonitoring(
            self.packages, self.client, URL, self.limits, self.is_private, immediately, lambda: self.now,  # type: ignore[arg-type]
        )  # fmt: skip
        self.updates = Updates(
            self.packages, self.versions, self.revisions,
            dict.fromkeys(RepoType, self.source), None, immediately, lambda: self.now, [self.listen],  # type: ignore[arg-type]
            audit=self.monitoring,
        )  # fmt: skip
        self.make()
        self.source.findings = [at("tag:1.0", A, found("1.0", "1.0.0.0", A))]

    async def is_private(self, name: str) -> bool:
        return name.startswith("acme/")

    def check(self, *answers: Any, lock: bytes | None = None, **report: Any) -> list[str]:
        """Update; return the ids that are known then. The scripted answers must all be asked for."""
        self.client.answers = [*answers]
        self.source.report = {"lock": lock, **report}
        self.assertEqual(Outcome.COMPLETED, self.run_update().outcome)
        self.assertEqual([], self.client.answers)
        state = audit_of(self.held())
        return [] if state is None else [one.id for one in state.advisories]

    def told(self) -> list[str | None]:
        return [event.message for event in self.events if event.kind is EventKind.SECURITY_AUDIT]

    def test_news(self) -> None:
        """What is new is told and logged once; the state survives later updates and edits."""
        lock = lock_of("a/a", "b/b", "acme/secret")
        self.assertEqual(["1"], self.check(answer(("a/a", "1"), ("c/c", "9")), lock=lock))
        request = self.client.requests[0]
        sent = parse_qsl((request.body or b"").decode())
        self.assertEqual(("POST", URL, [("packages[]", "a/a"), ("packages[]", "b/b")]), (request.method, request.url, sent))
        line = "Security advisory for a/a 1.0.0: Leaks (CVE-1, 1)"
        self.assertEqual([line], self.told())
        self.assertIn(line, self.lines)
        held = self.held()
        self.ok(self.packages.change(held.id, lambda one: evolve(one, settings={**one.settings, "glob": "x"})))
        self.assertEqual(["1"], self.check(answer(("a/a", "1")), lock=lock))
        self.assertEqual([], self.told())
        self.assertEqual(["1", "2"], self.check(answer(("a/a", "1"), ("b/b", "2")), lock=lock))
        self.assertEqual(["Security advisory for b/b 1.0.0: Leaks (CVE-2, 2)"], self.told())
        state = audit_of(self.held())
        assert state is not None
        self.assertEqual((("GitHub", "GHSA-1"),), state.advisories[0].reporters)
        self.assertEqual(({"a/a": "1.0.0", "b/b": "1.0.0"}, self.now), (state.versions, state.checked_at))

    def test_fixed_and_ignored(self) -> None:
        """A newer version, and composer.json, end an advisory; without a lock nothing is kept."""
        self.assertEqual(["1"], self.check(answer(("a/a", "1")), lock=lock_of("a/a")))
        ignoring = orjson.dumps({"config": {"audit": {"ignore": ["CVE-1"]}}})
        self.assertEqual([], self.check(answer(("a/a", "1")), lock=lock_of("a/a"), manifest=ignoring))
        self.assertEqual(["1"], self.check(answer(("a/a", "1")), lock=lock_of("a/a")))
        self.assertEqual([], self.check(answer(("a/a", "1")), lock=lock_of("a/a", version="2.0.0")))
        self.assertEqual([], self.told())
        self.assertEqual([], self.check())
        self.assertNotIn(SETTING, self.held().settings)

    def test_often(self) -> None:
        """An unchanged lock is asked about again after 600 seconds, another one at once."""
        self.check(answer(), lock=lock_of("a/a"))
        for seconds, name, asks in ((599, "a/a", False), (1, "a/a", True), (1, "a/b", True), (1, "a/b", False)):
            self.now += timedelta(seconds=seconds) - timedelta(hours=1)  # which run_update adds
            self.check(*([answer()] if asks else []), lock=lock_of(name))

    def test_failures(self) -> None:
        """The update is good all the same, the log says why, and what was known stays."""
        self.check(answer(("a/a", "1")), lock=lock_of("a/a"))
        large = ScriptedResponse(body=b" " * 20_000)
        for failure, why in (
            (UpstreamFailed("no way"), "no way"), (answer(status=503), "503"), (ScriptedResponse(body=b"<html>"), "no JSON"),
            (large, "larger than"),
        ):  # fmt: skip
            self.assertEqual(["1"], self.check(failure, lock=lock_of("a/a")))
            self.assertIn(why, "\n".join(self.lines))
        self.assertEqual(["1"], self.check(lock=b"{}"))
        self.assertEqual([], self.told())

    def test_many(self) -> None:
        """At most 500 names go out at once; without names nothing does."""
        self.check(answer(), answer(), lock=lock_of(*(f"a/p{number}" for number in range(501))))
        sizes = [len(parse_qsl((request.body or b"").decode())) for request in self.client.requests]
        self.assertEqual([500, 1], sizes)
        self.assertEqual([], self.check(lock=lock_of("acme/a")))

    def test_who(self) -> None:
        """Who maintains the package sees it."""
        package = evolve(self.held(), maintainers=frozenset({7}))
        for user_id, expected in ((7, True), (8, False), (None, False)):
            self.assertEqual(expected, may_see_audit(Identity(name="x", user_id=user_id), package))
