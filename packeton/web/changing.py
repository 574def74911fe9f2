"""
The Gate for routes that change something and that our own pages call too.

The Gate takes no session for what changes something, since another site could send it along (CSRF). Here a session
counts when its form token came, in the field `X-CSRF-Token` or in a form.
"""

from typing import Any

from attrs import define
from twisted.web.iweb import IRequest

from packeton.core.access.csrf import is_form_token
from packeton.core.access.identities import Role, Scope
from packeton.errors import Denied
from packeton.web.access import Caller, Gate
from packeton.web.sessions import CookieSessions

__all__ = ["ChangeGate"]


@define
class ChangeGate:
    """Says who calls: by credentials, or by a session."""

    _gate: Gate
    _sessions: CookieSessions

    async def caller(
        self,
        request: IRequest,
        *,
        scope: Scope | None = None,
        role: Role | None = None,
        form_token: str | None = None,
        token_follows: bool = False,
    ) -> Caller:
        """
        Return the caller.

        Args:
            scope, role: As for `Gate.caller`.
            form_token: What a form had as its token.
            token_follows: It is in the body that has not come yet: ask again then, if `needs_token` says so.

        Raises:
            Denied: It is a session without its form token.
            As `Gate.caller`.
        """
        by_session = await self._is_session(request)
        if by_session and not token_follows:
            await self._check(request, form_token or header_token(request))
        return await self._gate.caller(request, scope=scope, role=role, by_session=by_session)

    async def needs_token(self, request: IRequest) -> bool:
        """Say if a form must have a token."""
        return header_token(request) is None and await self._is_session(request)

    async def _is_session(self, request: IRequest) -> bool:
        if request.requestHeaders.hasHeader(b"authorization"):
            return False
        return (await self._sessions.of(request)).found is not None

    async def _check(self, request: IRequest, token: str | None) -> None:
        signed: Any = await self._sessions.of(request)
        if not is_form_token(signed.cookie, token):
            raise Denied("The form token is missing or wrong.")


def header_token(request: IRequest) -> str | None:
    """Return the form token that scripts of our pages send."""
    values = request.requestHeaders.getRawHeaders(b"x-csrf-token")
    return values[0].decode("latin-1") if values else None
