"""packages.json: what an upstream's root offers, and the same root with every address on us."""

from collections.abc import Mapping
from enum import Enum
from typing import Any
from urllib.parse import quote, urljoin, urlsplit

from attrs import frozen

from packeton.core.composer.dists import DIST_TEMPLATE, with_our_dists
from packeton.core.composer.metadata import JsonObject, read_object
from packeton.errors import BadContent, NotFound

__all__ = ["Resource", "Root", "root_url"]


class Resource(Enum):
    """A satellite resource of a repository: its key in the root, and its path below our mirror's address."""

    METADATA = ("metadata-url", "/p2/%package%.json")
    SEARCH = ("search", "/search.json?q=%query%&type=%type%")
    LIST = ("list", "/packages/list.json")
    PROVIDERS_API = ("providers-api", "/providers/%package%.json")
    CHANGES = ("metadata-changes-url", "/metadata/changes.json")
    NOTIFY_BATCH = ("notify-batch", "/downloads/")
    NOTIFY = ("notify", "/downloads/%package%")
    ADVISORIES = ("security-advisories/api-url", "/api/security-advisories/")
    FILTER_SUMMARY = ("filter/summary-url", "/filter/summary.json")
    FILTER_API = ("filter/api-url", "/filter/api")

    @property
    def key(self) -> tuple[str, ...]:
        """Where the URL stands in the root, from the outside in."""
        return tuple(self.value[0].split("/"))

    @property
    def path(self) -> str:
        """Our path, with the template variables of the original."""
        return self.value[1]


OLD_PROTOCOL = ("providers", "providers-url", "providers-lazy-url", "provider-includes", "includes")
"""Composer 1's ways to metadata; a client that knows `metadata-url` ignores them."""


def root_url(base: str) -> str:
    """
    Return the address of the root file of a repository.

    Source: Composer's ComposerRepository::getPackagesJsonUrl.
    """
    return base if urlsplit(base).path.endswith(".json") else base.rstrip("/") + "/packages.json"


@frozen(kw_only=True)
class Root:
    """An upstream's root file."""

    document: Mapping[str, Any]
    url: str
    """Where it came from, without credentials."""

    @classmethod
    def read(cls, content: bytes, url: str) -> "Root":
        """Parse a root. Raises BadContent when it is not one, or offers nothing that Composer 2 can read."""
        document = read_object(content)
        root = cls(document=document, url=url)
        if root.template(Resource.METADATA) is None and not document.get("packages"):
            if any(document.get(key) for key in OLD_PROTOCOL):
                raise BadContent("a Composer 1 repository (no metadata-url), which is not supported yet")
            if "packages" not in document:
                raise BadContent("a JSON document that is no packages.json")
        return root

    def template(self, resource: Resource) -> str | None:
        """
        Return upstream's absolute URL of a resource, template variables in place; None when it offers none.

        Source: Composer's ComposerRepository::canonicalizeUrl; relative ones, which the client could not use, are
        taken from the root's directory.
        """
        value: Any = self.document
        for key in resource.key:
            value = value.get(key) if isinstance(value, Mapping) else None
        if not isinstance(value, str) or not value:
            return None
        absolute = urljoin(self.url, value)
        return absolute if urlsplit(absolute).scheme in {"http", "https"} else None

    def address(self, resource: Resource, **variables: str) -> str:
        """
        Return upstream's URL of a resource with its variables put in, percent-encoded.

        Raises:
            NotFound: this upstream has no such resource.
        """
        template = self.template(resource)
        if template is None:
            raise NotFound("this repository offers no such resource")
        for name, value in variables.items():
            template = template.replace(f"%{name}%", quote(value, safe="/~" if name == "package" else ""))
        return template

    def dist_mirrors(self) -> list[str]:
        """Return the dist URL templates of the upstream's own `mirrors`, preferred ones first."""
        mirrors = self.document.get("mirrors")
        entries = [entry for entry in mirrors if isinstance(entry, dict)] if isinstance(mirrors, list) else []
        entries.sort(key=lambda entry: not entry.get("preferred"))
        return [urljoin(self.url, entry["dist-url"]) for entry in entries if isinstance(entry.get("dist-url"), str)]

    def ours(self, mirror_url: str, *, dists: str | None, notify: bool, info: str | None) -> JsonObject:
        """
        Return this root with every address on us; what we do not know stays as it is.

        Args:
            mirror_url: The address of our mirror as the client sees it, without a slash at the end.
            dists: `mirrors` adds our entry, `rewrite` changes inline dist URLs, None leaves dists to upstream.
            notify: Keep the addresses for install notifications.
            info: A message for Composer to print.
        """
        document: JsonObject = {key: value for key, value in self.document.items() if key not in OLD_PROTOCOL}
        for resource in Resource:
            _put(document, resource.key, mirror_url + resource.path if self.template(resource) else None)
        if not notify:
            for resource in (Resource.NOTIFY, Resource.NOTIFY_BATCH):
                _put(document, resource.key, None)
        document.pop("mirrors", None)
        if dists == "mirrors":
            document["mirrors"] = [{"dist-url": mirror_url + DIST_TEMPLATE, "preferred": True}]
        elif dists == "rewrite":
            document = with_our_dists(document, mirror_url)
        if info is not None:
            document["info"] = info
        return document


def _put(document: JsonObject, path: tuple[str, ...], value: str | None) -> None:
    """Set or, for None, remove a value; maps on the way are copied, never made."""
    *outer, last = path
    for key in outer:
        inner = document.get(key)
        if not isinstance(inner, dict):
            return
        document[key] = document = dict(inner)
    if value is not None:
        document[last] = value
    else:
        document.pop(last, None)
