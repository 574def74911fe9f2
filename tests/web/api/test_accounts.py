"""REST for users and groups, through the whole chain of routes, on a database in memory."""

import json
from typing import Any
from unittest import TestCase

from packeton.adapters.database.sessions import SessionRecords
from packeton.core.access.accounts import AclLine, TokenKind
from packeton.core.access.identities import Role
from packeton.core.access.passwords import Passwords
from packeton.features.access.audiences import Groups
from packeton.features.access.issuing import TokenIssuing
from packeton.features.access.people import People
from packeton.web.api.groups import GroupApi
from packeton.web.api.users import UserApi
from packeton.web.root import PacketonResource
from tests.support.access import MemoryAccess, basic
from tests.support.scripted import immediately
from tests.support.wire import Wire

SAME = {"first": "geheim-1", "second": "geheim-1"}


class ApiCase(TestCase):
    """One administrator, `admin`."""

    def setUp(self) -> None:
        self.access = MemoryAccess()
        self.addCleanup(self.access.close)
        self.admin = self.access.add_user("admin", roles=frozenset({Role.ADMIN}))
        self.access.add_token(self.admin, "token-of-the-admin")
        issuing = TokenIssuing(self.access.tokens, self.access.key, self.access.now, lambda below: 1)
        passwords = Passwords(time_cost=1, memory_kib=64)
        people = People(self.access.users, self.access.subrepos, issuing, passwords, immediately, self.access.now, SessionRecords(self.access.database))
        self.invited: list[tuple[int, str]] = []

        async def invite(user_id: int, base: str) -> str:
            self.invited.append((user_id, base))
            return f"{base}/invite"

        async def is_package(name: str) -> bool:
            return name in {"acme/a", "acme/b"}

        groups = Groups(self.access.groups, is_package, {"packagist"})
        addresses = self.access.gate.addresses
        resource = PacketonResource(
            routes=[
                UserApi(self.access.gate, self.access.users, people, addresses, invite),
                GroupApi(self.access.gate, self.access.groups, groups),
            ],
            mounts={},
            addresses=addresses,
            clock=self.access.clock,
            access_log=None,
            on_answer=lambda *_: None,
        )
        self.wire = Wire(resource, self.access.clock)
        self.addCleanup(self.wire.close)

    def ask(self, method: str, path: str, document: Any = None, *, headers: dict[str, str] | None = None) -> tuple[int, Any]:
        """Return status and document of the answer."""
        body = document if isinstance(document, bytes) else b"" if document is None else json.dumps(document).encode()
        answer = self.wire.ask(method, path, basic("admin", "token-of-the-admin") if headers is None else headers, body)
        return answer.status, answer.json() if answer.body else None


