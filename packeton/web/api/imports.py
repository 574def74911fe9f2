"""REST `/api/import`: many packages at once."""

from typing import Any

from klein import Klein
from twisted.web.iweb import IRequest

from packeton.core.access.identities import Role, Scope
from packeton.core.composer.credentials import origin_of
from packeton.core.composer.imports import Clone, addresses_in
from packeton.errors import Invalid, InvalidFields, UpstreamFailed
from packeton.features.packages.importing import Importing, ImportOrder
from packeton.web.access import Gate
from packeton.web.api.answers import send_fields, send_json
from packeton.web.api.forms import Form, flag, text
from packeton.web.api.prechecks import refused, token_in
from packeton.web.bodies import read_fields, read_json_object
from packeton.web.changing import ChangeGate

__all__ = ["ImportApi"]

MAX_ID = 2**31


class ImportApi:
    """For administrators."""

    def __init__(self, gate: Gate, changes: ChangeGate, importing: Importing) -> None:
        self._gate = gate
        self._changes = changes
        self._importing = importing

    def install(self, app: Klein) -> None:
        """Add these routes to *app*."""
        app.route("/api/import", methods=["POST"])(self.submit)
        app.route("/import/fetch-info", methods=["POST"])(self.look)

    async def submit(self, request: IRequest) -> bytes:
        """With `preview` the addresses, and which we have; else the job that imports them."""
        caller = await self._gate.caller(request, role=Role.ADMIN, scope=Scope.PACKAGES_ALL)
        try:
            order, preview = _order(Form(read_json_object(request)))
        except InvalidFields as error:
            return send_fields(request, error)
        if preview:
            return await self._preview(request, order)
        job = await self._importing.submit(order, caller.identity)
        return send_json(request, {"status": "success", "job": job.id}, 202)

    async def look(self, request: IRequest) -> bytes:
        """The same as with `preview`, for the form before it is sent: R28 of contract 02."""
        fields = read_fields(request)
        await self._changes.caller(request, scope=Scope.PACKAGES_ALL, role=Role.ADMIN, form_token=token_in(fields))
        form = Form({name: value for name, value in fields.items() if name != "_token"})
        try:
            return await self._preview(request, _order(form)[0])
        except Invalid as error:
            return refused(request, error)
        except UpstreamFailed as error:
            return refused(request, Invalid(str(error)))

    async def _preview(self, request: IRequest, order: ImportOrder) -> bytes:
        found = await self._importing.candidates(order)
        urls = [{"url": one.url, "package": one.package, "problem": one.problem} for one in found]
        return send_json(request, {"status": "success", "urls": urls})


def _order(form: Form) -> tuple[ImportOrder, bool]:
    """Read the form. Raises InvalidFields."""
    url, repos = form.take("url", _web_url, ""), form.take("repositories", text, "")
    name, password = form.take("username", text, ""), form.take("password", text, "")
    order = ImportOrder(
        url=url,
        auth={"http-basic": {origin_of(url): {"username": name, "password": password}}} if url and name else {},
        packages=form.take("packages", text, ""),
        addresses=() if url else tuple(addresses_in(repos)),
        glob=form.take("glob", text, ""),
        clone=form.take("clone", _clone, Clone.DEFAULT),
        credential_id=form.take("credentials", _number, None),
        limit=form.take("limit", _number, None),
    )
    if bool(url) == bool(repos.strip()):
        form.wrong.setdefault("url", "either url (a Composer repository) or repositories (addresses) is needed")
    preview: bool = form.take("preview", flag, default=False)
    form.check()
    return order, preview


def _web_url(value: Any) -> str:
    url = text(value).strip()
    if url and not url.startswith(("http://", "https://", "mirror:")):
        raise Invalid("must be the http or https address of a Composer repository, or mirror:<alias>")
    if "@" in url:
        raise Invalid("must not hold a login: it belongs into username and password")
    try:
        origin_of(url)
    except ValueError as error:
        raise Invalid("is no address") from error
    return url


def _clone(value: Any) -> Clone:
    try:
        return Clone(text(value))
    except ValueError as error:
        raise Invalid(f"must be one of {', '.join(Clone)}") from error


def _number(value: Any) -> int | None:
    if isinstance(value, str) and (value == "" or (value.isascii() and value.isdecimal())):  # a form's
        value = int(value[:10]) if value else None
    if value is not None and (type(value) is not int or not 0 < value < MAX_ID):
        raise Invalid("must be a number from 1")
    return None if value is None else int(value)
