"""
Pages: the templates, the heads they go out with, and what every page knows of its visitor.

A view is a coroutine that takes a `Visit` and returns the page's bytes. What it raises becomes a page too: without a
login that is the way to the login form, for what may not be seen "not found".
"""

import base64
import hashlib
import re
from collections.abc import Awaitable, Callable
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, Final
from urllib.parse import quote

from attrs import define, field
from jinja2 import Environment, FileSystemLoader, StrictUndefined
from klein import Klein
from twisted.internet.defer import CancelledError
from twisted.logger import Logger
from twisted.web.iweb import IRequest

from packeton import __version__
from packeton.core.access.accounts import Account, Subrepo
from packeton.core.access.csrf import form_token
from packeton.core.access.identities import ANONYMOUS, Identity, Role, with_implied
from packeton.errors import Denied, NotFound, PacketonError, StorageFailed, Unauthenticated
from packeton.features.access.signing_in import Visitor
from packeton.features.access.subrepos import SubrepoDirectory
from packeton.web.addresses import Addresses, IMountPoint
from packeton.web.admin.forms import Form, posted_form, sentence
from packeton.web.cookies import FORM, read_cookie, set_cookie
from packeton.web.errors import FORBIDDEN, INTERNAL, STORAGE, status_of
from packeton.web.responses import send_bytes, set_head
from packeton.web.sessions import CookieSessions, visitor_of

__all__ = ["Pages", "View", "Visit", "templates_directory"]

log = Logger()

NOTICES: Final = {
    "signed-out": "You are signed out.",
    "password": "Your password is changed. Other browsers are signed out.",
    "password-set": "Your password is set. Sign in with it now.",
    "profile": "Your profile is saved.",
    "token-deleted": "The token is revoked.",
    "factor-off": "Signing in needs no code any more.",
    "everywhere": "All other browsers are signed out.",
    "link-old": "This link was used already, or is too old. Ask for a new one.",
    "admin-made": "The administrator is made. Sign in now.",
    "repository": "You see another repository now.",
    "saved": "Saved.",
}
"""What `?notice=` may say: an address cannot put words of its own on our pages."""
OF_PUBLIC_HOSTS: Final = ("/login", "/logout", "/reset-password", "/setup/")
"""What visitors without a session find on the host of a public sub-repository, besides its landing page."""
SAFE_PATH: Final = re.compile(r"/(?![/\\])[\x21-\x5b\x5d-\x7e]{0,500}")


@define(kw_only=True)
class Visit:
    """One request of a visitor."""

    request: IRequest
    base: str
    """Our address as the visitor sees it."""
    visitor: Visitor
    account: Account | None
    """Who is signed in."""
    cookie: str | None = field(repr=False)
    """Of the session, when somebody is signed in."""
    new_cookie: Callable[[], str] = field(repr=False)
    _form_cookie: str | None = field(default=None, repr=False)

    @property
    def identity(self) -> Identity:
        """Who that is, for decisions."""
        return ANONYMOUS if self.account is None else self.account.identity("session")

    @property
    def signed_in(self) -> Account:
        """Return who is signed in. Raises Unauthenticated."""
        if self.account is None:
            raise Unauthenticated("Sign in first.")
        return self.account

    def has(self, role: Role) -> bool:
        """Say if the visitor has *role*."""
        return self.account is not None and role in with_implied(self.account.roles)

    def need(self, role: Role) -> Account:
        """Return who is signed in. Raises Unauthenticated, or Denied without the role."""
        account = self.signed_in
        if not self.has(role):
            raise Denied("You may not see this page.")
        return account

    @property
    def form_token(self) -> str:
        """The token of forms on this page."""
        if self.cookie is not None:
            return form_token(self.cookie)
        known = self._form_cookie or read_cookie(self.request, FORM)
        if known is None:
            known = self.new_cookie()
            set_cookie(self.request, self.base, FORM, known)
        self._form_cookie = known
        return form_token(known)

    def form(self, *, anonymous: bool = False) -> Form:
        """
        Return what was posted by a form of ours. Raises as `posted_form`.

        Args:
            anonymous: The form is one for visitors without a session. Its page may have come to somebody who has one
                (a link from elsewhere brings no strict cookie along), so it may be bound to either.
        """
        shown = read_cookie(self.request, FORM)
        sessions = (self.cookie, shown) if anonymous or self.cookie is None else (self.cookie,)
        return posted_form(self.request, self.base, sessions)

    def query(self, name: str) -> str:
        """Return a parameter of the address; empty when it is not there."""
        values = (self.request.args or {}).get(name.encode(), [b""])
        first: bytes = values[0]
        return first.decode("utf-8", "replace")

    @property
    def page(self) -> int:
        """The `?page=` of a list, from 1."""
        text = self.query("page")
        return max(1, int(text)) if text.isdecimal() and len(text) < 7 else 1