class UserApiTests(ApiCase):
    """`/api/users`."""

    def test_life(self) -> None:
        """Make, read, change in part, delete; the API token is shown once."""
        group = self.access.add_group("g")
        status, made = self.ask("POST", "/api/users", {
            "username": "anna", "plainPassword": SAME, "expiresAt": "2027-01-02", "expiredUpdatesAt": "2026-06-01", "fullAccess": True,
            "isMaintainer": False, "groups": [group.id], "enabled": True, "subReposView": [0],
        })  # fmt: skip
        self.assertEqual(201, status)
        self.assertRegex(made["apiToken"], "^pk_api_")
        path = f"/api/user/{made['id']}"
        status, user = self.ask("GET", path)
        expected = {
            "username": "anna", "email": "anna@example.com", "enabled": True, "createdAt": "2026-01-01T00:00:00+00:00", "expireAt": "2027-01-02T00:00:00+00:00",
            "expiredUpdatesAt": "2026-06-01T00:00:00+00:00", "apiToken": None, "roles": ["ROLE_FULL_CUSTOMER", "ROLE_USER"], "groups": [group.id], "fullAccess": True, "isMaintainer": False,
        }  # fmt: skip
        self.assertEqual((200, expected), (status, {name: user[name] for name in expected}))
        self.assertEqual((204, None), self.ask("PUT", path, {"username": "ignored", "fullAccess": False, "isMaintainer": True, "expiresAt": None, "groups": []}))
        user = self.ask("GET", path)[1]
        names = ("username", "roles", "expireAt", "groups", "expiredUpdatesAt")
        self.assertEqual(("anna", ["ROLE_MAINTAINER", "ROLE_USER"], None, [], "2026-06-01T00:00:00+00:00"), tuple(user[name] for name in names))
        self.assertEqual((204, None), self.ask("DELETE", path))
        self.assertEqual(404, self.ask("GET", path)[0])

    def test_list(self) -> None:
        """25 a page, by id, without administrators; what groups give is in it."""
        group = self.access.add_group("g", AclLine(package="acme/a"), AclLine(package="acme/*", constraint="^1"), mirrors=("packagist",))
        for number in range(27):
            self.access.add_user(f"u{number}", groups=(group.id,))
        status, users = self.ask("GET", "/api/users")
        self.assertEqual((200, 25, "u0"), (status, len(users), users[0]["username"]))
        self.assertEqual((["acme/a", "acme/*"], ["packagist"]), (users[0]["allowedPackages"], users[0]["allowedProxies"]))
        self.assertEqual(["u25", "u26"], [user["username"] for user in self.ask("GET", "/api/users?page=2")[1]])
        for page in ("0", "x", "-1", "99999999999"):
            self.assertEqual(400, self.ask("GET", f"/api/users?page={page}")[0], page)

    def test_bad_input(self) -> None:
        """Each field with its reason, nothing made."""
        self.access.add_user("otto")
        for document, field in (
            ({"username": "a b"}, "username"), ({}, "username"), ({"username": 1}, "username"), ({"username": "OTTO", "email": "x@x.org"}, "username"),
            ({"username": "x", "email": "OTTO@example.com"}, "email"), ({"username": "x", "email": "none"}, "email"), ({"username": "x", "odd": 1}, "odd"),
            ({"username": "x", "plainPassword": {"first": "geheim-1", "second": "geheim-2"}}, "plainPassword"),
            ({"username": "x", "plainPassword": {"first": "kurz", "second": "kurz"}}, "plainPassword"), ({"username": "x", "plainPassword": 5}, "plainPassword"),
            ({"username": "x", "expiresAt": "soon"}, "expiresAt"), ({"username": "x", "expiresAt": "2026-13-01"}, "expiresAt"), ({"username": "x", "enabled": "maybe"}, "enabled"),
            ({"username": "x", "groups": "1"}, "groups"), ({"username": "x", "groups": [True]}, "groups"), ({"username": "x", "groups": [2**40]}, "groups"),
            ({"username": "x", "subReposView": [7]}, "subReposView"), ({"username": "x", "groups": [77]}, "groups"),
        ):  # fmt: skip
            with self.subTest(document):
                status, wrong = self.ask("POST", "/api/users", document)
                self.assertEqual((400, [field]), (status, list(wrong)))
        for body, told in ((b"{", "line 1, column 2"), (b"[]", "object"), (b"\xff", "UTF-8"), (b"", "line 1"), (b"[" * 60_000, "depth")):
            status, answer = self.ask("POST", "/api/users", body)
            self.assertEqual(400, status)
            self.assertIn(told, answer["detail"])
        self.assertEqual(413, self.ask("POST", "/api/users", b"x" * 70_000)[0])
        self.assertEqual(2, self.access.done(self.access.users.count()))

    def test_administrators(self) -> None:
        """Oneself and other administrators are out of reach, and nobody else passes."""
        other = self.access.add_user("other", roles=frozenset({"ROLE_SUPERADMIN"}))
        for user in (self.admin, other):
            for method in ("GET", "PUT", "DELETE"):
                status, answer = self.ask(method, f"/api/user/{user.id}", None if method == "GET" else {})
                self.assertEqual((403, 403), (status, answer["status"]))
        for path in ("/api/user/999", "/api/user/99999999999999999999", "/api/user/x"):
            self.assertEqual(404, self.ask("GET", path)[0])
        maintainer = self.access.add_user("m", roles=frozenset({Role.MAINTAINER}))
        self.access.add_token(maintainer, "token-of-a-maintainer")
        limited = basic("admin", "pat_" + "a" * 40)
        self.access.add_token(self.admin, "pat_" + "a" * 40, TokenKind.PERSONAL, scopes=frozenset({"groups"}))
        for headers, expected in (({}, 401), (basic("m", "token-of-a-maintainer"), 403), (limited, 401)):
            self.assertEqual(expected, self.ask("GET", "/api/users", headers=headers)[0])
        self.assertEqual(200, self.ask("GET", "/api/groups", headers=limited)[0])

    def test_invitation(self) -> None:
        """It is sent, and no password is kept."""
        self.assertEqual((400, ["email"]), ((answer := self.ask("POST", "/api/users", {"username": "anna", "invitation": True}))[0], list(answer[1])))
        status, made = self.ask("POST", "/api/users", {"username": "anna", "email": "a@x.org", "invitation": True, "plainPassword": SAME})
        self.assertEqual((201, [(made["id"], "http://repo.example.com")]), (status, self.invited))
        self.assertIsNone(self.access.done(self.access.users.get(made["id"])).user.password)


