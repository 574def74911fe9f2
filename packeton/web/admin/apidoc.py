"""GET /apidoc: the OpenAPI document as a page to read."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

from attrs import define, field, frozen
from klein import Klein

from packeton.core.access.identities import Role
from packeton.web.admin.rendering import Pages, Visit
from packeton.web.api.openapi import description

__all__ = ["ApiDocRoutes", "Chapter", "Field", "Operation", "chapters"]

METHODS: Final = ("get", "post", "put", "delete")
OTHER: Final = "other"
MEDIA: Final = {"application/json": "JSON", "multipart/form-data": "form"}
TEXTS: Final[Mapping[str, str]] = {"default": "Anything else"}


@frozen(kw_only=True)
class Field:
    """A parameter, or a field of a body or of an answer."""

    name: str
    where: str
    """`path`, `query`, or the kind of body."""
    kind: str
    required: bool
    text: str


@frozen(kw_only=True)
class Operation:
    """One method of one path."""

    method: str
    path: str
    summary: str
    fields: Sequence[Field]
    answers: Sequence[tuple[str, str]]
    """Status and what it means."""


@frozen(kw_only=True)
class Chapter:
    """The operations with one tag."""

    name: str
    text: str
    operations: Sequence[Operation]


@define
class ApiDocRoutes:
    """For maintainers."""

    _pages: Pages
    _chapters: Sequence[Chapter] = field(factory=lambda: chapters(description()))

    def install(self, app: Klein) -> None:
        """Add the route to *app*."""
        self._pages.install(app, "/apidoc", ("GET",), self.page)

    async def page(self, visit: Visit) -> bytes:
        """All operations, by subject."""
        visit.need(Role.MAINTAINER)
        return self._pages.render(visit, "admin/apidoc.html", chapters=self._chapters)


def chapters(document: Mapping[str, Any]) -> Sequence[Chapter]:
    """Return what an OpenAPI document says, in its order of tags and paths."""
    texts = {tag["name"]: tag.get("description", "") for tag in document["tags"]} | {OTHER: "Health and descriptions"}
    found: dict[str, list[Operation]] = {name: [] for name in texts}
    for path, item in document["paths"].items():
        for method in METHODS:
            if method in item:
                said = item[method]
                operation = _operation(document, method, path, item.get("parameters", []), said)
                found[(said.get("tags") or [OTHER])[0]].append(operation)
    return [Chapter(name=name, text=texts[name], operations=made) for name, made in found.items() if made]


def _operation(
    document: Mapping[str, Any], method: str, path: str, shared: Sequence[Any], said: Mapping[str, Any]
) -> Operation:
    fields = [_parameter(document, one) for one in (*shared, *said.get("parameters", []))]
    for media, content in _resolved(document, said.get("requestBody", {})).get("content", {}).items():
        fields += _body(document, MEDIA.get(media, media), content["schema"])
    answers = [
        (TEXTS.get(status, status), _resolved(document, answer).get("description", ""))
        for status, answer in said["responses"].items()
    ]
    return Operation(
        method=method.upper(), path=path, summary=said.get("summary", ""), fields=fields, answers=answers
    )


def _parameter(document: Mapping[str, Any], said: Mapping[str, Any]) -> Field:
    parameter = _resolved(document, said)
    return Field(
        name=parameter["name"],
        where=parameter["in"],
        kind=_kind(document, parameter.get("schema", {})),
        required=bool(parameter.get("required")),
        text=parameter.get("description", ""),
    )


def _body(document: Mapping[str, Any], media: str, said: Mapping[str, Any]) -> Iterator[Field]:
    schema = _resolved(document, said)
    properties = schema.get("properties", {})
    if not properties:
        yield Field(name="the body", where=media, kind=_kind(document, schema), required=True, text="")
    for name, one in properties.items():
        text = _resolved(document, one).get("description", "")
        required = name in schema.get("required", ())
        yield Field(name=name, where=media, kind=_kind(document, one), required=required, text=text)


def _resolved(document: Mapping[str, Any], said: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return what a reference leads to; what is put together of one other is that other."""
    if "$ref" in said:
        target: Any = document
        for part in said["$ref"].removeprefix("#/").split("/"):
            target = target[part]
        return _resolved(document, target)
    if len(said.get("allOf", ())) == 1:
        return _resolved(document, said["allOf"][0])
    return said


def _kind(document: Mapping[str, Any], said: Mapping[str, Any]) -> str:
    """Return a schema in a few words."""
    schema = _resolved(document, said)
    if "enum" in schema:
        return " | ".join(map(str, schema["enum"]))
    if "oneOf" in schema:
        return " or ".join(_kind(document, one) for one in schema["oneOf"])
    if schema.get("type") == "array":
        return f"list of {_kind(document, schema.get('items', {}))}"
    kind = {"binary": "file", "date": "date"}.get(schema.get("format", ""), schema.get("type", "anything"))
    return f"{kind} or null" if schema.get("nullable") else str(kind)
