"""`packeton user|token|group|subrepository`, beside a running server and without one."""

import json
import re
import tempfile
import time
from datetime import timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast
from unittest import TestCase

from click.testing import CliRunner, Result

from packeton.adapters.database.sessions import SessionRecords
from packeton.assembly.accounts import make_first_admin, open_accounts
from packeton.assembly.store import Store
from packeton.cli.main import program
from packeton.config.loader import load_settings
from packeton.core.access.sessions import Session
from packeton.errors import PacketonError
from tests.cli.test_cli import run
from tests.scenarios.test_http import HttpTestCase
from tests.support.access import MemoryAccess, basic
from tests.support.client import fetch
from tests.support.scripted import immediately


class AccountsCase(TestCase):
    """The commands in this process, on a database in memory."""

    def setUp(self) -> None:
        holder = tempfile.TemporaryDirectory()
        self.addCleanup(holder.cleanup)
        self.access = MemoryAccess()
        self.addCleanup(self.access.close)
        store = SimpleNamespace(
            database=self.access.database,
            settings=load_settings(environment={"PACKETON_DATA": holder.name}),
            reactor=self.access.clock,
            in_thread=immediately,
        )
        self.accounts = open_accounts(cast("Store", store))

    def run_command(self, *arguments: str) -> Result:
        return CliRunner().invoke(program, arguments, obj=lambda work: self.access.done(work(self.accounts)))

    def packeton(self, *arguments: str) -> str:
        """Run a command; return what it printed."""
        done = self.run_command(*arguments)
        if done.exception is not None:
            raise done.exception
        return done.output

    def document(self, *arguments: str) -> Any:
        return json.loads(self.packeton(*arguments, "--json"))


