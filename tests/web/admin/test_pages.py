"""The pages of one's account, over HTTP, against the server as a user starts it."""

import base64
import hashlib
import re
import tempfile
import time
import unittest
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, ClassVar

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ed25519

from packeton.core.access import totp
from packeton.core.access.accounts import Subrepo
from tests.support.accounts import settled
from tests.support.client import fetch
from tests.support.people import PASSWORD, Browser, Records
from tests.support.server import Server
from tests.support.smtp import SmtpServer

WRONG = "Name or password is wrong, or the account is closed."
HOUR = timedelta(hours=1)


class PagesTestCase(unittest.TestCase):
    """One server for all tests of a class, each with a user and client addresses of its own."""

    settings: ClassVar[dict[str, object]] = {}
    server: Server
    records: Records
    addresses = 0

    @classmethod
    def setUpClass(cls) -> None:
        holder = tempfile.TemporaryDirectory()
        cls.addClassCleanup(holder.cleanup)
        settings = {
            "mirrors": {"open": {"url": "http://127.0.0.1:9", "public_access": True}, "closed": {"url": "http://127.0.0.1:9"}},
            "trusted_proxies": ["127.0.0.1"], "app_secret": "s" * 40, **cls.settings,
        }  # fmt: skip
        cls.server = Server(Path(holder.name), settings).start()
        cls.addClassCleanup(cls.stop_quietly)
        cls.records = Records(cls.server.data)
        cls.addClassCleanup(cls.records.close)

    @classmethod
    def stop_quietly(cls) -> None:
        """Stop it; nothing may have failed inside."""
        assert cls.server.stop() == 0, cls.server.log
        assert "Traceback" not in cls.server.log, cls.server.log

    def setUp(self) -> None:
        self.name = re.sub("[^a-z]", "", self.id().rpartition(".test_")[2])
        self.user = self.records.user(self.name)

    def browser(self, **headers: str) -> Browser:
        PagesTestCase.addresses += 1
        address = f"198.51.{PagesTestCase.addresses // 250}.{PagesTestCase.addresses % 250}"
        return Browser(self.server.url, **{"X-Forwarded-For": address, "User-Agent": "Test/1", **headers})

    def signed_in(self, name: str = "", **fields: Any) -> Browser:
        browser = self.browser()
        self.assertEqual(303, browser.sign_in(name or self.name, **fields).status, browser.text)
        return browser

    def is_in(self, browser: Browser) -> bool:
        return browser.get("/profile").status == 200

    def basic(self, secret: str) -> dict[str, str]:
        return {"Authorization": "Basic " + base64.b64encode(f"{self.name}:{secret}".encode()).decode()}