class GroupApiTests(ApiCase):
    """`/api/groups`."""

    def test_life(self) -> None:
        """Constraints are shown; what is not sent stays; an empty list clears."""
        lines = ["acme/a", {"name": "acme/b", "version": "^1.0|^2.0"}, {"name": "acme/*", "minStability": "rc"}]
        status, made = self.ask("POST", "/api/groups", {"name": "g", "expiredUpdatesAt": "2026-02-03", "proxies": ["packagist"], "aclPermissions": lines})
        self.assertEqual(201, status)
        path = f"/api/group/{made['id']}"
        shown = self.ask("GET", path)[1]
        names = ("name", "version", "minStability")
        expected = [("acme/a", None, None), ("acme/b", "^1.0|^2.0", None), ("acme/*", None, "RC")]
        self.assertEqual(expected, [tuple(line[name] for name in names) for line in shown["aclPermissions"]])
        self.assertEqual((["acme/a", "acme/b", "acme/*"], ["packagist"], "2026-02-03T00:00:00+00:00"), (shown["packages"], shown["proxies"], shown["expiredUpdatesAt"]))
        self.assertEqual((204, None), self.ask("PUT", path, {"name": "h", "expiredUpdatesAt": None}))
        changed = self.ask("GET", path)[1]
        self.assertEqual(("h", None, shown["aclPermissions"]), (changed["name"], changed["expiredUpdatesAt"], changed["aclPermissions"]))
        self.assertEqual((204, None), self.ask("PUT", path, {"aclPermissions": [], "proxies": None}))
        self.assertEqual(([], []), tuple(self.ask("GET", path)[1][name] for name in ("packages", "proxies")))
        self.assertEqual([made["id"]], [group["id"] for group in self.ask("GET", "/api/groups")[1]])
        self.assertEqual((204, None), self.ask("DELETE", path))
        for method in ("GET", "PUT", "DELETE"):
            self.assertEqual(404, self.ask(method, path, None if method == "GET" else {})[0])

    def test_bad_input(self) -> None:
        """Unknown packages and mirrors, constraints that cannot be read, odd documents."""
        self.access.add_group("taken")
        odd_lines = (["acme/unknown"], [{"name": "acme/a", "version": "^x"}], "acme/a", [1], [{"version": "1"}], [{"name": "acme/a", "odd": 1}])
        for document, field in (
            *(({"name": "g", "aclPermissions": lines}, "aclPermissions") for lines in odd_lines),
            ({"name": "g", "proxies": ["nope"]}, "proxies"), ({"name": ""}, "name"), ({}, "name"), ({"name": "taken"}, "name"), ({"name": "x" * 65}, "name"),
            ({"name": "g", "expiredUpdatesAt": 5}, "expiredUpdatesAt"), ({"name": "g", "minStability": "odd"}, "minStability"), ({"name": "g", "odd": 5}, "odd"),
        ):  # fmt: skip
            with self.subTest(document):
                status, wrong = self.ask("POST", "/api/groups", document)
                self.assertEqual((400, [field]), (status, list(wrong)))
