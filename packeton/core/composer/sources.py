"""
Which version a tag or a branch is, and its version object.

Source: Composer's Repository/VcsRepository::initialize and preProcess, with its messages.
"""

import re
from collections.abc import Mapping
from datetime import UTC, datetime
from hashlib import sha1
from typing import Any

import orjson
from attrs import frozen

from packeton.core.composer.constraints import parse_constraints
from packeton.core.composer.manifests import Manifest, read_manifest
from packeton.core.composer.packages import version_object
from packeton.core.composer.versions import normalize, normalize_branch
from packeton.errors import Invalid

__all__ = ["Named", "Skipped", "branch_version", "dist_reference", "manifest_of", "of_branch", "of_tag", "tag_version"]

DEV = re.compile(r"(^dev-|[.-]?dev$)", re.IGNORECASE)
DEV_END = re.compile(r"[.-]?dev$", re.IGNORECASE)
NINES = re.compile(r"(\.9{7})+")
DEFAULT_BRANCH_ALIAS = "9999999-dev"
Source = Mapping[str, Any]


class Skipped(Exception):
    """A ref gives no version, and that is nobody's fault."""


@frozen(kw_only=True)
class Named:
    """A version as a ref's name gives it."""

    pretty: str
    normalized: str


def dist_reference(reference: str) -> str:
    """
    Return the 40 hexadecimal digits that stand for a source reference in dist URLs: itself where it has that form, else
    its sha1, as for Subversion's `/tags/1.0/@12`.
    """
    if len(reference) == 40 and all(char in "0123456789abcdef" for char in reference):
        return reference
    return sha1(reference.encode(), usedforsecurity=False).hexdigest()


def tag_version(tag: str) -> Named:
    """Return the version that a tag's name is. Raises Skipped."""
    name = tag.replace("release-", "")
    try:
        return Named(pretty=name, normalized=normalize(name))
    except Invalid:
        raise Skipped(f"Skipped tag {tag}, invalid tag name") from None


def branch_version(branch: str) -> Named:
    """Return the dev version that a branch's name is. Raises Skipped."""
    try:
        normalized = normalize_branch(branch)
        parse_constraints(normalized)
    except Invalid:
        raise Skipped(f"Skipped branch {branch}, invalid name") from None
    if normalized.startswith("dev-") or normalized == DEFAULT_BRANCH_ALIAS:
        return Named(pretty="dev-" + branch.replace("#", "+"), normalized=normalized.replace("#", "+"))
    prefix = "v" if branch.startswith("v") else ""
    return Named(pretty=prefix + NINES.sub(".x", normalized), normalized=normalized)


def manifest_of(content: bytes, *, name: str | None, versioned: bool) -> Manifest:
    """
    Read the composer.json of a ref.

    Args:
        name: Takes the place of the name in it: a package keeps one name although its old tags have another.
        versioned: False: a version in it does not count, nor if it is wrong (branches).
    Raises:
        Invalid: It cannot be published.
    """
    try:
        document = orjson.loads(content)
    except orjson.JSONDecodeError:
        return read_manifest(content)
    if isinstance(document, dict) and (name is not None or (not versioned and "version" in document)):
        changed = document if name is None else {**document, "name": name}
        if not versioned:
            changed = {key: value for key, value in changed.items() if key != "version"}
        content = orjson.dumps(changed)
    return read_manifest(content)


def of_tag(
    tag: str, named: Named, manifest: Manifest, *, source: Source | None, time: datetime
) -> dict[str, Any]:
    """
    Return the version object of a tag.

    Raises:
        Skipped: composer.json names another version than the tag.
        Invalid: the version cannot be one.
    """
    pretty, normalized = named.pretty, named.normalized
    written = manifest.document.get("version")
    if written is not None:
        if not isinstance(written, str):
            raise Invalid("version: must be text")
        pretty, normalized = written, normalize(written)
    pretty, normalized = DEV_END.sub("", pretty), DEV.sub("", normalized)
    if normalized != named.normalized:
        if DEV.search(named.normalized):
            raise Skipped(f"Skipped tag {tag}, invalid tag name, tags can not use dev prefixes or suffixes")
        told = f"tag ({named.normalized}) does not match version ({normalized}) in composer.json"
        raise Skipped(f"Skipped tag {tag}, {told}")
    version = Named(pretty=pretty, normalized=normalized)
    return _rendered(version, manifest, source=source, time=time, default=False)


def of_branch(
    named: Named, manifest: Manifest, *, source: Source | None, time: datetime, default: bool
) -> dict[str, Any]:
    """Return the version object of a branch; a version in composer.json does not count. Raises Invalid."""
    return _rendered(named, manifest, source=source, time=time, default=default)


def _rendered(
    named: Named, manifest: Manifest, *, source: Source | None, time: datetime, default: bool
) -> dict[str, Any]:
    return version_object(
        manifest.document,
        version=named.pretty,
        version_normalized=named.normalized,
        source=source,
        dist=None,
        time=_own_time(manifest) or time,
        default_branch=default,
    )


def _own_time(manifest: Manifest) -> datetime | None:
    """Return the time that composer.json gives itself, which counts before that of the commit."""
    try:
        written = datetime.fromisoformat(manifest.document["time"])
    except (KeyError, TypeError, ValueError):
        return None
    return written if written.tzinfo is not None else written.replace(tzinfo=UTC)
