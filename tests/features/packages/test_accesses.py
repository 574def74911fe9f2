"""The way to repositories: credentials of auth.json for git, and credentials at rest."""

from collections.abc import Coroutine
from typing import Any, TypeVar
from unittest import TestCase

from sqlalchemy import select
from twisted.internet.defer import Deferred
from twisted.trial.unittest import SynchronousTestCase
from zope.interface.verify import verifyObject

from packeton.adapters.database.credentials import CredentialRecords
from packeton.adapters.database.tables.packages import credentials
from packeton.config.settings import Secret
from packeton.core.access.sealing import Sealer
from packeton.errors import Invalid, Unsealable
from packeton.features.packages.accesses import Accesses, login_for
from packeton.interfaces.credentials import Credential, ICredentialRecords
from tests.support.packages import NEW_YEAR, MemoryPackages, package

T = TypeVar("T")
KEY = Secret("-----BEGIN OPENSSH PRIVATE KEY-----\nabc\n-----END OPENSSH PRIVATE KEY-----\n")


class LoginTests(TestCase):
    """auth.json → user and password."""

    def test_kinds(self) -> None:
        """As Composer's git driver has them; for the host only."""
        for auth, expected in (
            ({"http-basic": {"git.example.com": {"username": "u", "password": "p"}}}, ("u", "p", None)),
            ({"bearer": {"git.example.com": "t"}}, (None, None, "t")),
            ({"github-oauth": {"git.example.com": "t"}}, ("t", "x-oauth-basic", None)),
            ({"gitlab-oauth": {"git.example.com": {"token": "t"}}}, ("oauth2", "t", None)),
            ({"gitlab-token": {"git.example.com": "t"}}, ("private-token", "t", None)),
            ({"gitlab-token": {"git.example.com": {"username": "u", "token": "t"}}}, ("u", "t", None)),
            ({"http-basic": {"example.com": {"username": "u", "password": "p"}}}, (None, None, None)),
            ({"http-basic": "odd", "bearer": {"git.example.com": 7}}, (None, None, None)),
            ({}, (None, None, None)),
        ):
            self.assertEqual(expected, login_for("https://git.example.com/a.git", auth), auth)

    def test_ports(self) -> None:
        """One with the port comes first; an address that is none has nothing."""
        auth = {"bearer": {"x.example:8443": "port", "x.example": "host"}}
        self.assertEqual("port", login_for("https://x.example:8443/a", auth)[2])
        self.assertEqual("host", login_for("https://X.example/a", auth)[2])
        self.assertEqual((None, None, None), login_for("git@x.example:acme/a.git", auth))
        self.assertEqual((None, None, None), login_for("https://x.example:port/", auth))


class CredentialTests(SynchronousTestCase):
    """Credentials at rest, and the packages that use them."""

    def setUp(self) -> None:
        self.memory = MemoryPackages()
        self.addCleanup(self.memory.close)
        self.sealer = Sealer(["one"], lambda size: b"n" * size)
        self.records = CredentialRecords(self.memory.database, lambda: self.sealer)
        verifyObject(ICredentialRecords, self.records)
        self.accesses = Accesses(self.memory.packages, self.records)

    def ok(self, coroutine: Coroutine[Any, Any, T]) -> T:
        return self.successResultOf(Deferred.fromCoroutine(coroutine))

    def refused(self, kind: type[Exception], coroutine: Coroutine[Any, Any, T]) -> None:
        self.failureResultOf(Deferred.fromCoroutine(coroutine), kind)

    def make(self, **fields: Any) -> Credential:
        return self.ok(self.records.create(Credential(name="deploy", owner_id=3, created_at=NEW_YEAR, **fields)))

    def test_sealed(self) -> None:
        """Secrets come back, and stand nowhere in clear; lists have none; another secret opens nothing."""
        auth = {"bearer": {"x.example": "token-in-clear"}}
        made = self.make(ssh_key=KEY, composer_auth=auth, fingerprint="SHA256:x")
        found = self.ok(self.records.get(made.id))
        assert found is not None
        assert found.ssh_key is not None
        self.assertEqual((KEY.reveal(), auth), (found.ssh_key.reveal(), found.composer_auth))
        self.assertNotIn("token-in-clear", repr(found) + repr(self.ok(self.records.listed())))
        stored = repr(self.ok(self.memory.database.run(lambda connection: connection.execute(select(credentials)).all())))
        for secret in ("token-in-clear", "OPENSSH"):
            self.assertNotIn(secret, stored)
        self.assertEqual([None], [one.ssh_key for one in self.ok(self.records.listed(3))])
        self.assertEqual([], self.ok(self.records.listed(4)))
        self.sealer = Sealer(["two"], lambda size: b"n" * size)
        self.refused(Unsealable, self.records.get(made.id))

    def test_of_a_package(self) -> None:
        """The chosen one; a child goes its parent's way (C9); a deleted one is said."""
        made = self.make(ssh_key=KEY, composer_auth={"bearer": {"x.example": "t"}})
        packages = self.memory.packages
        parent = self.ok(packages.create(package("acme/mono", url="https://x.example/mono.git", credential_id=made.id)))
        child = self.ok(packages.create(package("acme/child", url="https://x.example/mono.git", parent_id=parent.id)))
        for one in (parent, child):
            access = self.ok(self.accesses.of(one))
            assert access.ssh_key is not None
            assert access.bearer is not None
            self.assertEqual(("https://x.example/mono.git", KEY.reveal(), "t"), (access.url, access.ssh_key.reveal(), access.bearer.reveal()))
        self.assertTrue(self.ok(self.records.remove(made.id)))
        self.assertFalse(self.ok(self.records.remove(made.id)))
        self.refused(Invalid, self.accesses.of(child))
        self.refused(Invalid, self.accesses.of(package("acme/none")))

    def test_common_logins(self) -> None:
        """A package without a credential, or whose credential has no login for the host, takes the common one."""
        common = {"http-basic": {"x.example": {"username": "u", "password": "p"}}}
        accesses = Accesses(self.memory.packages, self.records, common)
        made = self.make(composer_auth={"bearer": {"x.example": "own"}})
        plain = self.ok(accesses.of(package("acme/plain", url="https://x.example/a.git")))
        self.assertEqual(("u", "p", None), (plain.username, plain.password and plain.password.reveal(), plain.bearer))
        self.assertIsNone(self.ok(accesses.of(package("acme/other", url="https://y.example/a.git"))).username)
        own = self.ok(accesses.of(package("acme/own", url="https://x.example/a.git", credential_id=made.id)))
        self.assertEqual((None, "own"), (own.username, own.bearer and own.bearer.reveal()))
