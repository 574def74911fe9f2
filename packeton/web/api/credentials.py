"""REST `/api/credentials`: ssh keys and Composer logins; what is secret goes in and never out."""

from typing import Any

import orjson
from klein import Klein
from twisted.web.iweb import IRequest

from packeton.config.settings import Secret
from packeton.core.access.days import day_text
from packeton.core.access.identities import Identity, Role, Scope
from packeton.errors import Conflict, Invalid, InvalidFields
from packeton.features.packages.keyring import KEEP, KEPT, CredentialChange, Keyring
from packeton.interfaces.credentials import Credential
from packeton.web.access import Gate
from packeton.web.api.answers import send_fields, send_json, send_nothing
from packeton.web.api.forms import Form, flag, text
from packeton.web.bodies import read_json_object

__all__ = ["CredentialApi", "credential_document"]


class CredentialApi:
    """For maintainers; each changes their own."""

    def __init__(self, gate: Gate, keyring: Keyring) -> None:
        self._gate = gate
        self._keyring = keyring

    def install(self, app: Klein) -> None:
        """Add these routes to *app*."""
        app.route("/api/credentials", methods=["GET", "HEAD"])(self.listing)
        app.route("/api/credentials", methods=["POST"])(self.create)
        app.route("/api/credentials/<int(max=2147483647):credential_id>", methods=["PUT"])(self.change)
        app.route("/api/credentials/<int(max=2147483647):credential_id>", methods=["DELETE"])(self.remove)

    async def listing(self, request: IRequest) -> bytes:
        """Those that the caller may choose; for administrators all."""
        identity = await self._maintainer(request)
        found = await self._keyring.listed(identity)
        return send_json(request, [credential_document(one, identity.user_id) for one in found])

    async def create(self, request: IRequest) -> bytes:
        """Make one, which is the caller's."""
        identity = await self._maintainer(request)
        try:
            made = await self._keyring.create(_change(request), identity)
        except InvalidFields as error:
            return send_fields(request, error)
        return send_json(request, credential_document(made, identity.user_id), 201)

    async def change(self, request: IRequest, credential_id: int) -> bytes:
        """Change one of the caller's own; what is not sent stays, null or an empty text clears."""
        identity = await self._maintainer(request)
        try:
            made = await self._keyring.change(credential_id, _change(request), identity)
        except InvalidFields as error:
            return send_fields(request, error)
        return send_json(request, credential_document(made, identity.user_id))

    async def remove(self, request: IRequest, credential_id: int) -> bytes:
        """Delete one of the caller's own, an administrator any; 409 while packages have it."""
        identity = await self._maintainer(request)
        try:
            await self._keyring.remove(credential_id, identity)
        except Conflict as error:
            return send_json(request, {"status": "error", "message": str(error)}, 409)
        return send_nothing(request)

    async def _maintainer(self, request: IRequest) -> Identity:
        caller = await self._gate.caller(request, role=Role.MAINTAINER, scope=Scope.PACKAGES_ALL)
        return caller.identity


def credential_document(one: Credential, user_id: int | None) -> dict[str, Any]:
    """Return what is shown of a credential."""
    return {
        "id": one.id,
        "name": one.name,
        "fingerprint": one.fingerprint,
        "shared": one.shared,
        "mine": user_id is not None and one.owner_id == user_id,
        "createdAt": day_text(one.created_at),
    }


def _change(request: IRequest) -> CredentialChange:
    form = Form(read_json_object(request))
    change = CredentialChange(
        name=form.take("name", text, KEEP),
        ssh_key=form.take("key", _secret, KEPT),
        composer_config=form.take("composerConfig", _config, KEPT),
        shared=form.take("shared", flag, None),
    )
    form.check()
    return change


def _secret(value: Any) -> Secret | None:
    return None if value is None else Secret(text(value))


def _config(value: Any) -> Secret | None:
    """Take the configuration as text or as an object."""
    if isinstance(value, dict):
        return Secret(orjson.dumps(value).decode())
    if value is not None and not isinstance(value, str):
        raise Invalid("must be a JSON object, or its text")
    return _secret(value)
