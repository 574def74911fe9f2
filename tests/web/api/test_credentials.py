"""REST for credentials, on a database in memory, whose bytes are looked through."""

import json
from typing import Any
from unittest import TestCase

from attrs import evolve
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from packeton.adapters.database.credentials import CredentialRecords
from packeton.adapters.database.packages import PackageRecords
from packeton.core.access.identities import Role
from packeton.core.access.sealing import Sealer
from packeton.errors import NotFound
from packeton.features.packages.keyring import Keyring
from packeton.web.api.credentials import CredentialApi
from packeton.web.root import PacketonResource
from tests.support.access import MemoryAccess, basic
from tests.support.packages import package
from tests.support.scripted import immediately
from tests.support.wire import Wire

CONFIG = {"http-basic": {"git.example.com": {"username": "u", "password": "geheim-geheim"}}}


def make_key() -> str:
    return Ed25519PrivateKey.generate().private_bytes(Encoding.PEM, PrivateFormat.OpenSSH, NoEncryption()).decode()


class CredentialApiTests(TestCase):
    """`/api/credentials`."""

    def setUp(self) -> None:
        self.access = MemoryAccess()
        self.addCleanup(self.access.close)
        self.users = {}
        for name, role in (("boss", Role.ADMIN), ("anna", Role.MAINTAINER), ("otto", Role.MAINTAINER), ("carl", Role.FULL_CUSTOMER)):
            self.users[name] = self.access.add_user(name, roles=frozenset({role}))
            self.access.add_token(self.users[name], f"token-of-{name}-1234")
        self.records = CredentialRecords(self.access.database, lambda: Sealer(["secret"], lambda count: b"r" * count))
        self.keyring = Keyring(self.records, immediately, self.access.now)
        resource = PacketonResource(
            routes=[CredentialApi(self.access.gate, self.keyring)], mounts={}, addresses=self.access.gate.addresses,
            clock=self.access.clock, access_log=None, on_answer=lambda *_: None,
        )  # fmt: skip
        self.wire = Wire(resource, self.access.clock)
        self.addCleanup(self.wire.close)

    def ask(self, user: str, method: str, path: str = "", document: Any = None) -> tuple[int, Any]:
        body = b"" if document is None else json.dumps(document).encode()
        answer = self.wire.ask(method, f"/api/credentials{path}", basic(user, f"token-of-{user}-1234"), body)
        self.assertNotIn(b"geheim", answer.body)
        self.assertNotIn(b"OPENSSH PRIVATE", answer.body)
        return answer.status, answer.json() if answer.body else None

    def test_life(self) -> None:
        """Make, list, change in part, delete; secrets are never shown, and sealed where they are kept."""
        key = make_key()
        status, made = self.ask("anna", "POST", "", {"name": "deploy", "key": key.replace("\n", "\r\n"), "composerConfig": CONFIG})
        self.assertEqual((201, True, False), (status, made["mine"], made["shared"]))
        self.assertRegex(made["fingerprint"], "^SHA256:[A-Za-z0-9+/]{43}$")
        self.assertEqual([made], self.ask("anna", "GET")[1])
        kept = self.access.done(self.records.get(made["id"]))
        self.assertEqual((key, CONFIG), (kept.ssh_key.reveal(), kept.composer_auth))
        raw = self.access.engine.raw_connection()
        try:
            stored = bytes(raw.driver_connection.serialize())  # type: ignore[union-attr]
        finally:
            raw.close()
        self.assertIn(b"deploy", stored)
        for secret in (b"geheim-geheim", *(line.encode() for line in key.splitlines() if line)):
            self.assertNotIn(secret, stored)
        path = f"/{made['id']}"
        status, changed = self.ask("anna", "PUT", path, {"name": "other", "key": None})
        self.assertEqual((200, "other", None), (status, changed["name"], changed["fingerprint"]))
        self.assertEqual(CONFIG, self.access.done(self.records.get(made["id"])).composer_auth)
        self.assertEqual((400, {"key": "an ssh key or a Composer configuration is needed"}), self.ask("anna", "PUT", path, {"composerConfig": ""}))
        self.assertEqual((204, None), self.ask("anna", "DELETE", path))
        self.assertEqual([], self.ask("anna", "GET")[1])

    def test_owners(self) -> None:
        """Nobody else sees, changes or chooses it until it is shared; an administrator may only delete it."""
        number = self.ask("anna", "POST", "", {"name": "a", "composerConfig": json.dumps(CONFIG)})[1]["id"]
        self.assertEqual([], self.ask("otto", "GET")[1])
        self.assertEqual(["a"], [one["name"] for one in self.ask("boss", "GET")[1]])
        for user in ("otto", "boss"):
            self.assertEqual(404, self.ask(user, "PUT", f"/{number}", {"name": "x"})[0])
            with self.assertRaises(NotFound):
                self.access.done(self.keyring.chosen(number, self.identity(user)))
        self.assertEqual(404, self.ask("otto", "DELETE", f"/{number}")[0])
        self.assertEqual(200, self.ask("anna", "PUT", f"/{number}", {"shared": True})[0])
        self.assertEqual(["a"], [one["name"] for one in self.ask("otto", "GET")[1]])
        self.assertEqual(number, self.access.done(self.keyring.chosen(number, self.identity("otto"))).id)
        self.assertEqual(404, self.ask("otto", "PUT", f"/{number}", {"name": "x"})[0])
        self.assertEqual(403, self.ask("carl", "GET")[0])
        self.assertEqual(204, self.ask("boss", "DELETE", f"/{number}")[0])

    def test_in_use(self) -> None:
        """One that packages have stays, and an id is never given again."""
        number = self.ask("anna", "POST", "", {"name": "a", "composerConfig": CONFIG})[1]["id"]
        packages = PackageRecords(self.access.database)
        made = self.access.done(packages.create(package("acme/a", credential_id=number)))
        status, told = self.ask("anna", "DELETE", f"/{number}")
        self.assertEqual((409, "acme/a use it; give them another one first"), (status, told["message"]))
        self.access.done(packages.change(made.id, lambda held: evolve(held, credential_id=None)))
        self.assertEqual(204, self.ask("anna", "DELETE", f"/{number}")[0])
        self.assertEqual(404, self.ask("anna", "DELETE", f"/{number}")[0])
        self.assertEqual(number + 1, self.ask("anna", "POST", "", {"name": "b", "composerConfig": CONFIG})[1]["id"])

    def test_bad_input(self) -> None:
        """By field, without a word of the secret."""
        for document, field in (
            ({"composerConfig": CONFIG}, "name"), ({"name": "a"}, "key"), ({"name": "a", "key": "geheim"}, "key"), ({"name": "a", "key": 1}, "key"),
            ({"name": "a\nb", "composerConfig": CONFIG}, "name"), ({"name": "a", "composerConfig": {**CONFIG, "cache-dir": "geheim"}}, "composerConfig"),
            ({"name": "a", "composerConfig": 3}, "composerConfig"), ({"name": "a", "odd": 1}, "odd"),
        ):  # fmt: skip
            status, told = self.ask("anna", "POST", "", document)
            self.assertEqual((400, [field]), (status, list(told)), document)
        self.assertEqual([], self.ask("boss", "GET")[1])

    def identity(self, name: str) -> Any:
        from packeton.core.access.identities import Identity, with_implied

        return Identity(name=name, user_id=self.users[name].id, roles=with_implied(self.users[name].roles))
