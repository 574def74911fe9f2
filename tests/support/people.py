"""A whole server with users in it, and a browser without scripts for its forms."""

import html
import re
import urllib.parse
from datetime import UTC, datetime
from http.cookies import SimpleCookie
from pathlib import Path
from typing import Any

from packeton.adapters.database.connection import Database, sqlite_engine
from packeton.adapters.database.revisions import Revisions
from packeton.adapters.database.subrepos import SubrepoRecords
from packeton.adapters.database.users import UserRecords
from packeton.core.access.accounts import User
from packeton.core.access.passwords import Passwords
from tests.support.accounts import settled
from tests.support.client import Answer, fetch
from tests.support.scripted import immediately

__all__ = ["PASSWORD", "Browser", "Records"]

PASSWORD = "correct horse"


class Records:
    """The records of a running server, changed behind its back as another process would."""

    def __init__(self, data: Path) -> None:
        self._engine = sqlite_engine(data / "packeton.db")
        database = Database(self._engine, immediately)
        self.revisions = Revisions(database)
        self.users = UserRecords(database, self.revisions)
        self.subrepos = SubrepoRecords(database, self.revisions)

    def user(self, name: str, **fields: Any) -> User:
        """Insert a user whose password is PASSWORD."""
        values = {"email": f"{name}@example.com", "password": Passwords().hash(PASSWORD), "created_at": datetime.now(UTC), **fields}
        return settled(self.users.create(User(id=0, name=name, **values)))

    def get(self, name: str) -> User:
        user = settled(self.users.find(name)).user
        assert user is not None
        return user

    def change(self, name: str, **changes: Any) -> User:
        return settled(self.users.change(self.get(name).id, changes))

    def close(self) -> None:
        self._engine.dispose()


class Browser:
    """Keeps cookies, follows no redirect, and fills in forms."""

    def __init__(self, base: str, **headers: str) -> None:
        self.base = base
        self.cookies: dict[str, str] = {}
        self.headers = headers
        self.last: Answer | None = None

    @property
    def text(self) -> str:
        assert self.last is not None
        return html.unescape(self.last.body.decode())

    def get(self, path: str, **headers: str) -> Answer:
        return self.send("GET", path, headers, None)

    def post(self, path: str, fields: dict[str, Any] | None = None, *, token: str | None = "", **headers: str) -> Answer:
        """Post a form; *token* "" is the one of the last page, None is none."""
        values = dict(fields or {})
        if token is not None:
            values["_token"] = token or self.token()
        body = urllib.parse.urlencode(values, doseq=True).encode()
        return self.send("POST", path, {"Content-Type": "application/x-www-form-urlencoded", **headers}, body)

    def token(self) -> str:
        """Return the form token of the last page."""
        assert self.last is not None
        found = re.findall(r'name="_token" value="([^"]+)"', self.last.body.decode())
        assert found, self.last.body.decode()
        return found[0]

    def sign_in(self, name: str, password: str = PASSWORD, **fields: Any) -> Answer:
        self.get("/login")
        return self.post("/login", {"_username": name, "_password": password, **fields})

    def location(self) -> str:
        assert self.last is not None
        return self.last.headers.get("location", "").removeprefix(self.base)

    def send(self, method: str, path: str, headers: dict[str, str], body: bytes | None) -> Answer:
        fields = {**self.headers, **headers}
        if self.cookies:
            fields["Cookie"] = "; ".join(f"{name}={value}" for name, value in self.cookies.items())
        self.last, jar = _fetch(self.base + path, method, fields, body)
        for field in jar:
            for name, morsel in SimpleCookie(field).items():
                if morsel["max-age"] == "0":
                    self.cookies.pop(name, None)
                else:
                    self.cookies[name] = morsel.value
        return self.last


def _fetch(url: str, method: str, headers: dict[str, str], body: bytes | None) -> tuple[Answer, list[str]]:
    answer = fetch(url, method, headers, body)
    return answer, [field for field in answer.headers.get("set-cookie", "").split("\n") if field]
