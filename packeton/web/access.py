"""
The Gate: every route asks it who calls, and from which repository.

Routes of Composer that serve our own packages use `reader` and `downloader`, everything else `caller`. Which packages
and versions a caller then sees is asked of `core.access.rules`.
"""

from typing import Any, Protocol

from attrs import evolve, field, frozen
from twisted.web.iweb import IRequest
from zope.interface import Attribute, Interface, implementer

from packeton.core.access.identities import ANONYMOUS, Grant, Identity, Role, Scope
from packeton.core.access.repositories import Repository, enter
from packeton.errors import Denied, NotFound, Unauthenticated
from packeton.features.access.authentication import Authentication
from packeton.features.access.subrepos import SubrepoDirectory
from packeton.web.addresses import Addresses
from packeton.web.credentials import read_credentials
from packeton.web.responses import user_agent

__all__ = ["Audience", "Caller", "Gate", "ISlug", "NoSessions", "SessionCaller", "Sessions", "Slug"]

UNAUTHENTICATED = "Full authentication is required to access this resource."
WRONG_SCOPE = "This token gives no access to this route."
SAFE = frozenset({b"GET", b"HEAD"})


class ISlug(Interface):
    """The sub-repository that the path named before our own path began; a component of requests that have one."""

    slug: str = Attribute("as it stood in the path")


@implementer(ISlug)
@frozen
class Slug:
    """See ISlug."""

    slug: str


@frozen(kw_only=True)
class Caller:
    """Who calls, from where, and which repository is meant."""

    identity: Identity
    repository: Repository | None
    """None: the root."""
    address: str


@frozen(kw_only=True)
class SessionCaller:
    """Who a session belongs to, and the sub-repository that was chosen in it."""

    identity: Identity
    subrepo: int | None = None


class Sessions(Protocol):
    """Recognises callers by their session's cookie."""

    async def caller(self, request: IRequest) -> SessionCaller | None:
        """Return whose session it is; None without a good one."""


class NoSessions:
    """There are none."""

    async def caller(self, request: IRequest) -> SessionCaller | None:  # noqa: ARG002
        """Return None."""
        return None


@frozen(kw_only=True)
class Audience:
    """What readers without an account may do."""

    metadata: bool = False
    """`anonymous_access`."""
    dists: bool = False
    """`anonymous_archive_access`."""
    grants: tuple[Grant, ...] = (Grant(package="*"),)


