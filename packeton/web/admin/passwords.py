"""Passwords: changing one's own, and setting one by a link that was mailed."""

from datetime import timedelta

from attrs import define
from klein import Klein
from twisted.logger import Logger

from packeton.core.access.passwords import MAX_PASSWORD, MIN_PASSWORD
from packeton.errors import Invalid, NotFound
from packeton.features.access.recovery import INVITE, PasswordRecovery
from packeton.features.access.sessions import Sessions
from packeton.features.access.signing_in import SigningIn
from packeton.interfaces.accounts import IUserRecords
from packeton.web.admin.forms import sentence
from packeton.web.admin.rendering import Pages, Visit
from packeton.web.cookies import REMEMBER, take_cookie

__all__ = ["PasswordRoutes"]

log = Logger()

WRONG = "The current password is not right."
DIFFERENT = "The two passwords differ."


@define
class PasswordRoutes:
    """`/change-password` and `/reset-password…`."""

    _pages: Pages
    _signing_in: SigningIn
    _sessions: Sessions
    _users: IUserRecords
    _recovery: PasswordRecovery
    _trusted_address: bool
    """Whether our own address is known for sure, so that a link in a mail cannot be made to lead elsewhere."""

    def install(self, app: Klein) -> None:
        """Add these routes to *app*."""
        for path, methods, view in (
            ("/change-password", ("GET",), self.change_form),
            ("/change-password", ("POST",), self.change),
            ("/reset-password", ("GET",), self.request_form),
            ("/reset-password", ("POST",), self.request),
            ("/reset-password/check-email", ("GET",), self.requested),
            ("/reset-password/<kind>/<token>", ("GET",), self.set_form),
            ("/reset-password/<kind>/<token>", ("POST",), self.set),
        ):
            self._pages.install(app, path, methods, view)

    async def change_form(self, visit: Visit) -> bytes:
        """The form for one's own password."""
        _own_user(visit)
        return self._change(visit)

    async def change(self, visit: Visit) -> bytes:
        """Change one's own password; other browsers are signed out."""
        account, form = visit.signed_in, visit.form()
        user_id = _own_user(visit)
        good = await self._signing_in.is_password(account, form.text("current_password"), visit.visitor)
        if isinstance(good, timedelta):
            return self._change(visit, problems={"current_password": "Too many attempts. Try again later."}, status=429)
        if not good:
            return self._change(visit, problems={"current_password": WRONG})
        password = form.text("plainPassword")
        try:
            if password != form.text("repeated"):
                raise Invalid(DIFFERENT)
            hashed = await self._signing_in.hashed(password)
        except Invalid as error:
            return self._change(visit, problems={"plainPassword": sentence(str(error))})
        await self._users.change(user_id, {"password": hashed, "salt": None, "reset_digest": None})
        await self._sessions.close_all(account, but=visit.cookie)
        take_cookie(visit.request, visit.base, REMEMBER)
        log.info("{name} changed the password", name=account.name)
        return self._pages.redirect(visit, "/profile?notice=password")

    async def request_form(self, visit: Visit) -> bytes:
        """The form that asks for a mail."""
        can = self._recovery.enabled and self._trusted_address
        return self._pages.render(visit, "admin/reset_request.html", enabled=can)

    async def request(self, visit: Visit) -> bytes:
        """Send a mail, maybe: the answer is the same."""
        form = visit.form(anonymous=True)
        if self._trusted_address:
            self._recovery.request(form.text("_username")[:191], visit.visitor.address, visit.base)
        else:
            log.warn("No mail was sent: its link would lead wherever the Host field says. Set public_url.")
        return self._pages.redirect(visit, "/reset-password/check-email")

    async def requested(self, visit: Visit) -> bytes:
        """Say that there is a mail, if there is somebody."""
        return self._pages.render(visit, "admin/reset_requested.html")

    async def set_form(self, visit: Visit, kind: str, token: str) -> bytes:
        """The form for a new password."""
        if not _is_link(kind, token):
            raise NotFound("no such page")
        account = await self._recovery.account_of(token)
        if account is None:
            return self._pages.redirect(visit, "/reset-password?notice=link-old")
        return self._set(visit, kind, token, account.name)

    async def set(self, visit: Visit, kind: str, token: str) -> bytes:
        """Set the new password."""
        form = visit.form(anonymous=True)
        if not _is_link(kind, token):
            raise NotFound("no such page")
        account = await self._recovery.account_of(token)
        try:
            if form.text("plainPassword") != form.text("repeated"):
                raise Invalid(DIFFERENT)
            await self._recovery.set_password(token, form.text("plainPassword"))
        except NotFound:
            return self._pages.redirect(visit, "/reset-password?notice=link-old")
        except Invalid as error:
            name = "" if account is None else account.name
            return self._set(visit, kind, token, name, problem=sentence(str(error)))
        return self._pages.redirect(visit, "/login?notice=password-set")

    def _change(self, visit: Visit, *, problems: dict[str, str] | None = None, status: int = 400) -> bytes:
        return self._pages.render(
            visit,
            "admin/change_password.html",
            status=200 if problems is None else status,
            problems=problems or {},
            shortest=MIN_PASSWORD,
            longest=MAX_PASSWORD,
        )

    def _set(self, visit: Visit, kind: str, token: str, name: str, *, problem: str | None = None) -> bytes:
        return self._pages.render(
            visit,
            "admin/reset.html",
            status=200 if problem is None else 400,
            kind=kind,
            token=token,
            name=name,
            problem=problem,
            shortest=MIN_PASSWORD,
            longest=MAX_PASSWORD,
        )


def _own_user(visit: Visit) -> int:
    """Return the id of who is signed in. Raises Invalid for a user of a directory."""
    user = visit.signed_in.user
    if user is None:
        raise Invalid("Your password is kept by your organisation's directory: change it there.")
    return user.id


def _is_link(kind: str, token: str) -> bool:
    return kind == ("invite" if token.startswith(INVITE) else "reset")
