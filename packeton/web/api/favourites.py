"""Favourites over the API: the packages that users starred."""

from klein import Klein
from twisted.web.iweb import IRequest

from packeton.errors import Denied, Invalid
from packeton.features.packages.editing import Editing
from packeton.features.packages.favourites import Favourites
from packeton.web.access import Caller, Gate
from packeton.web.api.forms import text
from packeton.web.api.replies import reply
from packeton.web.bodies import read_fields
from packeton.web.changing import ChangeGate
from packeton.web.composer.packages import audience_of

__all__ = ["FavouriteApi"]

MAX_BODY = 4096


class FavouriteApi:
    """Of the caller alone. Source: the reference; its paths spell them the American way."""

    def __init__(self, gate: Gate, changes: ChangeGate, favourites: Favourites, editing: Editing) -> None:
        self._gate = gate
        self._changes = changes
        self._favourites = favourites
        self._editing = editing

    def install(self, app: Klein) -> None:
        """Add these routes to *app*."""
        app.route("/users/<user>/favorites.json", methods=["GET", "HEAD"])(self.listing)
        app.route("/users/<user>/favorites", methods=["POST"])(self.add)
        app.route("/users/<user>/favorites/<vendor>/<name>", methods=["DELETE"])(self.remove)

    async def listing(self, request: IRequest, user: str) -> bytes:
        """Names, newest star first; those that the caller still sees."""
        caller = _own(await self._gate.caller(request), user)
        return reply(request, {"packageNames": await self._favourites.names(_user_id(caller), audience_of(caller))})

    async def add(self, request: IRequest, user: str) -> bytes:
        """Star a package."""
        caller = _own(await self._changes.caller(request), user)
        name = text(read_fields(request, MAX_BODY).get("package"))
        package = await self._editing.seen(name.lower(), caller.identity, caller.repository)
        await self._favourites.add(_user_id(caller), package)
        return reply(request, {"status": "success"}, 201)

    async def remove(self, request: IRequest, user: str, vendor: str, name: str) -> bytes:
        """Take a star back, also of a package that the caller does not see any more."""
        caller = _own(await self._changes.caller(request), user)
        await self._favourites.remove(_user_id(caller), f"{vendor}/{name}".lower())
        request.setResponseCode(204)
        return b""


def _own(caller: Caller, user: str) -> Caller:
    """Return the caller. Raises Denied: the path names somebody else."""
    if caller.identity.name.lower() != user.lower():
        raise Denied("Favourites are everybody's own.")
    return caller


def _user_id(caller: Caller) -> int:
    if caller.identity.user_id is None:
        raise Invalid("only users with an account of our own have favourites")
    return caller.identity.user_id
