"""How hooks are read from requests."""

from collections.abc import Callable
from typing import Any
from urllib.parse import urlencode

import orjson
from attrs import define, field
from klein import Klein
from twisted.trial.unittest import SynchronousTestCase

from packeton.core.access.identities import ANONYMOUS
from packeton.features.hooks.incoming import Hook
from packeton.web.access import Caller
from packeton.web.api.hooks import HookRoutes
from tests.support.wire import Wire

FORM = {"Content-Type": "application/x-www-form-urlencoded"}


@define
class Site:
    """Lets everybody in, and notes which hooks came and what was done in threads."""

    hooks: list[Hook] = field(factory=list)
    threads: list[str] = field(factory=list)

    async def caller(self, _request: Any, **_: Any) -> Caller:
        return Caller(identity=ANONYMOUS, repository=None, address="-")

    async def receive(self, hook: Hook, *_: Any) -> list[Any]:
        self.hooks.append(hook)
        return []

    async def in_thread(self, work: Callable[..., Any], *args: Any) -> Any:
        self.threads.append(work.__name__)
        return work(*args)


class HookReadingTests(SynchronousTestCase):
    """JSON and forms, small and large."""

    def setUp(self) -> None:
        self.site: Any = Site()
        app = Klein()
        HookRoutes(self.site, self.site, self.site.in_thread).install(app)
        self.wire = Wire(app.resource())
        self.addCleanup(self.wire.close)

    def test_sizes(self) -> None:
        """What is over 64 KB is read off the reactor thread, with the same outcome."""
        for size, threads in ((10, []), (64 << 10, ["_hook"]), (3 << 20, ["_hook"])):
            payload = {"repository": {"url": "https://example.com/a/b"}, "more": "é" * size}
            plain, form = orjson.dumps(payload), urlencode({"payload": orjson.dumps(payload), "composer_package_name": "A/b"}).encode()
            for headers, body, names in (({}, plain, ()), (FORM, form, ("a/b",))):
                if len(body) > 8 << 20:
                    continue
                with self.subTest(size=size, headers=headers):
                    self.site.hooks, self.site.threads = [], []
                    self.assertEqual(202, self.wire.ask("POST", "/api/github", headers, body).status)
                    (hook,) = self.site.hooks
                    self.assertEqual((payload, names, body), (hook.payload, hook.names, hook.body))
                    self.assertEqual(threads, self.site.threads)

    def test_broken(self) -> None:
        """A large body that is no JSON is refused like a small one."""
        for body in (b"{", b"{" * (100 << 10)):
            answer = self.wire.ask("POST", "/api/update-package", None, body)
            self.assertEqual((406, {"status": "error", "message": "the payload is broken JSON"}), (answer.status, answer.json()))
