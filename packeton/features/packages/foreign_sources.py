"""Where the packages of somebody else's Composer repository are developed: the distinct `source.url` of them."""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from functools import partial
from typing import Any, Final

from twisted.internet.defer import Deferred, FirstError, gatherResults

from packeton.core.composer.metadata import JsonObject
from packeton.errors import Invalid, NotFound
from packeton.features.packages.foreign import MIRROR, ForeignRepositories

__all__ = ["repositories_of"]

AT_ONCE: Final = 6
Versions = Callable[[str], Awaitable[Sequence[JsonObject]]]


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
    if url.startswith(MIRROR):
        if names is None:
            raise Invalid("a mirror is imported from by naming the packages")
        versions: Versions = partial(foreign.versions, url, auth)
    else:
        reader = await foreign.reader(url, auth)
        versions = reader.versions
        if names is None:
            names = await reader.names()
        if names is None:
            raise Invalid("this repository does not list its packages; name them")
    wanted = [name for name in dict.fromkeys(names) if fits(name)]
    for at in range(0, len(wanted), AT_ONCE):
        some = wanted[at : at + AT_ONCE]
        try:
            sources = await gatherResults(
                [Deferred.fromCoroutine(_source(versions, name)) for name in some], consumeErrors=True
            )
        except FirstError as error:
            error.subFailure.raiseException()
            raise
        for source in sources:
            if source is not None:
                found.setdefault(source)
        if len(found) >= limit:
            break
    return list(found)[:limit]


async def _source(versions: Versions, name: str) -> str | None:
    try:
        entries = await versions(name)
    except NotFound:
        return None
    for version in entries:
        source = version.get("source")
        address = source.get("url") if isinstance(source, Mapping) else None
        if isinstance(address, str) and address:
            return address
    return None
