"""
What somebody who submits or edits a package says of it, by the field names of the reference's forms.

Source: contract 08 section 3 and 02 section 2 of the reference.
"""

from collections.abc import Callable, Mapping
from typing import Any, Final
from urllib.parse import urlsplit

import orjson
from attrs import field, frozen

from packeton.core.composer.addresses import parse_address
from packeton.core.composer.globs import compiled, glob_pattern
from packeton.core.composer.manifest_names import validate_package_name
from packeton.core.composer.versions import normalize
from packeton.errors import Invalid, InvalidFields

__all__ = ["TYPES", "Submission", "read_submission", "uploads_of"]

VCS_FIELDS: Final = ("repository", "credentials")
COMMON: Final = ("visibleForAll", "disabledUpdate", "hookSecret")
TYPES: Final[Mapping[str, tuple[str, ...]]] = {
    "vcs": (*VCS_FIELDS, *COMMON),
    "mono-repo": (*VCS_FIELDS, "name", "glob", "excludedGlob", "skipNotModifyTag", *COMMON),
    "asset": (*VCS_FIELDS, "name", "customComposerJson", *COMMON),
    "proxy": (*VCS_FIELDS, "name", *COMMON),
    "artifact": ("name", "archives", "repositoryPath", *COMMON),
    "custom": ("name", "customVersions", *COMMON),
    "virtual": ("name", "customVersions", *COMMON),
}
"""The fields of each type."""
REQUIRED: Final[Mapping[str, tuple[str, ...]]] = {
    "vcs": ("repository",),
    "mono-repo": ("repository", "glob"),
    "asset": ("repository", "name"),
    "proxy": ("repository", "name"),
    "artifact": (),
    "custom": ("name", "customVersions"),
    "virtual": ("name", "customVersions"),
}
MAX_TEXT: Final = 64 << 10
MAX_ITEMS: Final = 5_000
MAX_SECRET: Final = 255
MAX_ID: Final = 2**31 - 1


@frozen(kw_only=True)
class Submission:
    """What was said, checked as far as that is possible without asking anybody."""

    repo_type: str
    name: str | None = None
    url: str | None = None
    credential_id: int | None = None
    visible_for_all: bool | None = None
    hook_secret: str | None = field(default=None, repr=False)
    """With which the forge signs what it sends; None, where it was said: there is none any more."""
    settings: Mapping[str, Any] = field(factory=dict, repr=False)
    """Those that were said, by the names of `Package.settings`."""
    given: frozenset[str] = frozenset()
    """The fields that were said."""


def uploads_of(settings: Mapping[str, Any]) -> list[int]:
    """Return the uploads that a package with these settings needs."""
    entries = settings.get("customVersions") or ()
    return [*(settings.get("archives") or ()), *(entry["dist"] for entry in entries if entry.get("dist"))]


def read_submission(
    fields: Mapping[str, Any], repo_type: str, *, is_new: bool, local_paths: tuple[str, ...] = ()
) -> Submission:
    """
    Read the fields of a form.

    Args:
        is_new: All that the type needs must be there; otherwise what is missing stays as it is, the name for ever.

    Raises:
        InvalidFields: By field, what cannot be used.
    """
    if repo_type not in TYPES:
        raise InvalidFields({"repoType": f"must be one of {', '.join(TYPES)}"})
    said = {name: _plain(name, value) for name, value in fields.items() if name != "repoType"}
    wrong = {
        str(name)[:60]: f"is no field of a package of type {repo_type}"
        for name in said
        if name not in TYPES[repo_type] or (name == "name" and not is_new)
    }
    if is_new:
        wrong |= {name: "is needed" for name in REQUIRED[repo_type] if said.get(name) in (None, "", [])}
    values: dict[str, Any] = {}
    for name, value in said.items():
        if name in wrong:
            continue
        try:
            values[name] = _reader(name, repo_type, local_paths)(value)
        except Invalid as error:
            wrong[name] = str(error)
    if wrong:
        raise InvalidFields(wrong)
    return _submission(repo_type, values)


def _submission(repo_type: str, values: dict[str, Any]) -> Submission:
    given = frozenset(values)
    return Submission(
        repo_type=repo_type,
        name=values.pop("name", None),
        url=values.pop("repository", None),
        credential_id=values.pop("credentials", None),
        visible_for_all=values.pop("visibleForAll", None),
        hook_secret=values.pop("hookSecret", None),
        settings=values,
        given=given,
    )


def _plain(name: str, value: Any) -> Any:
    """Source: the reference takes `{"repository": {"url": …}}` of Packagist's API as well."""
    if name == "repository" and isinstance(value, Mapping):
        return value.get("url")
    return value


def _reader(name: str, repo_type: str, local_paths: tuple[str, ...]) -> Callable[[Any], Any]:
    if name == "repository":
        return _foreign if repo_type == "proxy" else lambda value: parse_address(_text(value), local_paths).url
    if name == "customVersions":
        return lambda value: _versions(value, needs_dist=repo_type == "custom")
    return READERS[name]


