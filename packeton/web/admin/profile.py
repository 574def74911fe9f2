"""One's own account: profile, API token, sessions, login attempts, second factor."""

from datetime import timedelta

import segno
from attrs import define
from klein import Klein
from markupsafe import Markup

from packeton.core.access import totp
from packeton.core.access.accounts import Account, TokenKind, User
from packeton.errors import Conflict, Invalid, NotFound
from packeton.features.access.factors import SecondFactors
from packeton.features.access.issuing import TokenIssuing
from packeton.features.access.sessions import Sessions
from packeton.features.access.signing_in import SigningIn
from packeton.features.access.web_tokens import JwtAuthenticator
from packeton.interfaces.accounts import ITokenRecords
from packeton.interfaces.audit import IAuditRecords, IAuditTrail
from packeton.web.admin.emails import is_email
from packeton.web.admin.landing import LandingRoutes
from packeton.web.admin.rendering import Pages, Visit
from packeton.web.cookies import REMEMBER, take_cookie

__all__ = ["ProfileRoutes"]

WRONG = "The current password is not right."
LATER = "Too many attempts. Try again later."
ISSUER = "Packeton"


@define(kw_only=True)
class ProfileRoutes:
    """`/profile` and most of what lies below it; tokens are in `tokens.py`."""

    pages: Pages
    signing_in: SigningIn
    sessions: Sessions
    factors: SecondFactors
    issuing: TokenIssuing
    tokens: ITokenRecords
    audit: IAuditRecords
    trail: IAuditTrail
    landing: LandingRoutes
    web_tokens: JwtAuthenticator | None = None

    def install(self, app: Klein) -> None:
        """Add these routes to *app*."""
        for path, methods, view in (
            ("/profile", ("GET",), self.profile),
            ("/profile/edit", ("GET",), self.edit_form),
            ("/profile/edit", ("POST",), self.edit),
            ("/profile/regenerate-token", ("POST",), self.regenerate),
            ("/profile/web-token", ("POST",), self.web_token),
            ("/profile/login-attempts", ("GET",), self.attempts),
            ("/profile/sessions", ("GET",), self.list_sessions),
            ("/profile/sessions/end", ("POST",), self.end_sessions),
            ("/profile/two-factor", ("GET",), self.factor_form),
            ("/profile/two-factor/on", ("POST",), self.factor_on),
            ("/profile/two-factor/off", ("POST",), self.factor_off),
        ):
            self.pages.install(app, path, methods, view)

    async def profile(self, visit: Visit) -> bytes:
        """What there is to the account."""
        return await self._profile(visit)

    async def regenerate(self, visit: Visit) -> bytes:
        """Make a new API token in place of the old one, and show it once."""
        visit.form()
        user = _own(visit.signed_in)
        issued = await self.issuing.api_token(user.id)
        return await self._profile(visit, secret=issued.secret)

    async def web_token(self, visit: Visit) -> bytes:
        """Show the account's JSON web token."""
        visit.form()
        if self.web_tokens is None:
            raise NotFound("no such page")
        return await self._profile(visit, web_token=self.web_tokens.token_of(visit.signed_in))

    async def edit_form(self, visit: Visit) -> bytes:
        """The form for address and notifications."""
        user = visit.signed_in.user
        return self._edit(visit, "" if user is None else user.email, user is None or user.failure_notifications, {})

    async def edit(self, visit: Visit) -> bytes:
        """Save address and notifications; the current password is needed."""
        account, form = visit.signed_in, visit.form()
        user = _own(account)
        email, notify = form.text("email").strip(), form.checked("failureNotifications")
        problem = await self._wrong_password(visit, account, form.text("current_password"))
        if problem is not None:
            return self._edit(visit, email, notify, {"current_password": problem})
        if not is_email(email):
            return self._edit(visit, email, notify, {"email": "This is no e-mail address."})
        try:
            await self.signing_in.users.change(user.id, {"email": email, "failure_notifications": notify})
        except Conflict:
            return self._edit(visit, email, notify, {"email": "This address cannot be used."})
        return self.pages.redirect(visit, "/profile?notice=profile")

    async def attempts(self, visit: Visit) -> bytes:
        """The audit trail of the account."""
        account = visit.signed_in
        await self.trail.flush()
        entries = await self.audit.of_user(_id(account), account.name)
        return self.pages.render(visit, "admin/attempts.html", title="Login attempts", entries=entries, own=True)

    async def list_sessions(self, visit: Visit) -> bytes:
        """Where the account is signed in."""
        account = visit.signed_in
        found = await self.sessions.of_account(account)
        current = None if visit.cookie is None else await self.sessions.find(visit.cookie)
        digest = None if current is None else current.session.digest
        return self.pages.render(visit, "admin/sessions.html", sessions=found, current=digest)

    async def end_sessions(self, visit: Visit) -> bytes:
        """Sign out everywhere else."""
        visit.form()
        await self.sessions.close_all(visit.signed_in, but=visit.cookie)
        take_cookie(visit.request, visit.base, REMEMBER)
        return self.pages.redirect(visit, "/profile/sessions?notice=everywhere")

    async def factor_form(self, visit: Visit) -> bytes:
        """Whether signing in needs a code; if not, what an app needs to make them."""
        user = _own(visit.signed_in)
        if self.factors.is_on(user):
            return self._factor(visit, left=len(user.totp_recovery))
        return await self._enrol(visit, user)

    async def factor_on(self, visit: Visit) -> bytes:
        """Check a first code; show the recovery codes once."""
        form, user = visit.form(), _own(visit.signed_in)
        try:
            codes = await self.factors.confirm(user, form.text("code"))
        except Invalid as error:
            return await self._enrol(visit, user, problem=str(error))
        await self.sessions.close_all(visit.signed_in, but=visit.cookie)
        return self._factor(visit, left=len(codes), codes=codes)

    async def factor_off(self, visit: Visit) -> bytes:
        """Ask for no code any more; the current password is needed."""
        account, form = visit.signed_in, visit.form()
        user = _own(account)
        problem = await self._wrong_password(visit, account, form.text("current_password"))
        if problem is not None:
            return self._factor(visit, left=len(user.totp_recovery), problem=problem)
        await self.factors.turn_off(user)
        return self.pages.redirect(visit, "/profile?notice=factor-off")

    async def _wrong_password(self, visit: Visit, account: Account, password: str) -> str | None:
        good = await self.signing_in.is_password(account, password, visit.visitor)
        if isinstance(good, timedelta):
            return LATER
        return None if good else WRONG

    async def _profile(self, visit: Visit, secret: str | None = None, web_token: str | None = None) -> bytes:
        account = visit.signed_in
        found = await self.tokens.of_owner(_id(account), account.name)
        api = next((token for token in found if token.kind is TokenKind.API), None)
        return self.pages.render(
            visit,
            "admin/profile.html",
            account=account,
            api=api,
            secret=secret,
            web_token=web_token,
            choices=await self.landing.choices(visit),
            has_web_tokens=self.web_tokens is not None,
            personal=sum(token.kind is TokenKind.PERSONAL for token in found),
            factor=self.factors.is_on(account.user),
        )

    def _edit(self, visit: Visit, email: str, notify: bool, problems: dict[str, str]) -> bytes:
        return self.pages.render(
            visit,
            "admin/profile_edit.html",
            status=400 if problems else 200,
            external=visit.signed_in.user is None,
            email=email,
            notify=notify,
            problems=problems,
        )

    async def _enrol(self, visit: Visit, user: User, problem: str | None = None) -> bytes:
        secret = await self.factors.propose(user)
        address = totp.provisioning_uri(secret, account=user.name, issuer=ISSUER)
        image = segno.make(address, error="m").svg_inline(scale=4, border=2, dark="#000", light="#fff")
        return self.pages.render(
            visit,
            "admin/factor_enrol.html",
            status=200 if problem is None else 400,
            secret=" ".join(secret[at : at + 4] for at in range(0, len(secret), 4)),
            image=Markup(image),  # noqa: S704  # drawn here, of modules and no text
            problem=problem,
        )

    def _factor(
        self, visit: Visit, *, left: int, codes: tuple[str, ...] = (), problem: str | None = None
    ) -> bytes:
        status = 200 if problem is None else 400
        return self.pages.render(visit, "admin/factor.html", status=status, left=left, codes=codes, problem=problem)


def _id(account: Account) -> int | None:
    return None if account.user is None else account.user.id


def _own(account: Account) -> User:
    """Return the user. Raises NotFound for one of a directory, who has no such page."""
    if account.user is None:
        raise NotFound("no such page")
    return account.user
