"""Forms: what was posted, whether it came from a form of ours, and what is wrong with it."""

from collections.abc import Mapping
from typing import Final
from urllib.parse import parse_qsl, urlsplit

from attrs import frozen
from twisted.web.iweb import IRequest

from packeton.core.access.csrf import is_form_token
from packeton.errors import Denied, Invalid
from packeton.web.bodies import read_posted

__all__ = ["TOKEN_FIELD", "Form", "posted_form", "sentence"]

TOKEN_FIELD: Final = "_token"  # noqa: S105  # a field's name
MAX_BYTES: Final = 256 << 10
MAX_FIELDS: Final = 2000
TYPE: Final = "application/x-www-form-urlencoded"
EXPIRED: Final = "This form is too old, or came from somewhere else. Go back, load the page again, and repeat it."


@frozen
class Form:
    """The fields of a form, as posted."""

    _fields: Mapping[str, tuple[str, ...]]

    def text(self, name: str) -> str:
        """Return a field's text; empty when it is not there."""
        return (self._fields.get(name) or ("",))[-1]

    def all(self, name: str) -> tuple[str, ...]:
        """Return all values of a field."""
        return self._fields.get(name, ())

    def checked(self, name: str) -> bool:
        """Say if a box is checked."""
        return self.text(name) not in {"", "0", "false", "off"}


def sentence(text: str) -> str:
    """Return an error's text as people read it: with a capital letter, and a full stop where it has no other end."""
    return text[:1].upper() + text[1:] + ("" if text.endswith((".", "?", "!")) else ".")


def posted_form(request: IRequest, base: str, sessions: tuple[str | None, ...]) -> Form:
    """
    Return what was posted, once it is clear that a form of ours did.

    Args:
        base: Our address as the client sees it.
        sessions: Values of the cookies that the form's token may be bound to.

    Raises:
        Denied: it came from another site, or from a form of another session.
        Invalid: it is no form. TooLarge.
    """
    content_type = (request.requestHeaders.getRawHeaders(b"content-type") or [b""])[0].decode("latin-1")
    if content_type.partition(";")[0].strip().lower() != TYPE:
        raise Invalid("this is not a form")
    _refuse_foreign(request, base)
    try:
        text = read_posted(request, MAX_BYTES).decode("ascii")
        pairs = parse_qsl(text, keep_blank_values=True, max_num_fields=MAX_FIELDS, errors="strict")
    except ValueError as error:
        raise Invalid("the form cannot be read") from error
    fields: dict[str, list[str]] = {}
    for name, value in pairs:
        fields.setdefault(name, []).append(value)
    form = Form({name: tuple(values) for name, values in fields.items()})
    if not any(is_form_token(session, form.text(TOKEN_FIELD)) for session in sessions):
        raise Denied(EXPIRED)
    return form


def _refuse_foreign(request: IRequest, base: str) -> None:
    """Refuse what a browser says another site sent: that is known before any token is looked at."""
    site = (request.requestHeaders.getRawHeaders(b"sec-fetch-site") or [b"same-origin"])[0]
    if site.strip().lower() not in {b"same-origin", b"none"}:
        raise Denied(EXPIRED)
    origin = (request.requestHeaders.getRawHeaders(b"origin") or [b""])[0].decode("latin-1")
    if origin not in {"", "null"} and urlsplit(origin).netloc.lower() != urlsplit(base).netloc.lower():
        raise Denied(EXPIRED)
