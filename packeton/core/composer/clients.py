"""Which generation of Composer asks: 1 knows hashed providers and includes, 2 knows `metadata-url`."""

import re

__all__ = ["generation_of"]

USER_AGENT = re.compile(
    r"Composer/(?P<version>\S+) "
    r"\([^;()]+;[^;]*;\s*(?:PHP|HHVM) [0-9]",
    re.IGNORECASE,
)
COMMIT = re.compile(r"[0-9a-f]{40}", re.IGNORECASE)
MAX_AGENT = 512


def generation_of(user_agent: str | None, asked: str | None = None) -> int | None:
    """
    Return the major version of the client's Composer, or None when nobody can tell.

    Args:
        user_agent: The request's User-Agent.
        asked: The `ua` field of the query: a whole number other than 0 in it wins over the User-Agent.

    Source: contract of the reference system; Composer's Util/StreamContextFactory.php. A Composer run from source is
    taken for Composer 1, as there.
    """
    number = re.match(r"\s*\+?0*([1-9][0-9]{0,8})", asked or "")
    if number is not None:
        return int(number[1])
    match = USER_AGENT.match((user_agent or "")[:MAX_AGENT])
    if match is None:
        return None
    version = match["version"]
    if version.lower() == "source" or COMMIT.fullmatch(version):
        return 1
    return int(version[0]) if version[0] in "0123456789" else None
