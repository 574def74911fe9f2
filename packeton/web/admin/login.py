"""Signing in and out."""

from attrs import define
from klein import Klein

from packeton.features.access.sessions import Sessions
from packeton.features.access.signing_in import FactorNeeded, Opened, Refused, SigningIn
from packeton.web.admin.rendering import Pages, Visit
from packeton.web.cookies import REMEMBER, SESSION, read_cookie, set_cookie, take_cookie

__all__ = ["LoginRoutes"]

WRONG = "Name or password is wrong, or the account is closed."
WRONG_CODE = "That code is not right, or was used already."


@define
class LoginRoutes:
    """`/login`, its second step, and `/logout`."""

    _pages: Pages
    _signing_in: SigningIn
    _sessions: Sessions
    _can_reset: bool

    def install(self, app: Klein) -> None:
        """Add these routes to *app*."""
        for path, methods, view in (
            ("/login", ("GET",), self.form),
            ("/login", ("POST",), self.sign_in),
            ("/login/code", ("GET",), self.code_form),
            ("/login/code", ("POST",), self.code),
            ("/logout", ("GET",), self.leave),
            ("/logout", ("POST",), self.sign_out),
        ):
            self._pages.install(app, path, methods, view)

    async def form(self, visit: Visit) -> bytes:
        """The form; who is signed in is sent home."""
        if visit.account is not None:
            return self._pages.redirect(visit, visit.query("next") or "/")
        return self._form(visit, follow=visit.query("next"), remember=True)

    async def sign_in(self, visit: Visit) -> bytes:
        """Check name and password."""
        form = visit.form(anonymous=True)
        name, remember, follow = form.text("_username"), form.checked("_remember_me"), form.text("next")
        outcome = await self._signing_in.by_password(
            name, form.text("_password"), visit.visitor, remember=remember, former=visit.cookie
        )
        if isinstance(outcome, Refused):
            return self._form(visit, follow=follow, name=name, remember=remember, refused=outcome)
        set_cookie(visit.request, visit.base, SESSION, outcome.cookie)
        if isinstance(outcome, FactorNeeded):
            return self._pages.redirect(visit, "/login/code" + (f"?next={follow}" if follow else ""))
        return self._signed_in(visit, outcome, follow)

    async def code_form(self, visit: Visit) -> bytes:
        """The form for the second factor."""
        if visit.account is not None:
            return self._pages.redirect(visit, "/")
        waiting = read_cookie(visit.request, SESSION)
        if waiting is None or await self._sessions.find_pending(waiting) is None:
            return self._pages.redirect(visit, "/login")
        return self._pages.render(visit, "admin/code.html", follow=visit.query("next"), problem=None)

    async def code(self, visit: Visit) -> bytes:
        """Check the second factor."""
        form = visit.form(anonymous=True)
        waiting, follow = read_cookie(visit.request, SESSION), form.text("next")
        outcome = None
        if waiting is not None:
            outcome = await self._signing_in.by_code(waiting, form.text("code"), visit.visitor)
        if outcome is None:
            return self._pages.redirect(visit, "/login")
        if isinstance(outcome, Refused):
            status, problem = _told(visit, outcome, WRONG_CODE)
            return self._pages.render(visit, "admin/code.html", status=status, follow=follow, problem=problem)
        set_cookie(visit.request, visit.base, SESSION, outcome.cookie)
        return self._signed_in(visit, outcome, follow)

    async def leave(self, visit: Visit) -> bytes:
        """Ask: an address alone signs nobody out."""
        if visit.account is None:
            return self._pages.redirect(visit, "/login")
        return self._pages.render(visit, "admin/logout.html")

    async def sign_out(self, visit: Visit) -> bytes:
        """End the session, and do not remember this browser any more."""
        if visit.cookie is None:
            return self._pages.redirect(visit, "/login")
        visit.form()
        await self._sessions.close(visit.cookie)
        remembered = read_cookie(visit.request, REMEMBER)
        if remembered is not None:
            await self._sessions.forget(remembered)
        take_cookie(visit.request, visit.base, SESSION)
        take_cookie(visit.request, visit.base, REMEMBER)
        return self._pages.redirect(visit, "/login?notice=signed-out")

    def _signed_in(self, visit: Visit, outcome: Opened, follow: str) -> bytes:
        if outcome.remembered is not None:
            set_cookie(visit.request, visit.base, REMEMBER, outcome.remembered)
        return self._pages.redirect(visit, follow or "/")

    def _form(
        self, visit: Visit, *, follow: str, name: str = "", remember: bool = False, refused: Refused | None = None
    ) -> bytes:
        status, problem = (200, None) if refused is None else _told(visit, refused, WRONG)
        return self._pages.render(
            visit,
            "admin/login.html",
            status=status,
            follow=follow,
            name=name[:191],
            remember=remember,
            problem=problem,
            can_reset=self._can_reset,
        )


def _told(visit: Visit, refused: Refused, wrong: str) -> tuple[int, str]:
    """Return status and words."""
    if refused.retry_after is None:
        return 401, wrong
    seconds = max(1, round(refused.retry_after.total_seconds()))
    visit.request.setHeader(b"retry-after", b"%d" % seconds)
    told = f"{seconds} seconds" if seconds < 90 else f"{-(-seconds // 60)} minutes"
    return 429, f"Too many attempts. Try again in {told}."
