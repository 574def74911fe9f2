"""Where the packages of somebody else's Composer repository are developed: the distinct `source.url` of them."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

from twisted.internet.defer import Deferred, FirstError, gatherResults

from packeton.core.composer.roots import Resource, Root
from packeton.errors import Invalid, NotFound
from packeton.features.packages.foreign import MIRROR, ForeignRepositories

__all__ = ["repositories_of"]

AT_ONCE: Final = 6
MAX_INCLUDES: Final = 100


async def repositories_of(
    foreign: ForeignRepositories,
    url: str,
    auth: Mapping[str, Any],
    names: Sequence[str] | None,
    fits: Callable[[str], bool],
    limit: int,
) -> list[str]:
    """
    Return the distinct addresses of the sources of its packages, at most *limit*.

    Args:
        names: The packages to look at; None: all that it lists.

    Raises:
        Invalid: It tells no names, and none were given.
        UpstreamFailed: It does not answer as a repository does.
    """
    found: dict[str, None] = {}
    inline: Mapping[str, Any] = {}
    if not url.startswith(MIRROR):
        root = await foreign.root(url, auth)
        inline = await _inline(foreign, root, url, auth)
        if names is None:
            names = await _names(foreign, root, inline, url, auth)
    if names is None:
        raise Invalid("a mirror is imported from by naming the packages")
    wanted = [name for name in dict.fromkeys(names) if fits(name)]
    for at in range(0, len(wanted), AT_ONCE):
        some = wanted[at : at + AT_ONCE]
        reads = [Deferred.fromCoroutine(_source(foreign, url, auth, name, inline)) for name in some]
        try:
            sources = await gatherResults(reads, consumeErrors=True)
        except FirstError as error:
            error.subFailure.raiseException()
            raise
        for source in sources:
            if source is not None:
                found.setdefault(source)
        if len(found) >= limit:
            break
    return list(found)[:limit]


async def _inline(foreign: ForeignRepositories, root: Root, url: str, auth: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return the packages that stand in the root, or in the files that it includes."""
    packages = dict(root.inline)
    for included in root.includes()[:MAX_INCLUDES]:
        document = await foreign.document(url, auth, included.url)
        if document is not None:
            packages.update(Root(document=document, url=root.url).inline)
    return packages


async def _names(
    foreign: ForeignRepositories, root: Root, inline: Mapping[str, Any], url: str, auth: Mapping[str, Any]
) -> Sequence[str]:
    if root.template(Resource.METADATA) is None or inline:
        if not inline:
            raise Invalid("this repository lists no packages; name them, or make it a mirror and name mirror:<alias>")
        return [str(name).lower() for name in inline]
    if root.available is not None:
        return root.available
    if root.template(Resource.LIST) is None:
        raise Invalid("this repository does not list its packages; name them")
    listed = (await foreign.document(url, auth, root.address(Resource.LIST)) or {}).get("packageNames")
    return [name.lower() for name in listed if isinstance(name, str)] if isinstance(listed, list) else []


async def _source(
    foreign: ForeignRepositories, url: str, auth: Mapping[str, Any], name: str, inline: Mapping[str, Any]
) -> str | None:
    versions: Any = inline.get(name)
    if versions is None:
        try:
            versions = await foreign.versions(url, auth, name)
        except NotFound:
            return None
    entries = versions.values() if isinstance(versions, Mapping) else versions if isinstance(versions, list) else ()
    for version in entries:
        source = version.get("source") if isinstance(version, Mapping) else None
        address = source.get("url") if isinstance(source, Mapping) else None
        if isinstance(address, str) and address:
            return address
    return None