class LoginTests(PagesTestCase):
    """Signing in and out."""

    def test_by_name_and_address(self) -> None:
        """Name or e-mail address, in any case; then the profile opens, and /login leads home."""
        for typed in (self.name, self.name.upper(), f" {self.name}@EXAMPLE.com "):
            browser = self.browser()
            answer = browser.sign_in(typed)
            self.assertEqual((303, "/"), (answer.status, browser.location()))
            self.assertTrue(self.is_in(browser))
            self.assertIn(f"{self.name}@example.com", browser.text)
            browser.get("/login")
            self.assertEqual("/", browser.location())

    def test_cookies(self) -> None:
        """The session's cookie is Strict and HttpOnly, ends with the browser, and is Secure behind https."""
        browser = self.browser()
        fields = browser.sign_in(self.name).headers["set-cookie"]
        self.assertRegex(fields, r"packeton=[\w-]{43}; Path=/; HttpOnly; SameSite=Strict$")
        browser = self.browser(**{"X-Forwarded-Proto": "https", "X-Forwarded-Prefix": "/composer"})
        browser.get("/login")
        fields = browser.post("/login", {"_username": self.name, "_password": PASSWORD}).headers["set-cookie"]
        self.assertRegex(fields, r"; Path=/composer; HttpOnly; SameSite=Strict; Secure$")

    def test_rotation(self) -> None:
        """A login while signed in gives another session, and ends the one before."""
        browser = self.signed_in()
        first = dict(browser.cookies)
        browser.get("/profile")
        browser.post("/login", {"_username": self.name, "_password": PASSWORD})
        self.assertEqual(303, browser.last.status)
        self.assertNotEqual(first["packeton"], browser.cookies["packeton"])
        self.assertTrue(self.is_in(browser))
        browser.cookies = first
        self.assertFalse(self.is_in(browser))

    def test_refused(self) -> None:
        """Unknown, wrong, disabled and expired are told in the same words, and as late."""
        self.records.user("gone", enabled=False)
        self.records.user("over", expires_at=datetime.now(UTC) - HOUR)
        self.records.user("none", password=None)
        spent = []
        pages = set()
        for name, password in (
            (self.name, "wrong"), ("nobody", PASSWORD), ("gone", PASSWORD), ("over", PASSWORD), ("none", PASSWORD), ("none", ""),
            ("", ""), ("x" * 5000, "x"), (self.name, "x" * 20_000), ("\0", "\0"), (self.name, ""),
        ):  # fmt: skip
            browser = self.browser()
            browser.get("/login")
            began = time.monotonic()
            answer = browser.post("/login", {"_username": name, "_password": password})
            spent.append(time.monotonic() - began)
            self.assertEqual(401, answer.status, name[:20])
            self.assertIn(WRONG, browser.text)
            self.assertNotIn("packeton", browser.cookies)
            pages.add(re.sub(r'value="[^"]*"|autofocus', "", browser.text).replace(" ", ""))
        self.assertEqual(1, len(pages))
        self.assertGreaterEqual(min(spent), 0.45)
        self.assertLess(max(spent), 5)

    def test_not_utf8(self) -> None:
        """A form that is no text is refused."""
        browser = self.browser()
        browser.get("/login")
        self.assertEqual(400, browser.post("/login", {"_username": b"\xff"}).status)

    def test_csrf(self) -> None:
        """Without the form's token, with another visitor's, or from another site there is no login."""
        other = self.browser()
        other.get("/login")
        browser = self.browser()
        browser.get("/login")
        good = browser.token()
        fields = {"_username": self.name, "_password": PASSWORD}
        for token in (None, "x", other.token()):
            self.assertEqual(403, browser.post("/login", fields, token=token).status)
        for headers in ({"Sec-Fetch-Site": "cross-site"}, {"Sec-Fetch-Site": "same-site"}, {"Origin": "https://evil.example"}):
            self.assertEqual(403, browser.post("/login", fields, token=good, **headers).status)
        self.assertEqual(400, browser.post("/login", fields, token=good, **{"Content-Type": "text/plain"}).status)
        self.assertIn("<p>This is not a form.</p>", browser.text)
        self.assertNotIn("packeton", browser.cookies)
        answer = browser.post("/login", fields, token=good, Origin=self.server.url, **{"Sec-Fetch-Site": "same-origin"})
        self.assertEqual(303, answer.status)

    def test_rate(self) -> None:
        """After ten failures the right password is not looked at either; from another address it is."""
        browser = self.browser()
        for _ in range(10):
            self.assertEqual(401, browser.sign_in(self.name, "wrong").status)
        answer = browser.sign_in(self.name)
        self.assertEqual(429, answer.status)
        self.assertIn("Too many attempts", browser.text)
        self.assertGreater(int(answer.headers["retry-after"]), 30)
        self.signed_in()

    def test_next(self) -> None:
        """The login leads back to the page that was asked for, and to no other site."""
        browser = self.browser()
        browser.get("/profile/tokens")
        self.assertEqual("/login?next=/profile/tokens", browser.location())
        browser.get(browser.location())
        browser.post("/login", {"_username": self.name, "_password": PASSWORD, "next": "/profile/tokens"})
        self.assertEqual("/profile/tokens", browser.location())
        for evil in ("//evil.example", "https://evil.example", "/\\evil.example", "javascript:alert(1)", "/\r\nX: y", "/\t/evil"):
            browser = self.browser()
            browser.sign_in(self.name, next=evil)
            self.assertEqual("/", browser.location(), evil)

    def test_sign_out(self) -> None:
        """Only a POST of the form signs out; the session is over then, for a copy of the cookie too."""
        browser = self.signed_in(_remember_me="1")
        kept = dict(browser.cookies)
        self.assertEqual(200, browser.get("/logout").status)
        good = browser.token()
        self.assertEqual(403, browser.post("/logout", token="x").status)
        self.assertTrue(self.is_in(browser))
        browser.post("/logout", token=good)
        self.assertEqual("/login?notice=signed-out", browser.location())
        self.assertEqual(set(), set(browser.cookies) & {"packeton", "pauth"})
        browser.cookies = kept
        self.assertFalse(self.is_in(browser))

    def test_remembered(self) -> None:
        """A remembered browser is signed in without its session, and its cookie changes; nonsense is forgotten."""
        browser = self.signed_in(_remember_me="1")
        fields = browser.last.headers["set-cookie"]
        self.assertRegex(fields, r"pauth=[\w.-]+; Path=/; HttpOnly; SameSite=Lax; Max-Age=31536000")
        old = browser.cookies["pauth"]
        del browser.cookies["packeton"]
        self.assertTrue(self.is_in(browser))
        self.assertNotEqual(old, browser.cookies["pauth"])
        self.assertIn("packeton", browser.cookies)
        unremembered = self.signed_in()
        del unremembered.cookies["packeton"]
        self.assertFalse(self.is_in(unremembered))
        browser.cookies = {"pauth": "x" * 43 + "." + "y" * 43}
        self.assertFalse(self.is_in(browser))
        self.assertNotIn("pauth", browser.cookies)

    def test_disabled_while_signed_in(self) -> None:
        """Disabling a user ends the sessions at once."""
        browser = self.signed_in()
        self.records.change(self.name, enabled=False)
        self.assertFalse(self.is_in(browser))

    def test_legacy_hash(self) -> None:
        """The reference's hashes are good, and are replaced at the first login."""
        old = hashlib.sha512(f"{PASSWORD}{{pepper}}".encode()).hexdigest()
        self.records.change(self.name, password=old, salt="pepper")
        self.assertEqual(401, self.browser().sign_in(self.name, "wrong").status)
        self.signed_in()
        user = self.records.get(self.name)
        self.assertTrue(user.password.startswith("$argon2id$"))
        self.assertIsNone(user.salt)
        self.signed_in()


