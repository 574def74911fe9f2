"""Signing in against a directory: who is who, and what happens while the directory is away."""

import re
import tempfile
import unittest
from pathlib import Path
from typing import Any

from tests.cli.test_cli import run
from tests.support.access import basic
from tests.support.client import fetch
from tests.support.people import PASSWORD, Browser, Records
from tests.support.server import Server
from tests.support.slapd import SEARCHER, SLAPD, Slapd


@unittest.skipUnless(SLAPD, "slapd is not installed (Debian: slapd)")
class DirectoryTests(unittest.TestCase):
    """A server with two providers on one directory: staff may read mirrors, customers may not."""

    addresses = 0

    def start(self, *, first: bool = False) -> None:
        holder = tempfile.TemporaryDirectory()
        self.addCleanup(holder.cleanup)
        folder = Path(holder.name)
        self.slapd = Slapd(folder / "slapd")
        self.addCleanup(self.slapd.stop)
        common = {"server": f"ldap://127.0.0.1:{self.slapd.port}", "base_dn": "ou=people,dc=example,dc=com",
                  "search_dn": SEARCHER, "search_password": "searching", "timeout": "1s"}  # fmt: skip
        providers: dict[str, Any] = {
            "staff": {**common, "filter": "(&(employeeType=staff)(uid={username}))", "default_roles": ["ROLE_MAINTAINER"]},
            "customers": {**common, "filter": "(&(employeeType=customer)(uid={username}))"},
        }
        settings = {"mirrors": {"closed": {"url": "http://127.0.0.1:9"}}, "ldap": {"first": first, "providers": providers},
                    "trusted_proxies": ["127.0.0.1"], "jwt_authentication": {"algo": "HS256", "private_key": "=" * 32}}  # fmt: skip
        self.server = Server(folder / "server", settings).start()
        self.addCleanup(self.stop_quietly)
        self.records = Records(self.server.data)
        self.addCleanup(self.records.close)

    def stop_quietly(self) -> None:
        self.server.stop()
        self.assertNotIn("Traceback", self.server.log)
        self.assertNotIn("secret", self.server.log.replace("secret'", ""))

    def sign_in(self, name: str, password: str) -> Browser | None:
        DirectoryTests.addresses += 1
        browser = Browser(self.server.url, **{"X-Forwarded-For": f"203.0.113.{DirectoryTests.addresses}"})
        status = browser.sign_in(name, password).status
        self.assertIn(status, {303, 401})
        return browser if status == 303 else None

    def test_chain(self) -> None:
        """Our own users keep their roles and may use either password; others have the roles of their provider."""
        self.start()
        self.records.user("max", roles=frozenset({"ROLE_ADMIN"}))
        self.records.user("own")
        for name, password, role in (
            ("EVA", "evas secret", "ROLE_MAINTAINER"), ("max", "maxs secret", "ROLE_ADMIN"), ("max", PASSWORD, "ROLE_ADMIN"),
            ("own", PASSWORD, "ROLE_USER"),
        ):  # fmt: skip
            browser = self.sign_in(name, password)
            self.assertIsNotNone(browser, (name, password))
            browser.get("/profile")
            self.assertIn(f">{role}<", browser.text)
        for name, password in (("eva", "wrong"), ("eva", ""), ("eva", PASSWORD), ("own", "evas secret"), ("nobody", "x"), ("e*", "evas secret")):
            self.assertIsNone(self.sign_in(name, password), (name, password))
        eva = self.sign_in("eva", "evas secret")
        eva.get("/mirror/closed")
        self.assertEqual(200, eva.last.status)
        self.assertEqual(404, eva.get("/profile/two-factor").status)
        self.assertEqual(400, eva.get("/change-password").status)
        eva.get("/profile/login-attempts")
        self.assertIn("New Session", eva.text)

    def test_tokens(self) -> None:
        """A user of the directory makes a personal token, which has the directory's roles."""
        self.start()
        browser = self.sign_in("eva", "evas secret")
        browser.get("/profile/tokens/new")
        browser.post("/profile/tokens/new", {"name": "x", "expires": "", "scopes": ["mirror:all", "metadata"]})
        secret = re.search(r'id="secret">([^<]+)<', browser.text)[1]
        url = f"{self.server.url}/mirror/closed/p2/acme/foo.json"
        bearer = {"Authorization": f"Bearer {secret}"}
        self.assertNotIn(fetch(url, headers=bearer).status, {401, 403})
        manager = ("packagist:user:manager", "eva", "--show-token", "--data", str(self.server.data), "--config", str(self.server.folder / "packeton.yaml"))
        shown = run(*manager, "--token-format=jwt")
        self.assertEqual((0, ""), (shown.returncode, shown.stderr))
        web_token = shown.stdout.strip()
        self.assertNotIn(fetch(url, headers=basic("Eva", web_token)).status, {401, 403})
        refused = run(*manager)
        self.assertEqual(1, refused.returncode)
        self.assertIn("has no API token", refused.stderr)

    def test_directory_first(self) -> None:
        """Where the directory comes first, it says who somebody is; our users that it does not know are ours."""
        self.start(first=True)
        self.records.user("max", roles=frozenset({"ROLE_ADMIN"}))
        self.records.user("own")
        browser = self.sign_in("max", "maxs secret")
        browser.get("/profile")
        self.assertNotIn("ROLE_ADMIN", browser.text)
        self.assertIsNone(self.sign_in("max", PASSWORD))
        self.assertIsNotNone(self.sign_in("own", PASSWORD))

    def test_outage(self) -> None:
        """A directory that stalls or is gone locks out nobody whom we know ourselves, and ends nobody's session."""
        self.start()
        self.records.user("max")
        eva = self.sign_in("eva", "evas secret")
        self.slapd.stall()
        self.assertIsNotNone(self.sign_in("max", PASSWORD))
        self.assertIsNone(self.sign_in("eva", "evas secret"))
        self.slapd.stop()
        self.assertIsNotNone(self.sign_in("max", PASSWORD))
        self.assertIsNone(self.sign_in("max", "maxs secret"))
        self.assertEqual(200, eva.get("/profile").status)
