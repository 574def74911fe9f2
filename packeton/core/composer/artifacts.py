"""
Archives of packages: where composer.json lies in one.

Source: Composer's Util/Zip.php.
"""

from collections.abc import Iterable

from packeton.errors import Invalid

__all__ = ["manifest_path"]

MANIFEST_NAME = "composer.json"
MAX_SHOWN = 10
IGNORED_TOP = "__MACOSX"


def manifest_path(paths: Iterable[str]) -> str:
    """
    Return which entry of an archive is its composer.json: in the root, or else in the only top-level directory.

    Args:
        paths: Names of entries; those of directories end with a slash. A leading `./` is understood.
    Raises:
        Invalid: There is none. The messages are Composer's.
    """
    entries = {path.removeprefix("./"): path for path in paths}
    if MANIFEST_NAME in entries:
        return entries[MANIFEST_NAME]
    tops = {f"{path.partition('/')[0]}/" if "/" in path else path for path in entries if path}
    tops.discard(f"{IGNORED_TOP}/")
    if len(tops) > 1:
        shown = ",".join(sorted(tops)[:MAX_SHOWN])
        raise Invalid(
            "Archive has more than one top level directories, and no composer.json was found on the top level,"
            f" so it's an invalid archive. Top level paths found were: {shown}"
        )
    manifest = next((f"{top}{MANIFEST_NAME}" for top in tops if top.endswith("/")), "")
    if manifest not in entries:
        raise Invalid("No composer.json found either at the top level or within the topmost directory")
    return entries[manifest]