def _text(value: Any) -> str:
    if not isinstance(value, str):
        raise Invalid("must be text")
    if len(value) > MAX_TEXT:
        raise Invalid("is too long")
    return value.strip()


def _flag(value: Any) -> bool:
    if value in (True, 1, "1", "true"):
        return True
    if value in (False, 0, "0", "false", "", None):
        return False
    raise Invalid("must be true or false")


def _number(value: Any) -> int:
    if isinstance(value, str) and value.isascii() and value.isdecimal() and len(value) < 11:
        value = int(value)
    if isinstance(value, bool) or not isinstance(value, int) or not 0 < value <= MAX_ID:
        raise Invalid("must be an id")
    return value


def _number_or_none(value: Any) -> int | None:
    return None if value is None or value == "" else _number(value)


def _numbers(value: Any) -> list[int]:
    if not isinstance(value, list) or len(value) > MAX_ITEMS:
        raise Invalid("must be a list of ids")
    return list(dict.fromkeys(_number(one) for one in value))


def _secret(value: Any) -> str | None:
    if value is None or value == "":
        return None
    text = _text(value)
    if not 8 <= len(text) <= MAX_SECRET or not text.isprintable():
        raise Invalid(f"must have 8 to {MAX_SECRET} characters; null removes it")
    return text


def _name(value: Any) -> str:
    return validate_package_name(_text(value))


def _lines(value: Any) -> str:
    lines = value if isinstance(value, list) else _text(value).splitlines()
    if len(lines) > MAX_ITEMS:
        raise Invalid("has too many lines")
    return "\n".join(line for line in (_text(one) for one in lines) if line)


def _globs(value: Any) -> str:
    text = _lines(value)
    if not text:
        raise Invalid("at least one pattern is needed, such as packages/*/composer.json")
    for line in text.splitlines():
        compiled(glob_pattern(line))
    return text


def _foreign(value: Any) -> str:
    url = _text(value)
    if url.startswith("mirror:") and len(url) < 200:
        return url
    try:
        parts = urlsplit(url)
        host, login = parts.hostname, parts.username is not None or parts.password is not None
    except ValueError:
        raise Invalid("the address cannot be read") from None
    if parts.scheme not in {"http", "https"} or not host:
        raise Invalid("must be the http or https address of a Composer repository, or mirror:<alias>")
    if login:
        raise Invalid("the address must not hold a login: choose credentials")
    return url.rstrip("/")


def _definition(value: Any) -> str:
    """Return JSON text of an object."""
    try:
        document = orjson.loads(value) if isinstance(value, str) and value.strip() else value or {}
    except orjson.JSONDecodeError as error:
        raise Invalid(f"is broken JSON: {error.msg} on line {error.lineno}") from error
    if not isinstance(document, dict):
        raise Invalid("must be a JSON object, as text")
    text = orjson.dumps(document).decode()
    if len(text) > MAX_TEXT:
        raise Invalid("is too long")
    return text


def _versions(value: Any, *, needs_dist: bool) -> list[dict[str, Any]]:
    entries = list(value.values()) if isinstance(value, dict) else value
    if not isinstance(entries, list) or not entries or len(entries) > MAX_ITEMS:
        raise Invalid("must be a list with at least one version")
    found: dict[str, dict[str, Any]] = {}
    for entry in entries:
        version = _version(entry, needs_dist=needs_dist)
        if found.setdefault(normalize(version["version"]), version) is not version:
            raise Invalid(f"{version['version']} is there twice")
    return list(found.values())


def _version(entry: Any, *, needs_dist: bool) -> dict[str, Any]:
    if not isinstance(entry, dict):
        raise Invalid("each version must be an object")
    pretty = _text(entry.get("version"))
    if not pretty:
        raise Invalid("each version needs a version")
    normalize(pretty)
    made: dict[str, Any] = {"version": pretty, "definition": _definition(entry.get("definition"))}
    dist = _number_or_none(entry.get("dist"))
    if dist is not None:
        made["dist"] = dist
    definition = orjson.loads(made["definition"])
    _check_own_dist(definition)
    if needs_dist and dist is None and not ({"dist", "source"} & definition.keys()):
        raise Invalid(f"{pretty} needs a dist, or one (or a source) in its definition")
    return made


def _check_own_dist(definition: Mapping[str, Any]) -> None:
    dist = definition.get("dist")
    url = dist.get("url") if isinstance(dist, dict) else None
    if dist is not None and (not isinstance(url, str) or not url.startswith(("http://", "https://"))):
        raise Invalid("the dist of a definition must have an http or https address")


READERS: Final[Mapping[str, Callable[[Any], Any]]] = {
    "credentials": _number_or_none,
    "name": _name,
    "glob": _globs,
    "excludedGlob": _lines,
    "skipNotModifyTag": _flag,
    "customComposerJson": _definition,
    "archives": _numbers,
    "repositoryPath": _text,
    "visibleForAll": _flag,
    "disabledUpdate": _flag,
    "hookSecret": _secret,
}
