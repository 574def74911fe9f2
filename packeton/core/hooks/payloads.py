"""
What a forge says when something was pushed, as the addresses and names of the packages that it is about.

A repository has many addresses (https, ssh, API); `canonical_url()` makes one pair of host and path of them all, which
is what stored addresses are looked up by.
Source: contract of the reference; Packagist's ApiController.
"""

import re
from collections.abc import Iterator, Mapping
from typing import Any, Final

import orjson
import re2  # type: ignore[import-untyped]
from attrs import frozen

from packeton.core.composer.metadata import JsonObject
from packeton.errors import Invalid

__all__ = ["CustomPattern", "Place", "PushEvent", "canonical_url", "package_names", "push_event", "read_payload"]

Place = tuple[str, str]
"""Host and path, both in lower case and without `.git`."""

MAX_URL_CHARACTERS: Final = 2048
MAX_PATTERN_CHARACTERS: Final = 1000
MAX_NAMES: Final = 200
GENERIC = re.compile(
    r"(?:(?:ssh|https?|git|git\+ssh)://)?(?:[^@/\s]+@)?([a-z0-9.-]+)(?::\d+/|[:/])([\w.~-]+(?:/[\w.~-]+)+)",
    re.ASCII | re.IGNORECASE,
)
API_PREFIXES: Final = ("api/v3/repos/", "api/v1/repos/")
"""Paths of GitHub Enterprise's and Gitea's API that the repository's own path follows."""


def canonical_url(url: str) -> Place | None:
    """Return the place that a clone, web or API address of a repository stands for; None where it is none."""
    if len(url) > MAX_URL_CHARACTERS:
        return None
    match = GENERIC.fullmatch(url.strip().removesuffix("/").removesuffix(".git"))
    if match is None:
        return None
    host, path = match[1].lower(), match[2].lower()
    if host == "api.github.com":
        return "github.com", path.removeprefix("repos/")
    prefix = next((prefix for prefix in API_PREFIXES if path.startswith(prefix)), "")
    return "bitbucket.org" if host == "api.bitbucket.org" else host, path.removeprefix(prefix)


@frozen(kw_only=True)
class CustomPattern:
    """An address pattern that came with a payload: it is held against every stored address."""

    compiled: Any

    @classmethod
    def read(cls, text: str) -> "CustomPattern":
        """
        Read a pattern as PHP writes them (`{…}i`), with the groups `host` and `path`; it runs in linear time.

        Raises:
            Invalid: It is too long, does not compile or lacks a group.
        """
        if len(text) > MAX_PATTERN_CHARACTERS:
            raise Invalid(f"packeton.regex is longer than {MAX_PATTERN_CHARACTERS} characters")
        body, flags = _undelimited(text)
        if set(flags) - set("imsuD"):
            raise Invalid("packeton.regex has a flag that is not supported")
        prefix = "".join(flag for flag in "ims" if flag in flags)
        options = re2.Options()
        options.log_errors = False
        options.max_mem = 1 << 20
        try:
            compiled = re2.compile((f"(?{prefix})" if prefix else "") + body.replace("(?<", "(?P<"), options)
        except re2.error as error:
            raise Invalid("packeton.regex is no pattern that can be run in linear time") from error
        if not {"host", "path"} <= compiled.groupindex.keys():
            raise Invalid("packeton.regex must have the groups host and path")
        return cls(compiled=compiled)

    def place(self, url: str) -> Place | None:
        """Return host and path as the pattern finds them in an address."""
        match = self.compiled.search(url) if len(url) <= MAX_URL_CHARACTERS else None
        if match is None or match["host"] is None or match["path"] is None:
            return None
        return match["host"].lower(), match["path"].lower()


def _undelimited(text: str) -> tuple[str, str]:
    closing = {"{": "}", "(": ")", "[": "]", "<": ">"}.get(text[:1], text[:1])
    if text[:1].isalnum() or text[:1] in {"", "\\", "^"} or text[:2] == "(?":
        return text, ""
    body, found, flags = text[1:].rpartition(closing)
    if not found or (flags and not flags.isalpha()):
        raise Invalid("packeton.regex has no closing delimiter")
    return body, flags


