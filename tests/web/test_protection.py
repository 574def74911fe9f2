"""Hiding pages, and other sites' scripts."""

import re
import tempfile
from pathlib import Path
from typing import Any

from twisted.internet.address import IPv4Address
from twisted.trial.unittest import SynchronousTestCase
from twisted.web.server import Request
from twisted.web.test.requesthelper import DummyChannel

from packeton.assembly.pages import protection_of
from packeton.config.loader import load
from packeton.config.settings import Settings, WebProtectionSettings
from packeton.errors import ConfigurationInvalid
from packeton.web.addresses import Addresses, IMountPoint, MountPoint
from packeton.web.cors import Cors

ADDRESSES = Addresses(public_url=None, trusted_proxies=("127.0.0.1",), trusted_hosts=())


def request(path: str = "/", method: str = "GET", **headers: str) -> Any:
    made = Request(DummyChannel(), False)
    made.method, made.path, made.uri = method.encode(), path.encode(), path.encode()
    made.client = IPv4Address("TCP", "127.0.0.1", 1)
    made.postpath = path.encode().split(b"/")[1:]
    made.prepath = []
    made.setComponent(IMountPoint, MountPoint(""))
    for name, value in {"host": "ui.example.com", **headers}.items():
        made.requestHeaders.setRawHeaders(name.replace("_", "-").encode(), [value.encode()])
    return made


class ProtectionTests(SynchronousTestCase):
    """`web_protection`."""

    def hidden(self, path: str = "/", settings: dict[str, Any] | None = None, **headers: str) -> int | None:
        protection = protection_of(Settings(web_protection=WebProtectionSettings(**(settings or {}))), ADDRESSES)
        found = protection.hides(request(path, **headers))
        return None if found is None else found.status

    def test_nothing_set(self) -> None:
        """Without a condition nothing is hidden."""
        for path in ("/", "/login", "/api/healthz", "/mirror/a"):
            self.assertIsNone(self.hidden(path))

    def test_hosts(self) -> None:
        """On a listed host everything but Composer's routes is hidden; `*` is all hosts but those with a `!`."""
        for hosts, host, expected in (
            (("repo.example.com",), "repo.example.com", 404), (("repo.example.com",), "REPO.example.com", 404),
            (("repo.example.com",), "ui.example.com", None), (("repo.example.com",), "repo.example.com:8443", 404),
            (("*", "!ui.example.com"), "ui.example.com", None), (("*", "!ui.example.com"), "ui.example.com:81", None),
            (("*", "!ui.example.com"), "other.example.com", 404), (("*",), "ui.example.com", 404), (("*",), "b ad", 404),
        ):  # fmt: skip
            self.assertEqual(expected, self.hidden("/login", {"repo_hosts": hosts}, host=host), (hosts, host))

    def test_routes(self) -> None:
        """Metadata, dists, notifications and mirrors stay, also below a slug; pages, the API and a mirror's page do not."""
        for path, expected in {
            "/packages.json": None, "/p/acme/a$0.json": None, "/p2/acme/a.json": None, "/zipball/acme/a/1.zip": None,
            "/downloads/": None, "/inner/packages.json": None, "/inner/p2/acme/a.json": None, "/inner/zipball/a/b/c.zip": None,
            "/mirror/a/packages.json": None, "/mirror/a/p2/x/y.json": None, "/metadata/changes.json": None,
            "/api/security-advisories/": None, "/inner/api/security-advisories": None, "/inner/api/packages": 404,
            "/mirror/a": 404, "/": 404, "/login": 404, "/profile": 404, "/api/packages": 404, "/api/p2": 404, "/packages/list.json": 404,
            "/packages/acme/p2": 404, "/inner": 404, "/users/p": 404, "//p2": 404, "/reset-password": 404,
        }.items():  # fmt: skip
            self.assertEqual(expected, self.hidden(path, {"repo_hosts": ("*",)}), path)

    def test_addresses(self) -> None:
        """Only listed addresses and ranges see pages; who the client is say trusted proxies only."""
        settings = {"allow_ips": ("192.0.2.0/24, 2001:db8::/32", "198.51.100.7")}
        for address, expected in (
            ("192.0.2.9", None), ("198.51.100.7", None), ("2001:db8::1", None), ("::ffff:192.0.2.9", None), ("198.51.100.8", 404),
            ("nonsense", 404),
        ):  # fmt: skip
            self.assertEqual(expected, self.hidden("/login", settings, x_forwarded_for=address), address)
        self.assertEqual(404, self.hidden("/login", settings))
        both = {**settings, "repo_hosts": ("ui.example.com",)}
        self.assertEqual(404, self.hidden("/login", both, x_forwarded_for="192.0.2.9"))

    def test_client(self) -> None:
        """The nearest hop that is no proxy of ours, also where the proxy appends a field of its own, or ports."""
        for fields, expected in (
            (["192.0.2.9"], "192.0.2.9"), (["203.0.113.1, 192.0.2.9"], "192.0.2.9"), (["203.0.113.1", "192.0.2.9"], "192.0.2.9"),
            (["203.0.113.1", "192.0.2.9, 127.0.0.1"], "192.0.2.9"), (["192.0.2.9:1234"], "192.0.2.9"), (["127.0.0.1:1"], "127.0.0.1"),
            (["[2001:db8::1]:443"], "2001:db8::1"), (["[2001:db8::1]"], "2001:db8::1"), (["2001:db8::1"], "2001:db8::1"),
            (["192.0.2.9", "nonsense:1"], "-"), ([""], "127.0.0.1"),
        ):  # fmt: skip
            made = request()
            made.requestHeaders.setRawHeaders(b"x-forwarded-for", [value.encode() for value in fields])
            self.assertEqual(expected, ADDRESSES.client(made), fields)

    def test_custom_page(self) -> None:
        """`/` shows a page of text or of a file instead, with its status and type; nothing else does."""
        with tempfile.TemporaryDirectory() as folder:
            file = Path(folder) / "page.txt"
            file.write_text("from a file")
            for page, body, content_type in ((str(file), b"from a file", "text/plain"), ("<p>Hi</p>", b"<p>Hi</p>", None)):
                settings = WebProtectionSettings(repo_hosts=("*",), custom_page=page, status_code=403, content_type=content_type)
                found = protection_of(Settings(web_protection=settings), ADDRESSES).hides(request("/"))
                self.assertEqual((403, body), (found.status, found.body))
                self.assertEqual(content_type or "text/html; charset=utf-8", found.content_type)
                hidden = protection_of(Settings(web_protection=settings), ADDRESSES).hides(request("/login"))
                self.assertEqual((404, b'{"error":"Not Found"}'), (hidden.status, hidden.body))
        with self.assertRaises(ConfigurationInvalid):
            protection_of(Settings(web_protection=WebProtectionSettings(custom_page="/nowhere/page")), ADDRESSES)

    def test_settings(self) -> None:
        """What cannot be used is told with its path."""
        for text, told in (
            ("{allow_ips: '10.0.0.1, nonsense'}", "allow_ips"), ("{status_code: 99}", "status_code"), ("{content_type: x}", "content_type"),
        ):  # fmt: skip
            with tempfile.TemporaryDirectory() as folder:
                path = Path(folder) / "x.yaml"
                path.write_text(f"packeton: {{web_protection: {text}}}")
                with self.assertRaises(ConfigurationInvalid) as raised:
                    load([path], environment={})
                self.assertTrue(str(raised.exception).startswith(f"packeton.web_protection.{told}: "), raised.exception)
        with self.assertRaises(ConfigurationInvalid):
            load(environment={"CORS_ALLOW_ORIGIN": "("})