class UserTests(AccountsCase):
    """Users and tokens."""

    def test_users(self) -> None:
        """Create, list, update, delete."""
        self.document("group", "create", "g")
        made = self.document("user", "create", "Anna", "--email", "a@x.org", "--password", "secret-1", "--role", "ROLE_MAINTAINER", "--group", "g",
                             "--expires", "2030-01-02", "--api-token", "oldtokenofreference1")  # fmt: skip
        self.assertEqual("oldtokenofreference1", made["apiToken"])
        self.assertEqual(("Anna", "a@x.org", ["ROLE_MAINTAINER"], "2030-01-02T00:00:00+00:00"), tuple(made[key] for key in ("username", "email", "roles", "expiresAt")))
        self.assertIn("there already", self.packeton("user", "create", "anna", "--only-if-not-exists"))
        changed = self.document("user", "update", "a@x.org", "--email", "b@x.org", "--disable", "--add-role", "ROLE_X", "--expires", "none", "--regenerate-token")
        self.assertEqual(("b@x.org", False, ["ROLE_MAINTAINER", "ROLE_X"], None), tuple(changed[key] for key in ("email", "enabled", "roles", "expiresAt")))
        self.assertRegex(changed["apiToken"], r"^pk_api_[0-9A-Za-z]{38}$")
        listed = self.packeton("user", "list")
        self.assertIn("Anna", listed)
        self.assertNotIn("secret-1", listed)
        self.packeton("user", "delete", "Anna")
        self.assertEqual([], self.document("user", "list"))

    def test_new_password(self) -> None:
        """It signs the user out everywhere."""
        self.packeton("user", "create", "anna", "--password", "geheim-1")
        records = SessionRecords(self.access.database)
        user = self.access.done(self.accounts.users.find("anna")).user
        now = self.access.now()
        session = Session(digest="d" * 64, user_id=user.id, name="anna", created_at=now, seen_at=now, expires_at=now + timedelta(days=1), address="192.0.2.1", agent="x")
        self.access.done(records.add(session))
        self.packeton("user", "update", "anna", "--role", "ROLE_X")
        self.assertIsNotNone(self.access.done(records.find("d" * 64)))
        self.packeton("user", "update", "anna", "--password", "geheim-2")
        self.assertIsNone(self.access.done(records.find("d" * 64)))

    def test_tokens(self) -> None:
        """Create, list, revoke; the secret is shown once."""
        self.packeton("user", "create", "ci")
        made = self.document("token", "create", "ci", "--name", "builds", "--scope", "metadata", "--scope", "mirror:read", "--expires", "30d")
        self.assertRegex(made["secret"], r"^pat_[0-9A-Za-z]{38}$")
        old = self.packeton("token", "create", "ci", "--name", "old", "--all-scopes", "--secret", "0123456789abcdef" * 4)
        self.assertEqual("pat_" + "0123456789abcdef" * 4, old.strip())
        listed = self.document("token", "list", "ci")
        self.assertEqual(["API token", "builds", "old"], [token["name"] for token in listed])
        self.assertNotIn(made["secret"], json.dumps(listed))
        hook = self.document("token", "create-hook", "--name", "gitlab", "--secret", "0123456789" * 4)
        self.assertEqual(("whk_" + "0123456789" * 4, "hook", ["webhooks"], None), tuple(hook[key] for key in ("secret", "kind", "scopes", "user")))
        self.assertRegex(self.packeton("token", "create-hook", "--name", "github", "--expires", "30d"), r"^whk_[0-9A-Za-z]{38}\n$")
        self.assertEqual(["gitlab", "github"], [token["name"] for token in self.document("token", "list-hooks")])
        self.assertIn("whk_01", self.packeton("token", "list-hooks"))
        self.packeton("token", "revoke", str(hook["id"]))
        self.assertEqual(1, len(self.document("token", "list-hooks")))
        self.packeton("token", "revoke", str(made["id"]))
        self.assertEqual(2, len(self.document("token", "list", "ci")))

    def test_groups_and_subrepositories(self) -> None:
        """Create, update, list, delete; lines with constraints, which an update may take away again."""
        made = self.document("group", "create", "g", "--package", "acme/*:^1.0 || ^2.0", "--package", "*", "--mirror", "packagist",
                             "--updates-until", "2026-01-01", "--min-stability", "rc")  # fmt: skip
        self.assertEqual([{"name": "acme/*", "version": "^1.0 || ^2.0", "minStability": None}, {"name": "*", "version": None, "minStability": None}], made["aclPermissions"])
        self.assertEqual(("RC", ["packagist"]), (made["minStability"], made["proxies"]))
        changed = self.document("group", "update", "g", "--add-package", "acme/new", "--force", "--remove-package", "*", "--min-stability", "none", "--updates-until", "none", "--no-mirrors")
        self.assertEqual(["acme/*", "acme/new"], [line["name"] for line in changed["aclPermissions"]])
        self.assertEqual((None, None, []), (changed["minStability"], changed["expiredUpdatesAt"], changed["proxies"]))
        self.assertEqual([], self.document("group", "update", "g", "--no-packages")["aclPermissions"])
        self.document("subrepository", "create", "team", "--package", "acme/*", "--host", "Team.example.com", "--public")
        changed = self.document("subrepository", "update", "team", "--private", "--add-package", "x/*")
        self.assertEqual((["acme/*", "x/*"], ["team.example.com"], False), (changed["packages"], changed["hosts"], changed["public"]))
        self.assertIn("team", self.packeton("subrepository", "list"))
        self.packeton("user", "create", "u", "--subrepository", "team", "--subrepository", "root")
        self.packeton("subrepository", "delete", "team")
        self.packeton("group", "delete", "g")
        self.assertEqual([], self.document("group", "list"))

    def test_bad_input(self) -> None:
        """Each mistake is one clear line and status 1 or 2."""
        self.packeton("user", "create", "Anna", "--api-token", "token-of-anna")
        self.packeton("group", "create", "g")
        for arguments, expected in (
            (("user", "create", "ANNA"), "the name ANNA is taken"),
            (("user", "create", "a b"), "username: only letters"),
            (("user", "create", "token"), "not the word token"),
            (("user", "create", "x", "--email", "nonsense"), "email: this is no e-mail address"),
            (("user", "create", "x", "--email", "anna@example.com"), "the address anna@example.com is taken"),
            (("user", "create", "x", "--password", "12345"), "at least 6 characters"),
            (("user", "create", "x", "--role", "admin"), "is no role"),
            (("user", "create", "x", "--group", "nope"), "there is no group nope"),
            (("user", "create", "x", "--subrepository", "nope"), "there is no sub-repository nope"),
            (("user", "create", "x", "--api-token", "pat_" + "x" * 40), "the prefix of another kind"),
            (("user", "create", "x", "--api-token", "short"), "7 to 255 characters"),
            (("user", "create", "x", "--api-token", "token-of-anna"), "in use already"),
            (("user", "update", "nobody"), "there is no user nobody"),
            (("user", "delete", "nobody"), "there is no user nobody"),
            (("token", "create", "Anna", "--name", "t", "--scope", "users"), "the scope users is not for the roles of Anna"),
            (("token", "create", "Anna", "--name", "t", "--scope", "all"), "'all' is no scope"),
            (("token", "create", "Anna", "--name", "t", "--all-scopes", "--expires", "2020-01-01"), "would have expired already"),
            (("token", "create", "Anna", "--name", "t", "--all-scopes", "--expires", "soon"), "no date of the form"),
            (("token", "revoke", "999"), "no such token"),
            (("group", "create", "h", "--package", "acme/unknown"), "there is no package acme/unknown"),
            (("group", "create", "h", "--package", "acme/*:^x.y"), "the constraint for acme/*"),
            (("group", "create", "h", "--package", "acme"), "is no package name"),
            (("group", "create", "h", "--mirror", "nope"), "there is no mirror nope"),
            (("group", "create", "g"), "there is a group g already"),
            (("subrepository", "create", "zipball"), "a path of our own"),
            (("subrepository", "create", "-x"), ""),
            (("subrepository", "create", "x", "--host", "http://x"), "no host name"),
            (("subrepository", "create", "x", "--package", "acme/unknown"), "there is no package acme/unknown"),
        ):  # fmt: skip
            with self.subTest(arguments):
                done = self.run_command(*arguments)
                self.assertIsInstance(done.exception, PacketonError | SystemExit)
                self.assertIn(expected, f"{done.exception} {done.output}")
        self.assertEqual(["Anna"], [user["username"] for user in self.document("user", "list")])


