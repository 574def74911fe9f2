"""
packages.json: what an upstream's root offers, of every generation.

Addresses that begin with a slash lead to the host; those of `includes` and `provider-includes` always below the root's
own directory. Source: Composer's ComposerRepository: canonicalizeUrl, loadIncludes, loadProviderListings.
"""

import re
from collections.abc import Iterator, Mapping
from enum import Enum
from typing import Any
from urllib.parse import quote, urljoin, urlsplit

from attrs import field, frozen

from packeton.core.composer.metadata import check_versions, check_writable, read_object
from packeton.errors import BadContent, NotFound

__all__ = ["OLD_PROTOCOL", "Included", "Resource", "Root", "listed_in", "root_url"]


class Resource(Enum):
    """A satellite resource of a repository: its key in the root, and its path below our mirror's address."""

    METADATA = ("metadata-url", "/p2/%package%.json")
    PROVIDERS = ("providers-url", "/pkg/%package%$%hash%.json")
    LAZY = ("providers-lazy-url", "/pkg/%package%.json")
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
MARKS = (*OLD_PROTOCOL, "packages", "metadata-url")
HASH = re.compile(r"(?:sha1:[0-9a-f]{40}|sha256:[0-9a-f]{64})")


def root_url(base: str) -> str:
    """
    Return the address of the root file of a repository.

    Source: Composer's ComposerRepository::getPackagesJsonUrl.
    """
    return base if urlsplit(base).path.endswith(".json") else base.rstrip("/") + "/packages.json"


@frozen(kw_only=True)
class Included:
    """Another file that a root, or a file that it includes, tells of."""

    path: str
    """As it stands there, without the hash: the same for every content."""
    url: str
    digest: str | None
    """`sha1:…` or `sha256:…` of its content; None where it is not told."""


@frozen(kw_only=True)
class Root:
    """An upstream's root file."""

    document: Mapping[str, Any]
    url: str
    """Where it came from, without credentials."""
    is_old: bool = field(init=False, eq=False)
    """It offers nothing but what Composer 1 knows; asked for each document."""

    @is_old.default
    def _is_old(self) -> bool:
        return self.template(Resource.METADATA) is None

    @classmethod
    def read(cls, content: bytes, url: str) -> "Root":
        """Parse a root. Raises BadContent when it is not one, or tells nonsense about where its packages are."""
        document = read_object(content)
        check_writable(document)
        if not any(key in document for key in MARKS):
            raise BadContent("a JSON document that is no packages.json")
        packages = document.get("packages", [])
        if not isinstance(packages, dict) and packages != []:
            raise BadContent("a packages.json whose packages are no map")
        check_versions(packages or {})
        root = cls(document=document, url=url)
        for resource in (Resource.METADATA, Resource.PROVIDERS, Resource.LAZY):
            if root.text(resource) and root.template(resource) is None:
                raise BadContent(f"a packages.json whose {resource.key[0]} is no address")
        for key in ("provider-includes", "includes", "providers"):
            if document.get(key) and not isinstance(document[key], dict):
                raise BadContent(f"a packages.json whose {key} are no map")
            list(root._included(key))
        return root

    @property
    def inline(self) -> Mapping[str, Any]:
        """The packages that stand in the root itself."""
        packages = self.document.get("packages")
        return packages if isinstance(packages, Mapping) else {}

    @property
    def has_listing(self) -> bool:
        """True: all names can be had with the hash of their document, and each document by that."""
        listed = any(isinstance(self.document.get(key), Mapping) and self.document[key] for key in LISTINGS)
        return listed and self.template(Resource.PROVIDERS) is not None

    @property
    def available(self) -> list[str] | None:
        """The names in `available-packages`, in lower case; None where the root does not say."""
        names = self.document.get("available-packages")
        if isinstance(names, Mapping):  # PHP's list with gaps
            names = list(names.values())
        return [name.lower() for name in names if isinstance(name, str)] if isinstance(names, list) else None

    def provider_includes(self) -> list[Included]:
        """Return the files that list names with the hash of their documents."""
        return list(self._included("provider-includes"))

    def includes(self) -> list[Included]:
        """Return the files that hold packages."""
        return list(self._included("includes"))

    def within(self, document: Mapping[str, Any]) -> "Root":
        """Return an included file, read like a root: it may include others, relative to the root."""
        return Root(document=document, url=self.url)

    def _included(self, key: str) -> Iterator[Included]:
        included = self.document.get(key)
        for path, told in included.items() if isinstance(included, Mapping) else ():
            digest = _digest(told)
            address = path.replace("%hash%", digest.partition(":")[2]) if digest else path
            if "%hash%" not in address:
                yield Included(path=_bare(path), url=self._below(address), digest=digest)

    def _below(self, path: str) -> str:
        try:
            absolute = urlsplit(path).scheme in {"http", "https"}
        except ValueError as error:
            raise BadContent("a file of another repository is included from what is no address") from error
        return path if absolute else urljoin(self.url, ".").rstrip("/") + "/" + path.lstrip("/")

    def text(self, resource: Resource) -> Any:
        """Return what stands in the root as the URL of a resource, whatever it is."""
        value: Any = self.document
        for key in resource.key:
            value = value.get(key) if isinstance(value, Mapping) else None
        return value

    def template(self, resource: Resource) -> str | None:
        """
        Return upstream's absolute URL of a resource, template variables in place; None when it offers none.

        Source: Composer's ComposerRepository::canonicalizeUrl; relative ones, which the client could not use, are
        taken from the root's directory.
        """
        value = self.text(resource)
        return self._absolute(value) if isinstance(value, str) and value else None

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
        told = [self._absolute(entry["dist-url"]) for entry in entries if isinstance(entry.get("dist-url"), str)]
        return [template for template in told if template is not None]

    def _absolute(self, address: str) -> str | None:
        """Return a web address in full; None for what is none."""
        try:
            absolute = urljoin(self.url, address)
            return absolute if urlsplit(absolute).scheme in {"http", "https"} else None
        except ValueError:
            return None


LISTINGS = ("provider-includes", "providers")


def listed_in(document: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """Yield name (in lower case) and SHA-256 of what a root or a provider file lists itself."""
    providers = document.get("providers")
    for name, told in providers.items() if isinstance(providers, Mapping) else ():
        digest = _digest(told)
        if digest is not None and digest.startswith("sha256:"):
            yield name.lower(), digest.partition(":")[2]


def _digest(told: Any) -> str | None:
    """Return the hash that stands beside an included file, the stronger one of two."""
    for kind in ("sha256", "sha1"):
        value = told.get(kind) if isinstance(told, Mapping) else None
        if isinstance(value, str) and HASH.fullmatch(f"{kind}:{value.lower()}"):
            return f"{kind}:{value.lower()}"
    return None


def _bare(path: str) -> str:
    """Return the path of an included file without the hash in it, and without what a path of ours cannot have."""
    text = re.sub(r"\$?(?:%hash%|[0-9a-f]{64}|[0-9a-f]{40})", "", path.removesuffix(".json"))
    return re.sub(r"[^A-Za-z0-9_/-]", "-", re.sub(r"^[a-z]+://", "", text)).strip("/-")