View = Callable[..., Awaitable[bytes]]
"""Takes a `Visit`, and the parts of the path by name."""


def templates_directory() -> Path:
    """Return where the templates lie: inside the installed package, or beside it in a checkout."""
    package = Path(__file__).resolve().parent.parent.parent
    installed = package / "_templates"
    return installed if installed.is_dir() else package.parent / "templates"


class Pages:
    """Renders templates, and installs views on an app."""

    def __init__(self, addresses: Addresses, sessions: CookieSessions, directory: SubrepoDirectory) -> None:
        self._addresses = addresses
        self._sessions = sessions
        self._directory = directory
        folder = templates_directory()
        self._templates = Environment(
            loader=FileSystemLoader(folder),
            autoescape=True,
            undefined=StrictUndefined,
            trim_blocks=True,
            lstrip_blocks=True,
        )
        self._templates.filters |= {"when": _when, "day": _day, "span": _span}
        self._head = _security(folder / "base.html")

    def install(self, app: Klein, path: str, methods: tuple[str, ...], view: View) -> None:
        """Make *app* answer *path* with *view*; GET brings HEAD along."""

        async def answer(request: IRequest, **parts: Any) -> bytes:
            return await self.answer(request, view, **parts)

        answer.__name__ = f"{getattr(view, '__qualname__', 'view')} {path}"
        app.route(path, methods=[*methods, *(["HEAD"] if "GET" in methods else [])])(answer)

    async def answer(self, request: IRequest, view: View, **parts: Any) -> bytes:
        """Answer with *view*, and with a page for what it raises."""
        visit = await self.visit(request)
        path = request.path.decode("utf-8", "replace").removeprefix(IMountPoint(request).path)
        try:
            hosted = await self.public_host(visit)
            if hosted is not None and path not in {"/", f"/{hosted.slug}"} and not path.startswith(OF_PUBLIC_HOSTS):
                request.setResponseCode(404)
                return send_bytes(request, b'{"error":"Not found"}', "application/json")
            return await view(visit, **parts)
        except Unauthenticated:
            follow = f"?next={quote(path)}" if request.method in {b"GET", b"HEAD"} and path != "/" else ""
            return self.redirect(visit, f"/login{follow}")
        except PacketonError as error:
            return self.error(visit, error)
        except CancelledError:  # the visitor is gone
            raise
        except Exception:
            log.failure("A page failed")
            return self.error(visit, PacketonError(INTERNAL))

    async def missing(self, request: IRequest) -> bytes:
        """Say that there is no such page."""

        async def nothing(visit: Visit) -> bytes:
            return self.error(visit, NotFound("no such page"))

        return await self.answer(request, nothing)

    async def public_host(self, visit: Visit) -> Subrepo | None:
        """Return the public sub-repository whose landing page is all that this visitor sees on this host, or None."""
        if visit.account is not None:
            return None
        try:
            known = await self._directory.all()
        except StorageFailed:  # the pages work where the store does not
            return None
        found = known.by_host.get(self._addresses.host(visit.request)) if known.by_host else None
        return found if found is not None and found.public else None

    async def visit(self, request: IRequest) -> Visit:
        """Return who visits. Raises Invalid for a Host that is not ours."""
        base = self._addresses.base_url(request)
        account = cookie = None
        try:
            signed = await self._sessions.of(request)
            if signed.found is not None:
                account, cookie = signed.found.account, signed.cookie
        except StorageFailed as error:  # the pages that need no login work where the store does not
            log.warn("Nobody is signed in: {why}", why=str(error))
        return Visit(
            request=request,
            base=base,
            visitor=visitor_of(request, self._addresses),
            account=account,
            cookie=cookie,
            new_cookie=self._sessions.sessions.new_cookie,
        )

    def render(self, visit: Visit, template: str, *, status: int = 200, **context: object) -> bytes:
        """Return a page."""
        set_head(visit.request, self._head)
        visit.request.setResponseCode(status)
        account = visit.account
        everywhere: dict[str, object] = {
            "version": __version__,
            "base": visit.base,
            "user": None if account is None else account.name,
            "is_admin": visit.has(Role.ADMIN),
            "is_maintainer": visit.has(Role.MAINTAINER),
            "notice": NOTICES.get(visit.query("notice")),
            "visit": visit,
        }
        text = self._templates.get_template(template).render(everywhere | context)
        return send_bytes(visit.request, text.encode(), "text/html; charset=utf-8")

    def redirect(self, visit: Visit, path: str) -> bytes:
        """Send the visitor to *path* of ours; only a path that begins with one slash leads anywhere but home."""
        safe = path if SAFE_PATH.fullmatch(path) else "/"
        set_head(visit.request, self._head | {"Location": visit.base + safe})
        visit.request.setResponseCode(303)
        return send_bytes(visit.request, b"", "text/plain; charset=utf-8")

    def error(self, visit: Visit, error: PacketonError) -> bytes:
        """Return the page for what went wrong."""
        status = status_of(error)
        if status >= 500:
            log.warn("A page could not be made: {why}", why=str(error))
        hidden, denied = isinstance(error, NotFound), isinstance(error, Denied)
        title = "Not found" if hidden else "You may not do this" if denied else "That did not work"
        text = sentence(STORAGE if isinstance(error, StorageFailed) else str(error))
        text = "There is no such page, or you may not see it." if hidden else text
        if denied and str(error) == FORBIDDEN:
            text = "Your account may not see this page."
        return self.render(visit, "error.html", status=status, title=title, text=text)




