"""Archives over the API: pushed ones, and the library that packages choose theirs from."""

from typing import Any, Final

from klein import Klein
from twisted.web.iweb import IRequest

from packeton.core.access.identities import Role, Scope
from packeton.errors import BadContent, Conflict, Invalid, InvalidFields, PacketonError, TooLarge
from packeton.features.packages.pushing import Push, Pushing
from packeton.features.packages.uploads import Uploads
from packeton.interfaces.archives import IFileStore, Upload
from packeton.interfaces.clocks import InThread
from packeton.web.access import Gate
from packeton.web.api.replies import query_of, reply
from packeton.web.changing import ChangeGate
from packeton.web.uploads import ReceivedForm, receive

__all__ = ["UploadApi"]

MAX_SHOWN = 1000
MAINTAINERS: Final[Any] = {"scope": Scope.PACKAGES_ALL, "role": Role.MAINTAINER}


class UploadApi:
    """See the module."""

    def __init__(
        self,
        gate: Gate,
        pushing: Pushing,
        uploads: Uploads,
        store: IFileStore,
        in_thread: InThread,
        changes: ChangeGate,
    ) -> None:
        self._gate = gate
        self._pushing = pushing
        self._uploads = uploads
        self._store = store
        self._in_thread = in_thread
        self._changes = changes

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
        caller = await self._gate.caller(request, **MAINTAINERS)
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
        token_follows = await self._changes.needs_token(request)
        await self._changes.caller(request, **MAINTAINERS, token_follows=token_follows)
        try:
            form = await receive(request, self._store, self._in_thread, field="archive")
            if token_follows:
                await self._checked(request, form)
            upload = await self._uploads.add(form.file)
        except (Invalid, BadContent) as error:
            return reply(request, {"error": str(error)}, 413 if isinstance(error, TooLarge) else 400)
        return reply(request, {"id": upload.id, "filename": upload.original_name, "size": upload.size}, 201)

    async def listing(self, request: IRequest) -> bytes:
        """The archives that no package uses, newest first, and those that are asked for."""
        await self._gate.caller(request, **MAINTAINERS)
        asked = (query_of(request).text("with_archives") or "").split(",")[:MAX_SHOWN]
        ids = [int(text) for text in asked if text.isascii() and text.isdecimal() and len(text) < 10]
        return reply(request, [_document(upload) for upload in await self._uploads.listed(ids)])

    async def remove(self, request: IRequest, number: int) -> bytes:
        """Remove an archive that no package uses."""
        await self._changes.caller(request, **MAINTAINERS)
        try:
            await self._uploads.remove(number)
        except Conflict as error:
            return reply(request, {"error": str(error)}, 400)
        request.setResponseCode(204)
        return b""

    async def _checked(self, request: IRequest, form: ReceivedForm) -> None:
        """Raise Denied, and remove the file, unless the form has the token of its session."""
        try:
            await self._changes.caller(request, **MAINTAINERS, form_token=form.fields.get("token"))
        except PacketonError:
            form.file.draft.unlink(missing_ok=True)
            raise


def _document(upload: Upload) -> dict[str, object]:
    return {
        "id": upload.id,
        "filename": upload.original_name,
        "mimeType": upload.mime_type,
        "size": upload.size,
    }
