"""What administrators see of others' logins."""

from attrs import define
from klein import Klein

from packeton.core.access.identities import Role, with_implied
from packeton.errors import NotFound
from packeton.interfaces.accounts import IUserRecords
from packeton.interfaces.audit import IAuditRecords, IAuditTrail
from packeton.web.admin.rendering import Pages, Visit

__all__ = ["TrailRoutes"]

PER_PAGE = 200


@define
class TrailRoutes:
    """`/users/sessions/list` and `/users/<name>/login-attempts`; administrators are not shown to each other."""

    _pages: Pages
    _users: IUserRecords
    _audit: IAuditRecords
    _trail: IAuditTrail

    def install(self, app: Klein) -> None:
        """Add these routes to *app*."""
        self._pages.install(app, "/users/sessions/list", ("GET",), self.everybody)
        self._pages.install(app, "/users/<name>/login-attempts", ("GET",), self.of_user)

    async def everybody(self, visit: Visit) -> bytes:
        """The newest of all users."""
        visit.need(Role.ADMIN)
        await self._trail.flush()
        entries = await self._audit.newest(PER_PAGE)
        hidden: dict[int, bool] = {}
        for user_id in {entry.event.user_id for entry in entries if entry.event.user_id is not None}:
            hidden[user_id] = await self._is_admin(user_id)
        shown = [one for one in entries if one.event.user_id is None or not hidden[one.event.user_id]]
        return self._pages.render(visit, "admin/attempts.html", title="Logins of all users", entries=shown, own=False)

    async def of_user(self, visit: Visit, name: str) -> bytes:
        """Those of one user."""
        visit.need(Role.ADMIN)
        account = await self._users.find(name)
        if account is None or account.user is None or Role.ADMIN in with_implied(account.roles):
            raise NotFound("no such user")
        await self._trail.flush()
        entries = await self._audit.of_user(account.user.id, account.name)
        title = f"Logins of {account.name}"
        return self._pages.render(visit, "admin/attempts.html", title=title, entries=entries, own=False)

    async def _is_admin(self, user_id: int) -> bool:
        account = await self._users.get(user_id)
        return account is None or Role.ADMIN in with_implied(account.roles)