@frozen(kw_only=True)
class PushEvent:
    """What to update: packages by name, or else all that are stored under one of the places."""

    packages: tuple[str, ...] = ()
    """As the payload names them, in lower case; they go before places."""
    places: tuple[Place, ...] = ()
    url: str | None = None
    """The address that the payload gives first."""
    pattern: CustomPattern | None = None
    """Where it is given, `pattern.place(stored) == pattern.place(url)` decides and not the places."""


def read_payload(body: bytes) -> JsonObject | None:
    """Return the JSON object of a hook's body; None for an empty body. Raises Invalid: it is something else."""
    if not body.strip():
        return None
    try:
        payload = orjson.loads(body)
    except orjson.JSONDecodeError as error:
        raise Invalid("the payload is broken JSON") from error
    if not isinstance(payload, dict):
        raise Invalid("the payload is not a JSON object")
    return payload


def package_names(value: object) -> tuple[str, ...]:
    """Return the names of a list, or of a text with commas; at most 200, each once."""
    parts = value.split(",") if isinstance(value, str) else value if isinstance(value, list) else []
    names = dict.fromkeys(part.strip().lower() for part in parts if isinstance(part, str) and part.strip())
    return tuple(names)[:MAX_NAMES]


def push_event(payload: Mapping[str, Any]) -> PushEvent:
    """
    Return what a payload of GitHub, GitLab, Gitea, Forgejo, Bitbucket, Packagist or our own form is about.

    Where the first address has no place (or there is none) and no names are given, the event is empty: the payload is
    not one that we know.
    Raises:
        Invalid: `packeton.regex` cannot be used.
    """
    urls = list(dict.fromkeys(_urls(payload)))
    own = _object(payload, "packeton")
    regex = own.get("regex")
    return PushEvent(
        packages=package_names(_object(payload, "composer").get("package_name")),
        places=tuple(dict.fromkeys(place for url in urls if (place := canonical_url(url)))),
        url=urls[0] if urls else None,
        pattern=CustomPattern.read(regex) if isinstance(regex, str) and regex else None,
    )


def _urls(payload: Mapping[str, Any]) -> Iterator[str]:
    """Yield the address by the first shape that fits, then the other addresses that this forge gives of the same."""
    project, repository = _object(payload, "project"), _object(payload, "repository")
    links = _object(repository, "links")
    if _text(project, "git_http_url"):
        yield from _texts(project, "git_http_url", "git_ssh_url", "web_url")
    elif _text(repository, "url"):
        yield from _texts(repository, "url", "html_url", "clone_url", "ssh_url", "git_http_url", "git_ssh_url")
    elif _text(repository, "html_url"):
        yield from _texts(repository, "html_url", "clone_url", "ssh_url")
    elif href := _text(_object(links, "html"), "href"):
        place = canonical_url(href)
        if place and place[0] == "bitbucket.org" and place[1].count("/") == 1:
            yield href
    elif isinstance(links.get("clone"), list):
        clones = [clone for clone in links["clone"] if isinstance(clone, dict)]
        yield from (_text(clone, "href") for clone in clones if clone.get("name") == "ssh" and _text(clone, "href"))
        yield from (_text(clone, "href") for clone in clones if clone.get("name") != "ssh" and _text(clone, "href"))
    elif _text(payload, "canon_url") and _text(repository, "absolute_url"):
        url = _text(payload, "canon_url").rstrip("/") + _text(repository, "absolute_url")
        place = canonical_url(url)
        if place and place[0] == "bitbucket.org":
            yield url


def _object(holder: Mapping[str, Any], key: str) -> Mapping[str, Any]:
    value = holder.get(key)
    return value if isinstance(value, dict) else {}


def _text(holder: Mapping[str, Any], key: str) -> str:
    value = holder.get(key)
    return value if isinstance(value, str) else ""


def _texts(holder: Mapping[str, Any], *keys: str) -> Iterator[str]:
    return (_text(holder, key) for key in keys if _text(holder, key))