class ClosedTests(PagesTestCase):
    """A server where nothing is open to everyone."""

    settings: ClassVar[dict[str, object]] = {"mirrors": {"closed": {"url": "http://127.0.0.1:9"}}}

    def test_home(self) -> None:
        """Who is not signed in is led to the login; who is sees the page."""
        visitor = self.browser()
        visitor.get("/")
        self.assertEqual("/login", visitor.location())
        self.assertEqual(200, self.signed_in().get("/").status)


class ProfileTests(PagesTestCase):
    """The account's own pages."""

    def test_only_signed_in(self) -> None:
        """Every page asks for a login, and every form for its token."""
        visitor, browser = self.browser(), self.signed_in()
        pages = ("/profile", "/profile/edit", "/change-password", "/profile/tokens", "/profile/tokens/new",
                 "/profile/login-attempts", "/profile/sessions", "/profile/two-factor", "/users/sessions/list")  # fmt: skip
        for path in pages:
            visitor.get(path)
            self.assertEqual(f"/login?next={path}", visitor.location())
        forms = ("/profile/edit", "/change-password", "/profile/tokens/new", "/profile/tokens/1/delete", "/profile/regenerate-token",
                 "/profile/sessions/end", "/profile/two-factor/on", "/profile/two-factor/off", "/subrepository/switch-root",
                 "/subrepository/1/switch")  # fmt: skip
        other = self.signed_in()
        other.get("/profile")
        foreign = other.token()
        for path in forms:
            self.assertIn(visitor.post(path, token="x").status, {303, 403})
            for token in (None, "x", foreign):
                self.assertEqual(403, browser.post(path, token=token).status, path)
                self.assertIn("This form is too old", browser.text)

    def test_head(self) -> None:
        """Pages are framed by nobody, sniffed by nobody, kept by nobody, and run no script; HEAD says the same."""
        browser = self.signed_in()
        for method in ("GET", "HEAD"):
            answer = browser.send(method, "/profile", {}, None)
            policy = answer.headers["content-security-policy"]
            self.assertNotIn("unsafe", policy)
            self.assertNotIn("script-src", policy)
            self.assertIn("default-src 'none'", policy)
            self.assertIn("frame-ancestors 'none'", policy)
            found = [answer.headers[name] for name in ("x-frame-options", "x-content-type-options", "cache-control", "referrer-policy")]
            self.assertEqual(["DENY", "nosniff", "no-store", "no-referrer"], found)
        self.assertEqual(b"", answer.body)

    def test_personal_token(self) -> None:
        """A token is shown once, opens what its scopes say, and is gone when revoked, by its owner only."""
        browser = self.signed_in()
        browser.get("/profile/tokens/new")
        self.assertNotIn("packages:all", browser.text)
        browser.post("/profile/tokens/new", {"name": "CI <b>", "expires": "30", "scopes": ["metadata", "mirror:all"]})
        secret = re.search(r'id="secret">([^<]+)<', browser.text)[1]
        self.assertTrue(secret.startswith("pat_"))
        self.assertIn(b"CI &lt;b&gt;", browser.last.body)
        self.assertNotIn(secret, browser.get("/profile/tokens").body.decode())
        url = f"{self.server.url}/mirror/closed/p2/acme/foo.json"
        self.assertEqual(403, fetch(url, headers=self.basic(secret)).status)
        self.records.change(self.name, roles=frozenset({"ROLE_FULL_CUSTOMER"}))
        time.sleep(1.1)
        self.assertNotIn(fetch(url, headers=self.basic(secret)).status, {401, 403})
        number = re.search(r"/profile/tokens/(\d+)/delete", browser.get("/profile/tokens").body.decode())[1]
        stranger = self.signed_in(self.records.user("stranger").name)
        for wrong in (number, "x", "9" * 30):
            stranger.get("/profile")
            self.assertEqual(404, stranger.post(f"/profile/tokens/{wrong}/delete").status)
        browser.get("/profile/tokens")
        browser.post(f"/profile/tokens/{number}/delete")
        self.assertEqual("/profile/tokens?notice=token-deleted", browser.location())
        self.assertEqual(401, fetch(url, headers=self.basic(secret)).status)

    def test_token_form(self) -> None:
        """What cannot be a token is told on the form, which keeps what was typed."""
        browser = self.signed_in()
        for fields, told in (
            ({"name": "", "scopes": "metadata"}, "name"),
            ({"name": "x"}, "at least one scope"),
            ({"name": "x", "scopes": "users"}, "not for the roles"),
            ({"name": "x", "scopes": "everything"}, "no scope"),
            ({"name": "x", "scopes": "metadata", "expires": "31"}, "expirations"),
            ({"name": "y" * 200, "scopes": "metadata"}, "name"),
        ):
            browser.get("/profile/tokens/new")
            self.assertEqual(400, browser.post("/profile/tokens/new", fields).status, fields)
            self.assertIn(told, browser.text)
        browser.get("/profile/tokens")
        self.assertIn("There are none yet", browser.text)

    def test_api_token(self) -> None:
        """The API token is made and replaced by POST only, and shown once."""
        browser = self.signed_in()
        self.records.change(self.name, roles=frozenset({"ROLE_FULL_CUSTOMER"}))
        url = f"{self.server.url}/mirror/closed/p2/acme/foo.json"
        secrets = []
        for _ in range(2):
            self.assertNotIn('id="secret"', browser.get("/profile").body.decode())
            browser.post("/profile/regenerate-token")
            secrets.append(re.search(r'id="secret">([^<]+)<', browser.text)[1])
        self.assertEqual(405, browser.get("/profile/regenerate-token").status)
        refused = [fetch(url, headers=self.basic(secret)).status in {401, 403} for secret in secrets]
        self.assertEqual([True, False], refused)

    def test_change_password(self) -> None:
        """The current password is needed; other browsers and remembered ones are signed out, this one stays."""
        browser, other = self.signed_in(), self.signed_in(_remember_me="1")
        for fields, told in (
            ({"current_password": "wrong", "plainPassword": "new one", "repeated": "new one"}, "current password is not right"),
            ({"current_password": PASSWORD, "plainPassword": "new one", "repeated": "another"}, "differ"),
            ({"current_password": PASSWORD, "plainPassword": "short", "repeated": "short"}, "at least 6"),
            ({}, "current password is not right"),
        ):
            browser.get("/change-password")
            self.assertEqual(400, browser.post("/change-password", fields).status)
            self.assertIn(told, browser.text)
        browser.get("/change-password")
        browser.post("/change-password", {"current_password": PASSWORD, "plainPassword": "a new one", "repeated": "a new one"})
        self.assertEqual("/profile?notice=password", browser.location())
        self.assertTrue(self.is_in(browser))
        self.assertFalse(self.is_in(other))
        self.assertEqual(401, self.browser().sign_in(self.name).status)
        self.assertEqual(303, self.browser().sign_in(self.name, "a new one").status)

    def test_edit(self) -> None:
        """Address and notifications change with the password; an address of somebody else does not."""
        self.records.user("taken")
        browser = self.signed_in()
        for fields, told in (
            ({"email": "me@new.example", "current_password": "wrong"}, "not right"),
            ({"email": "nothing", "current_password": PASSWORD}, "no e-mail address"),
            ({"email": "TAKEN@example.com", "current_password": PASSWORD}, "cannot be used"),
        ):
            browser.get("/profile/edit")
            self.assertEqual(400, browser.post("/profile/edit", fields).status)
            self.assertIn(told, browser.text)
        browser.get("/profile/edit")
        browser.post("/profile/edit", {"email": "me@new.example", "current_password": PASSWORD})
        user = self.records.get(self.name)
        self.assertEqual(("me@new.example", False), (user.email, user.failure_notifications))

    def test_sessions(self) -> None:
        """The list shows where one is signed in; signing out everywhere leaves this browser."""
        browser, other = self.signed_in(), self.signed_in()
        browser.get("/profile/sessions")
        self.assertEqual(2, browser.text.count("Test/1"))
        self.assertIn(other.headers["X-Forwarded-For"], browser.text)
        browser.post("/profile/sessions/end")
        self.assertTrue(self.is_in(browser))
        self.assertFalse(self.is_in(other))

    def test_login_attempts(self) -> None:
        """Logins and failures are in the trail, of tokens too; only administrators see those of others."""
        self.browser().sign_in(self.name, "wrong")
        browser = self.signed_in()
        browser.get("/profile/login-attempts")
        for told in ("New Session", "wrong password", "Test/1", "failed"):
            self.assertIn(told, browser.text)
        self.assertEqual(403, browser.get("/users/sessions/list").status)
        self.assertEqual(403, browser.get(f"/users/{self.name}/login-attempts").status)
        boss = self.signed_in(self.records.user("boss", roles=frozenset({"ROLE_ADMIN"})).name)
        boss.get("/users/sessions/list")
        self.assertIn(f">{self.name}</td>", boss.text)
        self.assertNotIn(">boss</td>", boss.text)
        boss.get(f"/users/{self.name}/login-attempts")
        self.assertIn("wrong password", boss.text)
        self.assertEqual(404, boss.get("/users/boss/login-attempts").status)
        self.assertEqual(404, boss.get("/users/nobody/login-attempts").status)
        fetch(f"{self.server.url}/mirror/open/packages.json", headers=self.basic(f"pat_{'0' * 64}"))
        browser.get("/profile/login-attempts")
        self.assertIn("Api Token", browser.text)
        self.assertNotIn("pat_0000", browser.text)

    def test_second_factor(self) -> None:
        """Enrolment with a code, a login that needs one, codes that are good once, recovery codes, and turning it off."""
        browser = self.signed_in()
        browser.get("/profile/two-factor")
        secret = re.search(r"<code>([A-Z2-7 ]+)</code>", browser.text)[1].replace(" ", "")
        self.assertIn("<svg", browser.text)
        self.assertEqual(400, browser.post("/profile/two-factor/on", {"code": "x"}).status)
        self.assertIn(secret[:4], browser.text)
        self.signed_in()  # not confirmed: nothing is asked yet
        code = totp.code_at(secret, int(time.time()) // 30)
        browser.post("/profile/two-factor/on", {"code": code})
        recovery = re.findall(r"<li>([a-z2-7-]{19})</li>", browser.text)
        self.assertEqual(10, len(recovery))
        self.assertNotIn(secret, self.records.get(self.name).totp_secret)

        second = self.browser()
        second.sign_in(self.name, next="/profile")
        self.assertEqual("/login/code?next=/profile", second.location())
        self.assertFalse(self.is_in(second))
        self.assertEqual(200, second.get("/login/code?next=/profile").status)
        pending = second.cookies["packeton"]
        for wrong in ("x", code, "", recovery[0] + "x"):
            self.assertEqual(401, second.post("/login/code", {"code": wrong}).status, wrong)
        self.assertEqual(403, second.post("/login/code", {"code": recovery[0]}, token="x").status)
        second.get("/login/code")
        second.post("/login/code", {"code": recovery[0].upper(), "next": "/profile"})
        self.assertEqual("/profile", second.location())
        self.assertNotEqual(pending, second.cookies["packeton"])
        self.assertTrue(self.is_in(second))

        third = self.browser()
        third.sign_in(self.name)
        third.get("/login/code")
        self.assertEqual(401, third.post("/login/code", {"code": recovery[0]}).status)
        third.post("/login/code", {"code": totp.code_at(secret, int(time.time()) // 30 + 1)})
        self.assertTrue(self.is_in(third))
        third.get("/profile/two-factor")
        self.assertIn("9 recovery codes are left", third.text)
        self.assertEqual(400, third.post("/profile/two-factor/off", {"current_password": "wrong"}).status)
        third.post("/profile/two-factor/off", {"current_password": PASSWORD})
        self.assertEqual("/profile?notice=factor-off", third.location())
        self.signed_in()

    def test_second_factor_rate(self) -> None:
        """Codes cannot be guessed: after ten wrong ones a right one is not looked at, in a new login either."""
        browser = self.signed_in()
        browser.get("/profile/two-factor")
        secret = re.search(r"<code>([A-Z2-7 ]+)</code>", browser.text)[1].replace(" ", "")
        browser.post("/profile/two-factor/on", {"code": totp.code_at(secret, int(time.time()) // 30)})
        guess = self.browser()
        for _ in range(2):
            guess.cookies.clear()
            guess.sign_in(self.name)
            guess.get("/login/code")
            self.assertEqual([401] * 5, [guess.post("/login/code", {"code": f"x{number}"}).status for number in range(5)])
        guess.cookies.clear()
        guess.sign_in(self.name)
        guess.get("/login/code")
        self.assertEqual(429, guess.post("/login/code", {"code": totp.code_at(secret, int(time.time()) // 30 + 1)}).status)

    def test_landing(self) -> None:
        """A sub-repository's page is for whom may use it, without what could run; choosing it is a POST."""
        markup = '<h3 onclick="x()">Welcome</h3><script>bad()</script><a href="javascript:bad()">a</a><style>b{}</style><iframe src=x></iframe>'
        for slug, public in (("inner", False), ("outer", True)):
            hosts = (f"{slug}.example.com",)
            one = Subrepo(id=0, name=f"The {slug}", slug=slug, public=public, markup=markup, hosts=hosts)
            settled(self.records.subrepos.create(one))
        inner = settled(self.records.subrepos.find("inner"))
        time.sleep(1.1)
        visitor, browser = self.browser(), self.signed_in()
        self.assertEqual(404, visitor.get("/inner").status)
        self.assertEqual(404, browser.get("/inner").status)
        self.assertEqual(200, visitor.get("/outer").status)
        self.assertIn("<h3>Welcome</h3>", visitor.text)
        self.assertIn(f"{self.server.url}/outer", visitor.text)
        for bad in ("<script", "bad()", "onclick", "javascript:", "<iframe", "b{}"):
            self.assertNotIn(bad, visitor.text)
        visitor.get("/", Host="outer.example.com")
        self.assertIn("The outer", visitor.text)
        for path in ("/mirror/open", "/profile", "/inner", "/change-password"):
            answer = visitor.get(path, Host="outer.example.com")
            self.assertEqual((404, {"error": "Not found"}), (answer.status, answer.json()), path)
        for path in ("/outer", "/login", "/reset-password/check-email"):
            self.assertEqual(200, visitor.get(path, Host="outer.example.com").status, path)
        visitor.get("/", Host="inner.example.com")
        self.assertNotIn("The inner", visitor.text)
        browser.get("/profile")
        self.assertEqual(404, browser.post(f"/subrepository/{inner.id}/switch").status)
        self.records.change(self.name, subrepos=(inner.id,))
        self.assertEqual(405, browser.get(f"/subrepository/{inner.id}/switch").status)
        self.assertEqual(200, browser.get("/inner").status)
        browser.post(f"/subrepository/{inner.id}/switch")
        self.assertEqual("/?notice=repository", browser.location())
        self.assertIn(f"composer config repo.inner composer {self.server.url}/inner\n", browser.get("/") and browser.text)
        browser.get("/profile")
        self.assertEqual(404, browser.post("/subrepository/switch-root").status)
        self.records.change(self.name, subrepos=(0, inner.id))
        self.assertIn("The root", browser.get("/profile") and browser.text)
        self.assertEqual(1, browser.text.count("shown now"))
        browser.post("/subrepository/switch-root")
        self.assertEqual("/?notice=repository", browser.location())

    def test_missing(self) -> None:
        """A browser gets a page for what is not there, with or without a session; others JSON."""
        html = {"Accept": "text/html,application/xhtml+xml,*/*;q=0.8"}
        for browser in (self.browser(), self.signed_in()):
            for path in ("/no/such/page", "/nothing", "/logout/x", "/subrepository/switch-root"):
                self.assertEqual(404, browser.get(path, **html).status, path)
                self.assertIn("There is no such page", browser.text)
            answer = browser.get("/no/such/page")
            self.assertEqual((404, 404, "Not Found"), (answer.status, answer.json()["status"], answer.json()["detail"]))
            self.assertEqual(("nosniff", "DENY"), (answer.headers["x-content-type-options"], answer.headers["x-frame-options"]))
            self.assertEqual(405, browser.get("/subrepository/switch-root").status)

    def test_home(self) -> None:
        """The start page shows the mirrors that the visitor may use; an address cannot put words on it."""
        visitor = self.browser()
        visitor.get("/?notice=hello")
        self.assertIn("/mirror/open", visitor.text)
        self.assertNotIn("/mirror/closed", visitor.text)
        self.assertNotIn("hello", visitor.text)
        self.records.change(self.name, roles=frozenset({"ROLE_FULL_CUSTOMER"}))
        browser = self.signed_in()
        browser.get("/")
        self.assertIn("/mirror/closed", browser.text)
        self.assertIn(f"composer config repo.private composer {self.server.url}\n", browser.text)
        self.assertIn(f"http-basic.{self.server.url[7:]} {self.name} TOKEN", browser.text)
        self.assertNotIn("TOKEN", visitor.get("/") and visitor.text)
        self.assertEqual(404, visitor.get("/mirror/closed").status)
        self.assertEqual(200, browser.get("/mirror/closed").status)


class MailedPasswordTests(PagesTestCase):
    """Resets and invitations, with a mail server."""

    mails: SmtpServer

    @classmethod
    def setUpClass(cls) -> None:
        cls.mails = SmtpServer()
        cls.addClassCleanup(cls.mails.stop)
        cls.settings = {
            "mail": {"dsn": f"smtp://127.0.0.1:{cls.mails.port}", "sender": "Packeton <p@example.com>"},
            "public_url": "http://packages.example.com",
        }
        super().setUpClass()

    def setUp(self) -> None:
        super().setUp()
        self.mails.mails.clear()

    def ask(self, name: str) -> None:
        browser = self.browser()
        browser.get("/reset-password")
        answer = browser.post("/reset-password", {"_username": name}, Host="evil.example.com")
        self.assertEqual("http://packages.example.com/reset-password/check-email", answer.headers["location"])

    def path(self) -> str:
        deadline = time.monotonic() + 5
        while not self.mails.mails and time.monotonic() < deadline:
            time.sleep(0.02)
        [(to, message)] = self.mails.mails
        self.assertEqual([f"{self.name}@example.com"], to)
        found = re.search(r"http://packages\.example\.com(/reset-password/reset/[0-9a-f]{40})\s", message.get_content())
        self.assertIsNotNone(found, message.get_content())
        return found[1]

    def is_old(self, browser: Browser, path: str) -> bool:
        return browser.get(path).headers.get("location", "").endswith("/reset-password?notice=link-old")

    def test_reset(self) -> None:
        """A mail with a link, once in ten minutes; the link sets a password once and signs out everywhere."""
        signed_in = self.signed_in(_remember_me="1")
        self.ask(self.name.upper())
        path = self.path()
        self.ask(f"{self.name}@example.com")
        time.sleep(0.3)
        self.assertEqual(1, len(self.mails.mails))
        browser = self.browser()
        for fields, told in (
            ({"plainPassword": "short", "repeated": "short"}, "at least 6"),
            ({"plainPassword": "a new one", "repeated": "other"}, "differ"),
        ):
            self.assertEqual(200, browser.get(path).status)
            self.assertEqual(400, browser.post(path, fields).status)
            self.assertIn(told, browser.text)
        good = {"plainPassword": "a new one", "repeated": "a new one"}
        self.assertEqual(403, browser.post(path, good, token="x").status)
        self.assertEqual(404, browser.get(path.replace("/reset/", "/invite/")).status)
        browser.get(path)
        self.assertTrue(browser.post(path, good).headers["location"].endswith("/login?notice=password-set"))
        self.assertFalse(self.is_in(signed_in))
        self.assertEqual(303, self.browser().sign_in(self.name, "a new one").status)
        self.assertTrue(self.is_old(browser, path))
        self.assertIn("/reset-password/reset/***", self.server.log)
        self.assertNotIn(path.rpartition("/")[2], self.server.log)

    def test_no_enumeration(self) -> None:
        """Unknown and disabled users get the same answer, and no mail."""
        self.records.user("off", enabled=False)
        for name in ("nobody", "off", "", "x" * 1000, "a\r\nb"):
            self.ask(name)
        time.sleep(0.3)
        self.assertEqual([], self.mails.mails)

    def test_old_link(self) -> None:
        """After 24 hours a link is worth nothing."""
        self.ask(self.name)
        path = self.path()
        self.records.change(self.name, reset_requested_at=datetime.now(UTC) - timedelta(hours=24, seconds=1))
        browser = self.browser()
        self.assertTrue(self.is_old(browser, path))
        self.assertTrue(self.is_old(browser, "/reset-password/reset/" + "0" * 40))

    def test_csrf(self) -> None:
        """Another site cannot make us send mails."""
        browser = self.browser()
        browser.get("/reset-password")
        self.assertEqual(403, browser.post("/reset-password", {"_username": self.name}, token="x").status)
        time.sleep(0.2)
        self.assertEqual([], self.mails.mails)

    def test_invited(self) -> None:
        """An invitation enables the account with the password that is chosen."""
        token = "invite" + "a1" * 20
        asked = datetime.now(UTC) - timedelta(days=13)
        digest = hashlib.sha256(token.encode()).digest()
        self.records.change(self.name, enabled=False, password=None, reset_digest=digest, reset_requested_at=asked)
        browser = self.browser()
        path = f"/reset-password/invite/{token}"
        self.assertEqual(200, browser.get(path).status)
        browser.post(path, {"plainPassword": "welcome", "repeated": "welcome"})
        self.assertEqual(303, self.browser().sign_in(self.name, "welcome").status)


class SetupTests(unittest.TestCase):
    """The first start of an empty installation."""

    def start(self, folder: Path) -> str | None:
        """Start a server and return the path of the link that it shows."""
        self.server = Server(folder / "server", {"mirrors": {"open": {"url": "http://127.0.0.1:9"}}, "app_secret": "s" * 40}).start()
        deadline = time.monotonic() + (5 if not (folder / "made").exists() else 1)
        while time.monotonic() < deadline:
            found = re.findall(r"open http://\S+?(/setup/[\w-]{32})", self.server.log)
            if found and found[-1] not in self.seen:
                self.seen.add(found[-1])
                return found[-1]
            time.sleep(0.05)
        return None

    def stop(self) -> None:
        """Stop the server that was started last."""
        self.server.stop()

    def test_first_admin(self) -> None:
        """The log shows a link that makes one administrator; after that there is no link, and the old one is nothing."""
        self.seen: set[str] = set()
        with tempfile.TemporaryDirectory() as holder:
            folder = Path(holder)
            path = self.start(folder)
            self.addCleanup(self.stop)
            self.assertIsNotNone(path)
            browser = Browser(self.server.url)
            self.assertEqual(404, browser.get("/setup/" + "x" * 32).status)
            good = {"username": "chief", "email": "chief@example.com", "plainPassword": PASSWORD, "repeated": PASSWORD}
            for change, told in (
                ({"username": "a b"}, "only letters"), ({"email": "x"}, "no e-mail"), ({"plainPassword": "x", "repeated": "x"}, "at least 6"),
                ({"repeated": "other"}, "differ"),
            ):  # fmt: skip
                self.assertEqual(200, browser.get(path).status)
                self.assertEqual(400, browser.post(path, good | change).status)
                self.assertIn(told, browser.text)
            self.assertEqual(403, browser.post(path, good, token="x").status)
            browser.get(path)
            browser.post(path, good)
            self.assertEqual("/login?notice=admin-made", browser.location())
            self.assertEqual(404, browser.get(path).status)
            browser.sign_in("chief")
            self.assertEqual(200, browser.get("/users/sessions/list").status)
            self.assertNotIn(path, "\n".join(line for line in self.server.log.splitlines() if "packeton.access" in line))
            self.assertEqual(0, self.server.stop())
            (folder / "made").touch()
            self.assertIsNone(self.start(folder))
            self.assertEqual(404, Browser(self.server.url).get(path).status)
            self.server.stop()


class WebTokenTests(PagesTestCase):
    """The JSON web token on the profile."""

    @classmethod
    def setUpClass(cls) -> None:
        key = ed25519.Ed25519PrivateKey.generate()
        pem = key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
        cls.settings = {"jwt_authentication": {"private_key": pem.decode()}}
        super().setUpClass()

    def test_shown(self) -> None:
        """It is shown on demand, by POST, and opens what its owner may see."""
        self.records.change(self.name, roles=frozenset({"ROLE_FULL_CUSTOMER"}))
        browser = self.signed_in()
        browser.get("/profile")
        self.assertNotIn("pk_jwt_", browser.text)
        good = browser.token()
        self.assertEqual(403, browser.post("/profile/web-token", token="x").status)
        browser.post("/profile/web-token", token=good)
        token = re.search(r"pk_jwt_[\w.-]+", browser.text)[0]
        url = f"{self.server.url}/mirror/closed/p2/acme/foo.json"
        self.assertNotIn(fetch(url, headers=self.basic(token)).status, {401, 403})
        self.assertEqual(401, fetch(url, headers=self.basic(token[:-3] + "abc")).status)