class CorsTests(SynchronousTestCase):
    """The default lets scripts of local sites in."""

    def setUp(self) -> None:
        self.cors = Cors(re.compile(Settings().cors_allow_origin))

    def test_allowed(self) -> None:
        """An allowed origin is named, and told what it may see; cookies are never allowed."""
        made = request("/api/x", origin="http://localhost:3000")
        self.assertFalse(self.cors.answer(made))
        heads = made.responseHeaders
        self.assertEqual([b"http://localhost:3000"], heads.getRawHeaders(b"access-control-allow-origin"))
        self.assertEqual([b"Link"], heads.getRawHeaders(b"access-control-expose-headers"))
        self.assertEqual([b"Origin"], heads.getRawHeaders(b"vary"))
        self.assertIsNone(heads.getRawHeaders(b"access-control-allow-credentials"))

    def test_preflight(self) -> None:
        """A preflight is answered at once; for a foreign origin with nothing that it may do."""
        for origin, allowed in (("https://127.0.0.1", True), ("https://evil.example", False), ("http://localhost.evil.example", False)):
            made = request("/api/x", "OPTIONS", origin=origin, access_control_request_method="PUT")
            self.assertTrue(self.cors.answer(made))
            self.assertEqual(204, made.code)
            self.assertEqual(allowed, made.responseHeaders.hasHeader(b"access-control-allow-origin"))
            self.assertEqual(allowed, made.responseHeaders.hasHeader(b"access-control-allow-methods"))

    def test_none(self) -> None:
        """Without an Origin, and where it is switched off, nothing is added."""
        for cors, headers in ((self.cors, {}), (Cors(None), {"origin": "http://localhost"})):
            made = request("/", **headers)
            self.assertFalse(cors.answer(made))
            self.assertEqual([], list(made.responseHeaders.getAllRawHeaders()))