class BesideServerTests(HttpTestCase):
    """A server that runs meanwhile."""

    mirror = {"public_access": False}  # noqa: RUF012  # as the base class has it

    def test_changes_arrive(self) -> None:
        """A user made beside the server reads the mirror; once revoked, it does not, a second later at the latest."""
        data = str(self.server.data)

        def packeton(*arguments: str) -> Any:
            done = run(*arguments, "--data", data, "--config", str(self.server.folder / "packeton.yaml"), "--json")
            self.assertEqual(0, done.returncode, done.stderr)
            return json.loads(done.stdout)

        url = f"{self.server.url}/mirror/up/packages.json"
        refused = fetch(url)
        self.assertEqual((401, 'Basic realm="Packeton"'), (refused.status, refused.headers["www-authenticate"]))
        packeton("group", "create", "g", "--mirror", "up")
        token = packeton("user", "create", "ci", "--group", "g")["apiToken"]
        other = packeton("user", "create", "other")["apiToken"]
        time.sleep(1)
        self.assertEqual(200, fetch(url, headers=basic("ci", token)).status)
        self.assertEqual(200, fetch(f"{url}?token=ci:{token}").status)
        self.assertEqual(200, fetch(url, headers={"Authorization": f"Bearer {token}"}).status)
        self.assertEqual(403, fetch(url, headers=basic("other", other)).status)
        self.assertEqual(401, fetch(url, headers=basic("ci", token + "x")).status)
        self.assertEqual(404, fetch(f"{self.server.url}/mirror/nope/packages.json", headers=basic("ci", token)).status)
        packeton("user", "update", "ci", "--disable")
        time.sleep(1)
        self.assertEqual(401, fetch(url, headers=basic("ci", token)).status)
        self.assertNotIn(token, self.server.log)
        self.assertEqual(0o600, (Path(data) / "secret").stat().st_mode & 0o777)


class ManagerTests(AccountsCase):
    """The reference's commands."""

    def setUp(self) -> None:
        super().setUp()
        self.config = Path(self.enterContext(tempfile.TemporaryDirectory())) / "p.yaml"

    def manager(self, *arguments: str) -> str:
        return self.packeton("packagist:user:manager", *arguments, "--config", str(self.config))

    def test_options(self) -> None:
        """Every option does what its name says, those that the reference forgot too."""
        self.config.write_text("packeton: {}")
        made = self.manager("anna", "--password", "geheim-1", "--admin")
        token = re.search(r"pk_api_\w+", made)
        assert token is not None
        self.assertIn("exists already", self.manager("ANNA", "--only-if-not-exists"))
        self.assertIn("updated", self.manager("anna@example.com", "--email", "a@x.org", "--enabled=0", "--add-role", "ROLE_X", "--remove-role", "ROLE_ADMIN"))
        user = self.document("user", "list")[0]
        self.assertEqual(("a@x.org", False, ["ROLE_X"]), (user["email"], user["enabled"], user["roles"]))
        self.assertNotIn(token[0], self.manager("anna", "--regenerate-token"))
        self.assertRegex(self.manager(), r"1\s+anna\s+a@x.org\s+no\s+ROLE_X")
        with self.assertRaisesRegex(PacketonError, "shown only when it is made"):
            self.manager("anna", "--show-token")
        with self.assertRaisesRegex(PacketonError, "no key"):
            self.manager("anna", "--show-token", "--token-format=jwt")
        with self.assertRaisesRegex(PacketonError, "no user otto"):
            self.manager("otto", "--delete")
        self.assertIn("deleted", self.manager("anna", "--delete"))
        self.assertIn("created", self.manager("otto"))
        self.assertEqual("otto@example.com", self.document("user", "list")[0]["email"])

    def test_keys(self) -> None:
        """New keys go where the settings say, not over others; a web token can be shown with them."""
        folder = self.config.parent
        self.config.write_text(f"packeton: {{jwt_authentication: {{private_key: '{folder}/secret', public_key: '{folder}/public'}}}}")
        shown = self.packeton("keys", "generate", "--config", str(self.config))
        self.assertIn((folder / "public").read_text().strip(), shown)
        self.assertEqual(0o600, (folder / "secret").stat().st_mode & 0o777)
        with self.assertRaisesRegex(PacketonError, "--overwrite"):
            self.packeton("packagist:jwt:generate-keypair", "--config", str(self.config))
        self.packeton("packagist:jwt:generate-keypair", "--overwrite", "--config", str(self.config))
        self.assertNotIn((folder / "public").read_text().strip(), shown)
        self.manager("anna", "--admin")
        self.assertRegex(self.manager("anna", "--show-token", "--token-format", "jwt"), r"^pk_jwt_[\w-]+\.[\w-]+\.[\w-]+\n$")
        self.assertIn("BEGIN PRIVATE KEY", self.packeton("keys", "generate", "--algo", "ES256", "--overwrite", "--config", str(self.config)))


