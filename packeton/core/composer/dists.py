"""Dist URLs that lead to us, and their rewriting into metadata."""

from collections.abc import Callable, Mapping
from typing import Any
from urllib.parse import quote

from packeton.core.composer.metadata import JsonObject, reference_in_url, version_in_url
from packeton.core.composer.minifier import UNSET

__all__ = ["DIST_TEMPLATE", "dist_url", "with_our_dists"]

DIST_TEMPLATE = "/zipball/%package%/%version%/ref%reference%.%type%"
"""The path of a dist below a mirror's address, as a `mirrors` entry of a root says it."""


def dist_url(mirror_url: str, package: str, version: str, reference: str, kind: str) -> str:
    """Return the URL of one dist on us, in the same form as Composer makes from the template."""
    return (
        f"{mirror_url}/zipball/{package}/{quote(version_in_url(version), safe='')}"
        f"/ref{quote(reference_in_url(reference), safe='')}.{kind}"
    )


def with_our_dists(document: Mapping[str, Any], mirror_url: str) -> JsonObject:
    """
    Return a copy of a p2 or root document in which every dist URL leads to us; all else stays as it is.

    In a minified document a version whose dist equals the one before leaves it out; our URL differs by the version, so
    each such version gets its own.
    """
    packages = document.get("packages")
    if not isinstance(packages, Mapping):
        return dict(document)
    minified = "minified" in document
    rewritten: JsonObject = {}
    for name, versions in packages.items():
        if isinstance(versions, list):
            rewritten[name] = _rewrite_list(name, versions, mirror_url, minified=minified)
        elif isinstance(versions, Mapping):
            entries = _rewrite_list(name, list(versions.values()), mirror_url, minified=False)
            rewritten[name] = dict(zip(versions, entries, strict=True))
        else:
            rewritten[name] = versions
    return {**document, "packages": rewritten}


def _rewrite_list(name: str, versions: list[Any], mirror_url: str, *, minified: bool) -> list[Any]:
    current: JsonObject = {}
    result: list[Any] = []
    for version in versions:
        if not isinstance(version, dict):
            result.append(version)
            continue
        current = {**current, **version} if minified else version
        result.append(_with_our_dist(version, current, lambda *parts: dist_url(mirror_url, name, *parts)))
    return result


def _with_our_dist(version: JsonObject, full: JsonObject, url: Callable[[str, str, str], str]) -> JsonObject:
    dist = full.get("dist")
    if dist == UNSET or not isinstance(dist, dict) or not isinstance(dist.get("url"), str):
        return version
    number = full.get("version_normalized", full.get("version", ""))
    if number == UNSET:
        number = full.get("version", "")
    reference, kind = dist.get("reference"), dist.get("type")
    ours = url(
        str(number), reference if isinstance(reference, str) else "", kind if isinstance(kind, str) and kind else "zip"
    )
    return {**version, "dist": {**dist, "url": ours}}
