"""REST `/api/users` and `/api/user/<id>`: customers."""

from collections.abc import Awaitable, Callable
from typing import Any

from klein import Klein
from twisted.web.iweb import IRequest

from packeton.core.access.accounts import Account, User
from packeton.core.access.days import day_text
from packeton.core.access.identities import Identity, Role, Scope
from packeton.errors import Denied, Invalid, InvalidFields, NotFound, Taken
from packeton.features.access.people import People, fallback_email
from packeton.interfaces.accounts import IUserRecords
from packeton.web.access import Gate
from packeton.web.addresses import Addresses
from packeton.web.api.answers import PAGE, page_of, send_fields, send_json, send_nothing
from packeton.web.api.forms import Form, day, flag, numbers, text
from packeton.web.bodies import read_json_object

__all__ = ["Invite", "UserApi"]

Invite = Callable[[int, str], Awaitable[str]]
"""Makes an invitation for a user's id, sends it, and returns its address; the second argument is our own."""

MAX_BODY = 64 * 1024


class UserApi:
    """For administrators; they do not change other administrators here, nor themselves."""

    def __init__(
        self, gate: Gate, users: IUserRecords, people: People, addresses: Addresses, invite: Invite | None = None
    ) -> None:
        self._gate = gate
        self._users = users
        self._people = people
        self._addresses = addresses
        self._invite = invite

    def install(self, app: Klein) -> None:
        """Add these routes to *app*."""
        app.route("/api/users", methods=["GET", "HEAD"])(self.listing)
        app.route("/api/users", methods=["POST"])(self.create)
        app.route("/api/user/<int(max=2147483647):user_id>", methods=["GET", "HEAD"])(self.item)
        app.route("/api/user/<int(max=2147483647):user_id>", methods=["PUT"])(self.change)
        app.route("/api/user/<int(max=2147483647):user_id>", methods=["DELETE"])(self.remove)

    async def listing(self, request: IRequest) -> bytes:
        """Customers, 25 a page."""
        await self._admin(request)
        users = await self._users.listing(PAGE, page_of(request), without_admins=True)
        accounts = [await self._users.get(user.id) for user in users]
        return send_json(request, [_document(account) for account in accounts if account is not None])

    async def item(self, request: IRequest, user_id: int) -> bytes:
        """One customer."""
        account, _ = await self._customer(request, user_id)
        return send_json(request, _document(account))

    async def create(self, request: IRequest) -> bytes:
        """Make one; its API token is in this answer and never again."""
        await self._admin(request)
        form = Form(read_json_object(request, MAX_BODY))
        try:
            name = form.take("username", text, "")
            values = {**_values(form), "roles": _roles(form)(frozenset())}
            password, invited = form.take("plainPassword", _password), form.take("invitation", flag, default=False)
            if invited and self._invite is None:
                form.wrong["invitation"] = "no mails are sent here: packeton.mail is not set"
            elif invited and "email" not in values:
                form.wrong["email"] = "is needed: the invitation is sent there"
            form.check()
            values.setdefault("email", fallback_email(name))
            made, issued = await self._people.create(name, password=None if invited else password, **values)
        except (InvalidFields, Taken) as error:
            return send_fields(request, error)
        document: dict[str, Any] = {"id": made.id, "apiToken": issued.secret}
        if invited and self._invite is not None:
            document["invitation"] = await self._invite(made.id, self._addresses.base_url(request))
        return send_json(request, document, 201)

    async def change(self, request: IRequest, user_id: int) -> bytes:
        """Change one; what is not sent stays."""
        await self._customer(request, user_id)
        form = Form(read_json_object(request, MAX_BODY))
        try:
            form.ignore("username")
            values, password = _values(form), form.take("plainPassword", _password)
            roles = _roles(form)
            form.check()
            await self._people.change(user_id, values, password=password, roles=roles)
        except (InvalidFields, Taken) as error:
            return send_fields(request, error)
        return send_nothing(request)

    async def remove(self, request: IRequest, user_id: int) -> bytes:
        """Delete one."""
        await self._customer(request, user_id)
        await self._people.remove(user_id)
        return send_nothing(request)

    async def _admin(self, request: IRequest) -> Identity:
        return (await self._gate.caller(request, role=Role.ADMIN, scope=Scope.USERS)).identity

    async def _customer(self, request: IRequest, user_id: int) -> tuple[Account, User]:
        """Return whom the path names. Raises NotFound; Denied: it is the caller, or an administrator."""
        caller = await self._admin(request)
        account: Account | None = await self._users.get(user_id)
        if account is None or account.user is None:
            raise NotFound("no such user")
        if user_id == caller.user_id or any("ADMIN" in role for role in account.roles):
            raise Denied("Administrators are not changed here.")
        return account, account.user


def _values(form: Form) -> dict[str, Any]:
    """Return the fields of a user that were sent."""
    values: dict[str, Any] = {}
    for name, own, read in (
        ("email", "email", text),
        ("enabled", "enabled", flag),
        ("expiresAt", "expires_at", day),
        ("expiredUpdatesAt", "updates_until", day),
        ("groups", "groups", numbers),
        ("subReposView", "subrepos", numbers),
    ):
        taken = form.take(name, read)
        if form.has(name) and name not in form.wrong:
            values[own] = taken
    if values.get("email") == "":
        del values["email"]
    return values


def _roles(form: Form) -> Callable[[frozenset[str]], frozenset[str]]:
    """Return what becomes of a user's roles by what was sent."""
    given: set[str] = set()
    taken: set[str] = set()
    for name, role in (("fullAccess", Role.FULL_CUSTOMER), ("isMaintainer", Role.MAINTAINER)):
        chosen = form.take(name, flag)
        if form.has(name) and name not in form.wrong:
            (given if chosen else taken).add(str(role))
    return lambda roles: (roles | given) - taken


def _password(value: Any) -> str | None:
    """Read a new password, sent twice; null leaves the old one."""
    if value is None:
        return None
    if isinstance(value, dict) and set(value) == {"first", "second"}:
        if value["first"] != value["second"]:
            raise Invalid("the two passwords are different")
        value = value["first"]
    if not isinstance(value, str):
        raise Invalid('must be {"first": …, "second": …}')
    return value or None


def _document(account: Account) -> dict[str, Any]:
    user = account.user
    assert user is not None, "our own users have one"
    lines = [line for group in account.groups for line in group.lines]
    return {
        "id": user.id,
        "username": user.name,
        "email": user.email,
        "enabled": user.enabled,
        "createdAt": day_text(user.created_at),
        "expireAt": day_text(user.expires_at),
        "expiredUpdatesAt": day_text(user.updates_until),
        "apiToken": None,  # shown once, when it is made
        "roles": sorted({*user.roles, Role.USER}),  # which everybody has; the reference says so
        "groups": list(user.groups),
        "subReposView": list(user.subrepos),
        "allowedPackages": list(dict.fromkeys(line.package for line in lines)),
        "allowedProxies": sorted({alias for group in account.groups for alias in group.mirrors}),
        "isMaintainer": Role.MAINTAINER in user.roles,
        "gravatarUrl": user.picture,
        "fullAccess": Role.FULL_CUSTOMER in user.roles,
    }
