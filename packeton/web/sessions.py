"""Who is signed in: the session's cookie, and the one that remembers a browser, → an account."""

from typing import Any, cast

from attrs import define, frozen
from twisted.web.iweb import IRequest
from twisted.web.server import Request
from zope.interface import Attribute, Interface, implementer

from packeton.features.access.sessions import Sessions, SignedIn
from packeton.features.access.signing_in import SigningIn, Visitor
from packeton.web.access import SessionCaller
from packeton.web.addresses import Addresses
from packeton.web.cookies import REMEMBER, SESSION, read_cookie, set_cookie, take_cookie
from packeton.web.responses import user_agent

__all__ = ["CookieSessions", "ISignedIn", "visitor_of"]


class ISignedIn(Interface):
    """Who is signed in, looked up once a request; a component of it."""

    found: SignedIn | None = Attribute("who, or None")
    cookie: str | None = Attribute("the value of the session's cookie")


@implementer(ISignedIn)
@frozen
class _SignedIn:
    found: SignedIn | None
    cookie: str | None


@define
class CookieSessions:
    """Recognises callers by cookie. A `Sessions` of the Gate."""

    sessions: Sessions
    _signing_in: SigningIn
    _addresses: Addresses

    async def caller(self, request: IRequest) -> SessionCaller | None:
        """Return whose session it is; None without a good one."""
        found = (await self.of(request)).found
        if found is None:
            return None
        return SessionCaller(identity=found.account.identity("session"), subrepo=found.session.repository)

    async def of(self, request: IRequest) -> ISignedIn:
        """Return who is signed in, and the session's cookie. A remembered browser gets a new session."""
        known: Any = ISignedIn(request, None)
        if known is None:
            known = await self._found(request)
            cast("Request", request).setComponent(ISignedIn, known)
        return known  # type: ignore[no-any-return]

    async def _found(self, request: IRequest) -> _SignedIn:
        cookie = read_cookie(request, SESSION)
        if cookie is not None:
            found = await self.sessions.find(cookie)
            if found is not None:
                return _SignedIn(found, cookie)
        remembered = read_cookie(request, REMEMBER)
        if remembered is None:
            return _SignedIn(None, None)
        base = self._addresses.base_url(request)
        opened = await self._signing_in.by_remembered(remembered, visitor_of(request, self._addresses))
        if opened is None:
            take_cookie(request, base, REMEMBER)
            return _SignedIn(None, None)
        set_cookie(request, base, SESSION, opened.cookie)
        if opened.remembered is not None:
            set_cookie(request, base, REMEMBER, opened.remembered)
        return _SignedIn(await self.sessions.find(opened.cookie), opened.cookie)


def visitor_of(request: IRequest, addresses: Addresses) -> Visitor:
    """Return where a request comes from."""
    return Visitor(address=addresses.client(request), agent=user_agent(request))