class FirstAdminTests(AccountsCase):
    """What `packeton.first_admin` asks for."""

    def test_made_once(self) -> None:
        """It is made unless the name is taken; a start with an odd one goes on, and says so."""
        settings = load_settings(environment={"ADMIN_USER": "root", "ADMIN_PASSWORD": "geheim-1", "ADMIN_EMAIL": "r@x.org"})
        for _ in range(2):
            self.access.done(make_first_admin(self.accounts, settings))
        users = self.document("user", "list")
        self.assertEqual([("root", "r@x.org", ["ROLE_ADMIN"])], [(user["username"], user["email"], user["roles"]) for user in users])
        stored = self.access.done(self.accounts.users.find("root")).user.password
        self.assertTrue(self.accounts.passwords.verify(stored, "geheim-1"))
        odd = load_settings(environment={"ADMIN_USER": "a b", "ADMIN_PASSWORD": "x"})
        self.access.done(make_first_admin(self.accounts, odd))
        self.access.done(make_first_admin(self.accounts, load_settings(environment={})))
        self.assertEqual(1, len(self.document("user", "list")))


class WholeServerTests(HttpTestCase):
    """Users and groups by REST on a server as a user starts it, which makes its first administrator."""

    mirror = {"public_access": False}  # noqa: RUF012  # as the base class has it
    settings = {  # noqa: RUF012
        "app_secret": "a secret of tests, and of nothing else",
        "first_admin": {"username": "root", "password": "geheim-1"},
        "jwt_authentication": {"algo": "HS256", "private_key": "a shared secret of tests=======================\n"},
        "anonymous_access": True,
        "anonymous_packages": ["open/*"],
    }

    def api(self, method: str, path: str, document: Any = None, headers: dict[str, str] | None = None) -> Any:
        body = None if document is None else json.dumps(document).encode()
        answer = fetch(f"{self.server.url}{path}", method, headers or self.admin, body)
        return answer.status, answer.json() if answer.body else None

    def test_story(self) -> None:
        """From the first administrator to a customer who reads a mirror, through REST only."""
        config = str(self.server.folder / "packeton.yaml")
        arguments = ("packagist:user:manager", "root", "--show-token", "--token-format=jwt", "--data", str(self.server.data), "--config", config)
        deadline = time.monotonic() + 20
        while (done := run(*arguments)).returncode != 0:  # it is made by the start, which goes on meanwhile
            self.assertLess(time.monotonic(), deadline, done.stderr)
        self.admin = basic("root", done.stdout.strip())
        status, group = self.api("POST", "/api/groups", {"name": "g", "proxies": ["up"], "aclPermissions": ["acme/*"]})
        self.assertEqual(201, status)
        status, made = self.api("POST", "/api/users", {"username": "anna", "groups": [group["id"]]})
        self.assertEqual(201, status)
        customer = basic("anna", made["apiToken"])
        self.assertEqual(200, self.api("GET", "/mirror/up/packages.json", headers=customer)[0])
        self.assertEqual([], self.api("GET", "/packages.json", headers=customer)[1]["available-packages"])
        self.assertEqual(403, self.api("GET", "/api/users", headers=customer)[0])
        self.assertEqual(401, self.api("GET", "/mirror/up/packages.json", headers={"X-A": "b"})[0])
        self.assertEqual(200, self.api("GET", "/packages.json", headers={"X-A": "b"})[0])
        self.assertEqual((204, None), self.api("PUT", f"/api/group/{group['id']}", {"proxies": []}))
        self.assertEqual(403, self.api("GET", "/mirror/up/packages.json", headers=customer)[0])
        self.assertEqual((204, None), self.api("DELETE", f"/api/user/{made['id']}"))
        self.assertEqual(401, self.api("GET", "/mirror/up/packages.json", headers=customer)[0])
        self.assertNotIn(made["apiToken"], self.server.log)
