"""LDAP, against OpenLDAP's server."""

import tempfile
import unittest
from pathlib import Path
from typing import Any

from twisted.internet import reactor
from twisted.internet.defer import Deferred, gatherResults
from twisted.trial.unittest import SynchronousTestCase, TestCase
from zope.interface.verify import verifyObject

from packeton.adapters.identity.ldap import LdapDirectory, escaped
from packeton.adapters.upstream.connecting import Trust
from packeton.config.loader import load
from packeton.config.settings import LdapProviderSettings, Secret
from packeton.config.units import duration
from packeton.core.access.accounts import Account
from packeton.errors import ConfigurationInvalid
from packeton.interfaces.identity import DirectoryFailed, IDirectory
from tests.support.certificates import make_certificate, pem_of
from tests.support.slapd import SEARCHER, SLAPD, Slapd

PEOPLE = "ou=people,dc=example,dc=com"


def expect_only_known_warnings(test: Any) -> None:
    """Twisted uses pyOpenSSL, and ldaptor pyparsing, in ways that these do not like any more."""
    for warning in test.flushWarnings():
        test.assertRegex(str(warning["message"]), "pyOpenSSL|deprecated - use|'crypt' is deprecated")


class SettingsTests(SynchronousTestCase):
    """`packeton.ldap`."""

    def setUp(self) -> None:
        self.addCleanup(expect_only_known_warnings, self)

    def load(self, **provider: Any) -> Any:
        import json

        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "x.yaml"
            values = {"server": "ldap://ldap.example.com", "base_dn": PEOPLE, **provider}
            path.write_text(json.dumps({"packeton": {"ldap": {"providers": {"staff": values}}}}))
            return load([path], environment={}).settings.ldap

    def test_read(self) -> None:
        """What is not said has its default; the password is not shown."""
        settings = self.load(search_dn=SEARCHER, search_password="searching")
        self.assertEqual(("uid", "({uid_key}={username})"), (settings.providers["staff"].uid_key, settings.providers["staff"].filter))
        self.assertNotIn("searching", repr(settings))

    def test_wrong(self) -> None:
        """Each mistake is told with its path."""
        for option, value in (
            ("server", "http://ldap"), ("server", "ldap://"), ("server", "ldap://u@h"), ("server", "ldap://h/dc=x"),
            ("filter", "(uid=*)"), ("login_dn", "cn=x"), ("uid_key", "a)(b"), ("search_password", "x"), ("timeout", "0s"),
        ):  # fmt: skip
            with self.assertRaises(ConfigurationInvalid) as raised:
                self.load(**{option: value})
            self.assertTrue(str(raised.exception).startswith(f"packeton.ldap.providers.staff.{option}: "), raised.exception)

    def test_filter(self) -> None:
        """A filter that is none is refused when the directory is made."""
        settings = LdapProviderSettings(server="ldap://h", base_dn=PEOPLE, filter="(&(uid={username})")
        with self.assertRaises(ConfigurationInvalid):
            LdapDirectory("staff", settings, reactor, Trust(None), lambda: 0.5)

    def test_escaped(self) -> None:
        """Nothing of a name means anything in a filter or a DN."""
        self.assertEqual("ann", escaped("ann"))
        self.assertEqual("\\2a\\29\\28uid\\3d\\2a\\00\\5c\\c3\\a4", escaped("*)(uid=*\0\\ä"))


