"""The root that we send: upstream's, every address in it on us, with the ways to metadata that we offer."""

from collections.abc import Mapping, Sequence
from typing import Any

from attrs import frozen

from packeton.core.composer.dists import DIST_TEMPLATE
from packeton.core.composer.metadata import JsonObject
from packeton.core.composer.roots import OLD_PROTOCOL, Resource, Root

__all__ = ["Offer", "offered"]


@frozen(kw_only=True)
class Offer:
    """What one kind of client is offered."""

    mirror_url: str
    """The address of our mirror as the client sees it, without a slash at the end."""
    metadata: bool = True
    """Composer 2's `metadata-url`."""
    lazy: bool = False
    """`providers-lazy-url`: documents for Composer 1, without a list."""
    providers: Mapping[str, str] | None = None
    """`provider-includes`: SHA-256 by path, `%hash%` in it."""
    includes: Mapping[str, str] | None = None
    """`includes`: SHA-1 by path."""
    packages: Mapping[str, Any] | None = None
    """Packages in the root itself."""
    names: Sequence[str] | None = None
    """`available-packages`."""
    patterns: Sequence[str] | None = None
    """`available-package-patterns`."""
    mirrors_dists: bool = False
    """A `mirrors` entry sends clients to us for dists."""
    notify: bool = False
    """The addresses for install notifications stay."""
    info: str | None = None
    """A message for Composer to print, besides those of upstream."""


def offered(root: Root, offer: Offer) -> JsonObject:
    """Return *root* as *offer* says; what is not known here stays as it is."""
    document: JsonObject = {key: value for key, value in root.document.items() if key not in OLD_PROTOCOL}
    for resource in Resource:
        _put(document, resource.key, offer.mirror_url + resource.path if root.template(resource) else None)
    if not offer.notify:
        for resource in (Resource.NOTIFY, Resource.NOTIFY_BATCH):
            _put(document, resource.key, None)
    document["packages"] = offer.packages or []
    ways: Mapping[str, Any] = {
        "metadata-url": offer.mirror_url + Resource.METADATA.path if offer.metadata else None,
        "providers-lazy-url": offer.mirror_url + Resource.LAZY.path if offer.lazy else None,
        "providers-url": offer.mirror_url + Resource.PROVIDERS.path if offer.providers is not None else None,
        "provider-includes": _hashes(offer.providers, "sha256"),
        "includes": _hashes(offer.includes, "sha1"),
        "available-packages": None if offer.names is None else list(offer.names),
        "available-package-patterns": None if not offer.patterns else list(offer.patterns),
        "mirrors": (
            [{"dist-url": offer.mirror_url + DIST_TEMPLATE, "preferred": True}] if offer.mirrors_dists else None
        ),
    }
    for key, value in ways.items():
        _put(document, (key,), value)
    if offer.info is not None:
        _add_info(document, offer.info)
    return document


def _hashes(files: Mapping[str, str] | None, kind: str) -> JsonObject | None:
    return None if files is None else {path: {kind: digest} for path, digest in files.items()}


def _add_info(document: JsonObject, message: str) -> None:
    """Put our message in, and keep upstream's. Source: Composer's HttpDownloader::outputWarnings."""
    theirs = document.get("info")
    if isinstance(theirs, str) and theirs and theirs != message:
        spec = {"message": theirs, "versions": document.get("info-versions") or "*"}
        others = document.get("infos")
        document["infos"] = [spec, *(others if isinstance(others, list) else ())]
    document.pop("info-versions", None)
    document["info"] = message


def _put(document: JsonObject, path: tuple[str, ...], value: Any) -> None:
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
