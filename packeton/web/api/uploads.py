"""Archives over the API: pushed ones, and the library that packages choose theirs from."""

from klein import Klein
from twisted.web.iweb import IRequest

from packeton.core.access.csrf import is_form_token
from packeton.core.access.identities import Identity, Role, Scope
from packeton.errors import BadContent, Conflict, Denied, Invalid, InvalidFields, TooLarge
from packeton.features.packages.pushing import Push, Pushing
from packeton.features.packages.uploads import Uploads
from packeton.interfaces.archives import IFileStore, Upload
from packeton.interfaces.clocks import InThread
from packeton.web.access import Gate
from packeton.web.api.replies import query_of, reply
from packeton.web.sessions import CookieSessions
from packeton.web.uploads import receive

__all__ = ["UploadApi"]

MAX_SHOWN = 1000


class UploadApi:
    """See the module."""

    def __init__(
        self,
        gate: Gate,
        pushing: Pushing,
        uploads: Uploads,
        store: IFileStore,
        in_thread: InThread,
        sessions: CookieSessions,
    ) -> None:
        self._gate = gate
        self._pushing = pushing
        self._uploads = uploads
        self._store = store
        self._in_thread = in_thread
        self._sessions = sessions

    def install(self, app: Klein) -> None:
        """Add these routes to *app*."""
        path = "/packages/upload/<vendor>/<name>/<version>"
        app.route(path, methods=["PUT", "POST"], endpoint="upload-push")(self.push)
        app.route(f"/api{path}", methods=["PUT", "POST"], endpoint="upload-push-api")(self.push)
        app.route("/archive/upload", methods=["POST"], endpoint="upload-add")(self.add)
        app.route("/archive/list", methods=["GET", "HEAD"], endpoint="upload-list")(self.listing)
        app.route("/archive/remove/<int:number>", methods=["DELETE"], endpoint="upload-remove")(self.remove)

    async def push(self, request: IRequest, vendor: str, name: str, version: str) -> bytes:
        """Take a version as an archive. Source: the nexus protocol of composer-push."""
        caller = await self._gate.caller(request, scope=Scope.PACKAGES_ALL, role=Role.MAINTAINER)
        full = f"{vendor}/{name}"
        try:
            await self._pushing.check(full, version, caller.identity, caller.repository)
            form = await receive(request, self._store, self._in_thread, field="package")
            push = Push(
                name=full,
                version=version,
                source_type=form.fields.get("src-type"),
                source_url=form.fields.get("src-url"),
                source_reference=form.fields.get("src-ref"),
            )
            await self._pushing.push(push, form.file, caller.identity, caller.repository)
        except TooLarge:
            raise
        except Invalid as error:
            errors = error.fields if isinstance(error, InvalidFields) else {"root": str(error)}
            return reply(request, {"title": str(error), "errors": errors}, 400)
        return reply(request, [], 201)

    async def add(self, request: IRequest) -> bytes:
        """Take an archive into the library."""
        given = _header_token(request)
        identity = await self._allowed(request, given)
        try:
            form = await receive(request, self._store, self._in_thread, field="archive")
            if identity is None:
                await self._allowed(request, form.fields.get("token"), last=True)
            upload = await self._uploads.add(form.file)
        except (Invalid, BadContent) as error:
            return reply(request, {"error": str(error)}, 413 if isinstance(error, TooLarge) else 400)
        return reply(request, {"id": upload.id, "filename": upload.original_name, "size": upload.size}, 201)

    async def listing(self, request: IRequest) -> bytes:
        """The archives that no package uses, newest first, and those that are asked for."""
        await self._gate.caller(request, scope=Scope.PACKAGES_ALL, role=Role.MAINTAINER)
        asked = (query_of(request).text("with_archives") or "").split(",")[:MAX_SHOWN]
        ids = [int(text) for text in asked if text.isascii() and text.isdecimal() and len(text) < 10]
        return reply(request, [_document(upload) for upload in await self._uploads.listed(ids)])

    async def remove(self, request: IRequest, number: int) -> bytes:
        """Remove an archive that no package uses."""
        await self._allowed(request, _header_token(request), last=True)
        try:
            await self._uploads.remove(number)
        except Conflict as error:
            return reply(request, {"error": str(error)}, 400)
        request.setResponseCode(204)
        return b""

    async def _allowed(self, request: IRequest, form_token: str | None, *, last: bool = False) -> Identity | None:
        """
        Return the caller: by credentials, or by a session whose form token came along; None while it may still come.

        Raises:
            Unauthenticated, Denied.
        """
        signed = await self._sessions.of(request)
        if signed.found is None or request.requestHeaders.hasHeader(b"authorization"):
            return (await self._gate.caller(request, scope=Scope.PACKAGES_ALL, role=Role.MAINTAINER)).identity
        identity = signed.found.account.identity("session")
        if not identity.has(Role.MAINTAINER):
            raise Denied("Forbidden")
        if form_token is None and not last:
            return None
        if not is_form_token(signed.cookie, form_token):
            raise Denied("The form token is missing or wrong.")
        return identity


def _header_token(request: IRequest) -> str | None:
    values = request.requestHeaders.getRawHeaders(b"x-csrf-token")
    return values[0].decode("latin-1") if values else None


def _document(upload: Upload) -> dict[str, object]:
    return {
        "id": upload.id,
        "filename": upload.original_name,
        "mimeType": upload.mime_type,
        "size": upload.size,
    }
