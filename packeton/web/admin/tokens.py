"""Personal access tokens of one's own."""

from datetime import datetime, timedelta
from typing import Final

from attrs import define
from klein import Klein

from packeton.core.access.accounts import TokenKind
from packeton.core.access.identities import Scope
from packeton.errors import Invalid, NotFound
from packeton.features.access.issuing import Issued, TokenIssuing, offered_scopes
from packeton.interfaces.accounts import ITokenRecords
from packeton.interfaces.clocks import Now
from packeton.web.admin.forms import sentence
from packeton.web.admin.rendering import Pages, Visit

__all__ = ["TokenRoutes"]

EXPIRATIONS: Final = (3, 30, 60, 120, 365)
"""Days that a new token may last."""
MEANINGS: Final = {
    Scope.METADATA: "read packages and download dists",
    Scope.MIRROR_READ: "read mirrors, of what they have already",
    Scope.MIRROR_ALL: "read mirrors, and make them fetch new packages",
    Scope.WEBHOOKS: "trigger updates",
    Scope.FEEDS: "read the feeds",
    Scope.PACKAGES_READ: "read packages through the API",
    Scope.PACKAGES_ALL: "read and change packages through the API",
    Scope.USERS: "manage customers through the API",
    Scope.GROUPS: "manage groups through the API",
}


@define
class TokenRoutes:
    """`/profile/tokens`, where they are listed, made and revoked."""

    _pages: Pages
    _issuing: TokenIssuing
    _tokens: ITokenRecords
    _now: Now

    def install(self, app: Klein) -> None:
        """Add these routes to *app*."""
        for path, methods, view in (
            ("/profile/tokens", ("GET",), self.listing),
            ("/profile/tokens/new", ("GET",), self.form),
            ("/profile/tokens/new", ("POST",), self.create),
            ("/profile/tokens/<number>/delete", ("POST",), self.delete),
        ):
            self._pages.install(app, path, methods, view)

    async def listing(self, visit: Visit) -> bytes:
        """All of them."""
        return await self._listing(visit)

    async def form(self, visit: Visit) -> bytes:
        """The form for a new one."""
        return self._form(visit, name="", chosen=("metadata", "mirror:all"), days=365)

    async def create(self, visit: Visit) -> bytes:
        """Make one and show it, once."""
        account, form = visit.signed_in, visit.form()
        name, chosen, days = form.text("name"), form.all("scopes"), form.text("expires")
        try:
            expires_at = self._expiry(days)
            issued = await self._issuing.personal(account, name, chosen, expires_at)
        except Invalid as error:
            number = int(days) if days.isdecimal() and len(days) < 5 else 0
            return self._form(visit, name=name, chosen=chosen, days=number, problem=sentence(str(error)))
        return await self._listing(visit, issued)

    async def delete(self, visit: Visit, number: str) -> bytes:
        """Revoke one."""
        visit.form()
        if not number.isdecimal() or len(number) > 18:
            raise NotFound("no such token")
        await self._issuing.revoke(int(number), visit.signed_in)
        return self._pages.redirect(visit, "/profile/tokens?notice=token-deleted")

    def _expiry(self, days: str) -> datetime | None:
        if days in {"", "0"}:
            return None
        if days not in {str(number) for number in EXPIRATIONS}:
            raise Invalid("choose one of the expirations")
        return self._now() + timedelta(days=int(days))

    async def _listing(self, visit: Visit, issued: Issued | None = None) -> bytes:
        account = visit.signed_in
        owner = None if account.user is None else account.user.id
        found = [one for one in await self._tokens.of_owner(owner, account.name) if one.kind is TokenKind.PERSONAL]
        return self._pages.render(visit, "admin/tokens.html", tokens=found, issued=issued, now=self._now())

    def _form(
        self, visit: Visit, *, name: str, chosen: tuple[str, ...], days: int, problem: str | None = None
    ) -> bytes:
        scopes = [(str(scope), MEANINGS[scope]) for scope in offered_scopes(visit.signed_in.roles)]
        return self._pages.render(
            visit,
            "admin/token_new.html",
            status=200 if problem is None else 400,
            name=name[:191],
            chosen=set(chosen),
            days=days,
            scopes=scopes,
            expirations=EXPIRATIONS,
            problem=problem,
        )
