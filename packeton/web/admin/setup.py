"""The page that makes the first administrator."""

from attrs import define
from klein import Klein

from packeton.core.access.passwords import MAX_PASSWORD, MIN_PASSWORD
from packeton.errors import InvalidFields, NotFound
from packeton.features.access.first_admin import FirstAdmin
from packeton.web.admin.rendering import Pages, Visit

__all__ = ["SetupRoutes"]


@define
class SetupRoutes:
    """`/setup/<token>`, whose link the log shows."""

    _pages: Pages
    _first: FirstAdmin

    def install(self, app: Klein) -> None:
        """Add these routes to *app*."""
        self._pages.install(app, "/setup/<token>", ("GET",), self.form)
        self._pages.install(app, "/setup/<token>", ("POST",), self.create)

    async def form(self, visit: Visit, token: str) -> bytes:
        """The form, for who has the link."""
        if not await self._first.is_open(token):
            raise NotFound("no such page")
        return self._form(visit, token, "admin", "", {})

    async def create(self, visit: Visit, token: str) -> bytes:
        """Make the administrator."""
        form = visit.form(anonymous=True)
        name, email, password = form.text("username").strip(), form.text("email").strip(), form.text("plainPassword")
        if password != form.text("repeated"):
            if not await self._first.is_open(token):
                raise NotFound("no such page")
            return self._form(visit, token, name, email, {"plainPassword": "The two passwords differ."})
        try:
            await self._first.create(token, name, email, password)
        except InvalidFields as error:
            return self._form(visit, token, name, email, dict(error.fields))
        return self._pages.redirect(visit, "/login?notice=admin-made")

    def _form(self, visit: Visit, token: str, name: str, email: str, problems: dict[str, str]) -> bytes:
        return self._pages.render(
            visit,
            "admin/setup.html",
            status=400 if problems else 200,
            token=token,
            name=name[:191],
            email=email[:191],
            problems=problems,
            shortest=MIN_PASSWORD,
            longest=MAX_PASSWORD,
        )