@frozen(kw_only=True)
class Gate:
    """Says who calls. Credentials that are no good are never passed over, also where anonymous callers may pass."""

    authentication: Authentication
    subrepos: SubrepoDirectory
    addresses: Addresses
    audience: Audience = Audience()
    query_tokens: bool = True
    sessions: Sessions = field(factory=NoSessions)

    async def caller(
        self,
        request: IRequest,
        *,
        scope: Scope | None = None,
        role: Role | None = None,
        anonymous: bool = False,
        slug: str | None = None,
        by_session: bool = False,
    ) -> Caller:
        """
        Return the caller.

        Args:
            scope: What a limited token must be for. A route that names none is closed to limited tokens.
            role: What the caller must have.
            anonymous: Anybody passes; the route then decides by the rules.
            slug: The sub-repository that the path names, where the route itself takes it from the path.
            by_session: A session counts whatever the method; its form token was checked.

        Raises:
            Unauthenticated: no credentials, none that are good, or a token without the scope.
            Denied: the caller lacks the role, or the sub-repository chosen by host or session.
            NotFound: there is no such sub-repository, or none that the caller may know of.
            StorageFailed: it cannot be told now.
        """
        caller = await self._caller(request, slug, self.audience.metadata, whole=False, by_session=by_session)
        return _admitted(caller, scope, role, anonymous=anonymous)

    async def mirror_user(self, request: IRequest) -> Identity:
        """
        Return who asks a mirror, maybe nobody; the rules then say if it may.

        Without credentials nothing is looked up: public mirrors work where the database does not.

        Raises:
            Unauthenticated: bad credentials, or a token that is not for mirrors.
            StorageFailed: it cannot be told now.
        """
        identity, _ = await self._identified(request, audience=False)
        if not identity.allows(Scope.MIRROR_READ):
            raise Unauthenticated(WRONG_SCOPE)
        return identity

    async def reader(self, request: IRequest, *, slug: str | None = None, whole: bool = False) -> Caller:
        """
        Return the caller of a Composer route of our own packages; anonymous where that is allowed.

        Args:
            whole: The address names no sub-repository (notifications): see `repositories.enter`.

        Raises as `caller`.
        """
        caller = await self._caller(request, slug, self.audience.metadata, whole=whole)
        return _admitted(caller, Scope.METADATA, None, anonymous=self.audience.metadata or _is_public(caller))

    async def downloader(self, request: IRequest, *, slug: str | None = None) -> Caller:
        """Return the caller of a dist of our own packages; anonymous where that is allowed. Raises as `caller`."""
        caller = await self._caller(request, slug, self.audience.dists, whole=True)
        return _admitted(caller, Scope.METADATA, None, anonymous=self.audience.dists or _is_public(caller))

    async def _caller(
        self, request: IRequest, slug: str | None, audience: bool, *, whole: bool, by_session: bool = False
    ) -> Caller:
        identity, chosen = await self._identified(request, audience=audience, by_session=by_session)
        repository = await self._repository(request, identity, slug or _slug_of(request), chosen, whole=whole)
        return Caller(identity=identity, repository=repository, address=self.addresses.client(request))

    async def _identified(
        self, request: IRequest, *, audience: bool, by_session: bool = False
    ) -> tuple[Identity, int | None]:
        """Return who calls, and the sub-repository chosen in its session."""
        credentials = read_credentials(request, query_tokens=self.query_tokens)
        if credentials is not None:
            address, agent = self.addresses.client(request), user_agent(request)
            return await self.authentication.identify(credentials, address=address, agent=agent), None
        session = await self.sessions.caller(request) if by_session or request.method in SAFE else None
        if session is not None:
            return session.identity, session.subrepo
        return (evolve(ANONYMOUS, grants=self.audience.grants) if audience else ANONYMOUS), None

    async def _repository(
        self, request: IRequest, identity: Identity, slug: str | None, session: int | None, *, whole: bool
    ) -> Repository | None:
        """The path comes before the session's choice, that before the host."""
        known = await self.subrepos.all()
        if not known.by_id and not slug:
            return enter(identity, None, by_path=False, subrepos={}, whole=whole)
        if slug is not None:
            named = known.by_slug.get(slug)
            if named is None:
                raise NotFound("no such repository")
            return enter(identity, named, by_path=True, subrepos=known.by_id, whole=whole)
        chosen = None
        if session is not None and session in known.by_id:
            chosen = known.by_id[session]
        elif session is None and known.by_host:
            chosen = known.by_host.get(self.addresses.host(request))
        return enter(identity, chosen, by_path=False, subrepos=known.by_id, whole=whole)


def _admitted(caller: Caller, scope: Scope | None, role: Role | None, *, anonymous: bool) -> Caller:
    identity = caller.identity
    if identity.is_anonymous:
        if not anonymous:
            raise Unauthenticated(UNAUTHENTICATED)
        return caller
    if identity.scopes is not None and (scope is None or not identity.allows(scope)):
        raise Unauthenticated(WRONG_SCOPE)
    if role is not None and not identity.has(role):
        raise Denied("Forbidden")
    return caller


def _is_public(caller: Caller) -> bool:
    return caller.repository is not None and caller.repository.public


def _slug_of(request: IRequest) -> str | None:
    named: Any = ISlug(request, None)
    return None if named is None else str(named.slug)
