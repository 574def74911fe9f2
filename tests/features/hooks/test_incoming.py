"""What incoming hooks are let through: by token, by signature, by whose package it is."""

import hmac
import os
from collections.abc import Coroutine
from hashlib import sha256
from typing import Any, TypeVar

import orjson
from attrs import define, field
from twisted.internet.defer import Deferred
from twisted.trial.unittest import SynchronousTestCase

from packeton.adapters.database.hooks import HookSecrets
from packeton.config.settings import Secret
from packeton.core.access.identities import Grant, Identity, Role, with_implied
from packeton.core.access.sealing import Sealer
from packeton.errors import Denied, Invalid, Unauthenticated
from packeton.features.hooks.incoming import Hook, HookRules, IncomingHooks
from packeton.interfaces.packages import Package
from tests.support.packages import MemoryPackages, package
from tests.support.scripted import immediately

T = TypeVar("T")
COMMON, OWN = "known to all our forges", "of this package only"
DEV = Identity(name="dev", user_id=1, roles=with_implied([Role.MAINTAINER]), method="token")


@define
class Updates:
    """Notes what is to be updated."""

    names: list[str] = field(factory=list)

    async def update(self, package: Package, **_: Any) -> str:
        self.names.append(package.name)
        return f"job of {package.name}"


class IncomingTests(SynchronousTestCase):
    """Two packages at one address, of which acme/own has a secret of its own."""

    def setUp(self) -> None:
        memory = MemoryPackages()
        self.addCleanup(memory.close)
        self.packages = memory.packages
        self.secrets = HookSecrets(memory.database, lambda: Sealer(["key"], os.urandom))
        for name in ("acme/common", "acme/own"):
            made = self.ok(self.packages.create(package(name, host="git.example.com", path="acme/mono")))
        self.own = made.id
        self.ok(self.secrets.put(made.id, Secret(OWN)))

    def ok(self, coroutine: Coroutine[Any, Any, T]) -> T:
        return self.successResultOf(Deferred.fromCoroutine(coroutine))

    async def receive(self, secret: str | None, *, by: Identity = DEV, sign_with: str | None = None, names: tuple[str, ...] = (), url: str = "https://git.example.com/acme/mono", allow_unsigned: bool = False) -> list[str]:
        """Send a hook; return the names of the packages that are updated."""
        updates: Any = Updates()
        hooks = IncomingHooks(self.packages, updates, immediately, self.secrets, HookRules(secret=secret, allow_unsigned=allow_unsigned))
        payload = {"repository": {"url": url}}
        body = orjson.dumps(payload)
        headers = {} if sign_with is None else {"x-hub-signature-256": "sha256=" + hmac.new(sign_with.encode(), body, sha256).hexdigest()}
        hook = Hook(payload=None if names else payload, names=names, body=body, headers=headers)
        await hooks.receive(hook, by, None)
        return updates.names  # type: ignore[no-any-return]

    def updated(self, *arguments: Any, **keywords: Any) -> list[str]:
        return self.ok(self.receive(*arguments, **keywords))

    def refused(self, kind: type[Exception], *arguments: Any, **keywords: Any) -> str:
        return str(self.failureResultOf(Deferred.fromCoroutine(self.receive(*arguments, **keywords)), kind).value)

    def test_own_secret(self) -> None:
        """A package with a secret of its own wants that, and the common one does not open it."""
        self.assertEqual(["acme/common", "acme/own"], self.updated(None, sign_with=OWN))
        self.assertEqual(["acme/common"], self.updated(None))
        self.assertEqual(["acme/common"], self.updated(None, sign_with="wrong"))
        self.assertEqual(["acme/own"], self.updated(COMMON, sign_with=OWN))
        self.assertEqual(["acme/common"], self.updated(COMMON, sign_with=COMMON))
        self.assertIn("not signed", self.refused(Unauthenticated, COMMON))
        self.assertIn("wrong", self.refused(Unauthenticated, COMMON, sign_with="another"))
        self.ok(self.secrets.put(self.own, None))
        self.assertEqual(["acme/common", "acme/own"], self.updated(None))

    def test_unsigned(self) -> None:
        """With `allow_unsigned` a missing signature is taken, a wrong one never."""
        self.assertEqual(["acme/common", "acme/own"], self.updated(COMMON, allow_unsigned=True))
        self.assertIn("wrong", self.refused(Unauthenticated, COMMON, sign_with="x", allow_unsigned=True))

    def test_names(self) -> None:
        """Names need no payload, and so no signature."""
        self.assertEqual(["acme/own"], self.updated(COMMON, names=("acme/own", "acme/none")))

    def test_unknown(self) -> None:
        """Who does not know the secret does not learn what we have."""
        elsewhere = "https://git.example.com/acme/unknown"
        self.refused(Unauthenticated, COMMON, url=elsewhere)
        self.refused(Invalid, COMMON, url=elsewhere, sign_with=COMMON)

    def test_whose(self) -> None:
        """Who may update none of the packages is refused; of several, those that it may are updated (S12)."""
        stranger = Identity(name="x", user_id=2, roles=frozenset({"ROLE_USER"}), grants=(Grant(package="*"),), method="token")
        self.refused(Denied, None, by=stranger)
        maintained = self.ok(self.packages.change(self.own, lambda held: package("acme/own", id=held.id, host=held.host, path=held.path, maintainers=frozenset({2}))))
        self.assertEqual(frozenset({2}), maintained.maintainers)
        keeper = Identity(name="x", user_id=2, roles=frozenset({"ROLE_USER", "ROLE_MAINTAINER"}), method="token")
        self.assertEqual(["acme/own"], self.updated(None, by=keeper, sign_with=OWN))
