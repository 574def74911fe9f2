"""Dist URLs that lead to us, and their rewriting into metadata."""

from urllib.parse import quote

from packeton.core.composer.metadata import JsonObject, reference_in_url, version_in_url

__all__ = ["DIST_TEMPLATE", "dist_url", "with_built_dist", "with_our_dist"]

BUILT = frozenset({"git", "hg", "svn"})
"""Kinds of source that a dist can be built of."""

DIST_TEMPLATE = "/zipball/%package%/%version%/ref%reference%.%type%"
"""The path of a dist below a mirror's address, as a `mirrors` entry of a root says it."""


def dist_url(mirror_url: str, package: str, version: str, reference: str, kind: str) -> str:
    """Return the URL of one dist on us, in the same form as Composer makes from the template."""
    return (
        f"{mirror_url}/zipball/{package}/{quote(version_in_url(version), safe='')}"
        f"/ref{quote(reference_in_url(reference), safe='')}.{kind}"
    )


def with_built_dist(version: JsonObject) -> JsonObject:
    """Return a version, in full, that has no dist with one that is to be built out of its source; others as it is."""
    source = version.get("source")
    if isinstance(version.get("dist"), dict) or not isinstance(source, dict) or source.get("type") not in BUILT:
        return version
    reference = source.get("reference")
    if not isinstance(reference, str) or not reference:
        return version
    return {**version, "dist": {"type": "zip", "url": "", "reference": reference, "shasum": ""}}


def with_our_dist(version: JsonObject, name: str, mirror_url: str) -> JsonObject:
    """Return a version of package *name*, in full, with its dist on us; one without a dist as it is."""
    dist = version.get("dist")
    if not isinstance(dist, dict) or not isinstance(dist.get("url"), str):
        return version
    number = version.get("version_normalized") or version.get("version") or ""
    reference, kind = dist.get("reference"), dist.get("type")
    ours = dist_url(
        mirror_url,
        name,
        str(number),
        reference if isinstance(reference, str) else "",
        kind if isinstance(kind, str) and kind else "zip",
    )
    return {**version, "dist": {**dist, "url": ours}}