def _security(base_template: Path) -> dict[str, str]:
    """Return the head of all pages; of styles only the one of the base template is allowed, by its digest."""
    style = re.search(r"<style>(.*?)</style>", base_template.read_text(), re.DOTALL)
    assert style is not None, "the base template has the style"
    digest = base64.b64encode(hashlib.sha256(style[1].encode()).digest()).decode()
    policy = (
        f"default-src 'none'; style-src 'sha256-{digest}'; img-src 'self' https: data:; base-uri 'none'; "
        "form-action 'self'; frame-ancestors 'none'"
    )
    return {
        "Content-Security-Policy": policy,
        "Referrer-Policy": "no-referrer",
        "X-Content-Type-Options": "nosniff",
        "X-Frame-Options": "DENY",
        "Cross-Origin-Opener-Policy": "same-origin",
        "Cache-Control": "no-store",
    }


def _when(moment: datetime | None) -> str:
    return "never" if moment is None else moment.strftime("%Y-%m-%d %H:%M UTC")


def _day(moment: datetime | None) -> str:
    return "never" if moment is None else moment.strftime("%Y-%m-%d")


def _span(time: timedelta) -> str:
    """Return a time to wait, rounded up."""
    seconds = max(1, int(time.total_seconds() + 0.999))
    if seconds < 90:
        return f"{seconds} seconds"
    return f"{-(-seconds // 60)} minutes"