@unittest.skipUnless(SLAPD, "slapd is not installed (Debian: slapd)")
class LdapDirectoryTests(TestCase):
    """Search and bind, encryption, and a server that is away."""

    timeout = 60

    def setUp(self) -> None:
        self.addCleanup(self.expect_only_known_warnings)
        holder = tempfile.TemporaryDirectory()
        self.addCleanup(holder.cleanup)
        self.folder = Path(holder.name)
        authority = make_certificate("authority", None, days=10)
        self.ca_file = self.folder / "ca.pem"
        self.ca_file.write_bytes(pem_of(*authority)[1])
        key, certificate = pem_of(*make_certificate("localhost", authority, days=5))
        (self.folder / "key.pem").write_bytes(key)
        (self.folder / "cert.pem").write_bytes(certificate)
        self.slapd = Slapd(self.folder / "slapd", (self.folder / "key.pem", self.folder / "cert.pem"), self.ca_file)
        self.addCleanup(self.slapd.stop)

    def expect_only_known_warnings(self) -> None:
        expect_only_known_warnings(self)

    def directory(self, *, trusted: bool = True, server: str | None = None, **settings: Any) -> LdapDirectory:
        values: dict[str, Any] = {
            "server": server or f"ldap://127.0.0.1:{self.slapd.port}", "base_dn": PEOPLE, "search_dn": SEARCHER,
            "search_password": Secret("searching"), "default_roles": ("ROLE_MAINTAINER",), **settings,
        }  # fmt: skip
        trust = Trust(self.ca_file if trusted else None)
        return LdapDirectory("staff", LdapProviderSettings(**values), reactor, trust, lambda: 0.5)

    async def failure(self, directory: LdapDirectory) -> str:
        for work in (directory.find("eva"), directory.verify(Account(name="Eva", roles=frozenset()), "evas secret")):
            try:
                await work
            except DirectoryFailed as error:
                self.assertNotIn("secret", str(error))
                last = str(error)
                directory._attempts.succeeded("staff")
            else:
                raise AssertionError("it did not fail")
        return last.removeprefix("LDAP staff: ")

    async def verify(self, directory: LdapDirectory, name: str, password: str) -> bool:
        return await directory.verify(Account(name=name, roles=frozenset()), password)

    async def test_find(self) -> None:
        """A user is found by name, in whatever case, as the directory spells it, with the roles of the provider."""
        directory = self.directory()
        verifyObject(IDirectory, directory)
        for typed in ("eva", "Eva", "EVA"):
            account = await directory.find(typed)
            self.assertEqual(("Eva", {"ROLE_MAINTAINER"}, None), (account.name, account.roles, account.user))
        self.assertIsNone(await directory.find("nobody"))

    async def test_filters_give_roles(self) -> None:
        """Two providers with filters tell staff from customers."""
        staff = self.directory(filter="(&(employeeType=staff)({uid_key}={username}))")
        customers = self.directory(filter="(&(employeeType=customer)({uid_key}={username}))", default_roles=("ROLE_USER",))
        self.assertEqual([True, False], [(await one.find("eva")) is not None for one in (staff, customers)])
        self.assertEqual([False, True], [(await one.find("max")) is not None for one in (staff, customers)])
        self.assertFalse(await self.verify(customers, "Eva", "evas secret"))

    async def test_verify(self) -> None:
        """The right password is good; a wrong one, none, and one with a zero byte are not, nor is somebody unknown."""
        for directory in (self.directory(), self.directory(login_dn=f"uid={{username}},{PEOPLE}")):
            self.assertTrue(await self.verify(directory, "Eva", "evas secret"))
            for name, password in (("Eva", "wrong"), ("Eva", ""), ("Eva", "\0"), ("Eva", "x" * 5000), ("nobody", "x"), ("", "x")):
                self.assertFalse(await self.verify(directory, name, password), (name, password))

    async def test_injection(self) -> None:
        """Names with the characters of filters and DNs are names."""
        for directory in (self.directory(), self.directory(login_dn=f"uid={{username}},{PEOPLE}")):
            self.assertEqual("odd*(name)", (await directory.find("odd*(name)")).name)
            self.assertTrue(await self.verify(directory, "odd*(name)", "odds secret"))
            for name in ("*", "e*", "eva)(uid=*", "eva,ou=people", "eva\0", "x)(|(uid=eva", "ev\\61", "eva+cn=Eva"):
                self.assertIsNone(await directory.find(name), name)
                self.assertFalse(await self.verify(directory, name, "evas secret"), name)

    async def test_ambiguous(self) -> None:
        """Where several entries match nobody is taken."""
        directory = self.directory(uid_key="cn")
        self.assertIsNone(await directory.find("Twin"))
        self.assertFalse(await self.verify(directory, "Twin", "odds secret"))

    async def test_at_once(self) -> None:
        """Many questions at once each get their own answer."""
        directory = self.directory()
        words = ["evas secret", "maxs secret"] * 10
        answers = await gatherResults([Deferred.fromCoroutine(self.verify(directory, "Eva", word)) for word in words])
        self.assertEqual([True, False] * 10, answers)

    async def test_encrypted(self) -> None:
        """StartTLS and ldaps, with a certificate of a known authority for this name."""
        for options in (
            {"server": f"ldap://localhost:{self.slapd.port}", "start_tls": True},
            {"server": f"ldaps://localhost:{self.slapd.tls_port}"},
        ):
            directory = self.directory(**options)
            self.assertEqual("Eva", (await directory.find("eva")).name)
            self.assertTrue(await self.verify(directory, "Eva", "evas secret"))

    async def test_certificates(self) -> None:
        """An unknown authority, or another name, and no password goes out."""
        for host, trusted in (("localhost", False), ("127.0.0.1", True)):
            for options in (
                {"server": f"ldap://{host}:{self.slapd.port}", "start_tls": True},
                {"server": f"ldaps://{host}:{self.slapd.tls_port}"},
            ):
                said = await self.failure(self.directory(trusted=trusted, **options))
                self.assertIn("certificate", said)

    async def test_wrong_searcher(self) -> None:
        """A searcher that may not is a failure of the directory, and no answer about a user."""
        said = await self.failure(self.directory(search_password=Secret("hunter2 secret")))
        self.assertEqual("LDAPInvalidCredentials", said)

    async def test_killed(self) -> None:
        """A server that is gone fails at once, is then left alone for a moment, and is asked again after it."""
        directory = self.directory()
        self.assertIsNotNone(await directory.find("eva"))
        self.slapd.stop()
        self.assertEqual("no connection", await self.failure(directory))
        for told in ("no connection", "left alone for a moment, since it failed"):
            with self.assertRaises(DirectoryFailed) as raised:
                await directory.find("eva")
            self.assertIn(told, str(raised.exception))

    async def test_stalled(self) -> None:
        """A server that says nothing fails in the time that was set; awake again it answers."""
        directory = self.directory(timeout=duration("300ms"))
        self.slapd.stall()
        self.assertEqual("no answer in time", await self.failure(directory))
        self.slapd.go_on()
        self.assertIsNotNone(await directory.find("eva"))
