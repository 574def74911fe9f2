"""
Mono-repositories: which directories hold packages, and which tags changed them.

Source: contract of the reference; symfony/finder Glob.php.
"""

from collections.abc import Iterable, Sequence

from packeton.core.composer.globs import compiled, glob_pattern
from packeton.core.composer.versions import normalize, stability_of, version_key
from packeton.errors import Invalid

__all__ = ["MANIFEST_NAME", "find_directories", "tags_that_changed"]

MANIFEST_NAME = "composer.json"
MAX_GLOBS = 200


def find_directories(paths: Iterable[str], globs: Sequence[str], excluded: Sequence[str] = ()) -> list[str]:
    """
    Return the directories, sorted, whose composer.json any of *globs* matches.

    Args:
        paths: The tracked files, relative to the root of the repository.
        globs: Such as `src/{Bundle,Component}/*/composer.json`; the one in the root is never a package of its own.
        excluded: Globs of directories, or of their composer.json.
    Raises:
        Invalid: There are more than 200 globs, or one is none.
    """
    wanted = _together([glob.removeprefix("./").lstrip("/") for glob in globs])
    unwanted = _together([_directory(glob.removeprefix("./").strip("/")) for glob in excluded])
    found = []
    for path in paths:
        if path.endswith(f"/{MANIFEST_NAME}") and wanted is not None and wanted.fullmatch(path):
            directory = _directory(path)
            if unwanted is None or not unwanted.fullmatch(directory):
                found.append(directory)
    return sorted(set(found))


def _directory(path: str) -> str:
    return path.removesuffix(f"/{MANIFEST_NAME}")


def _together(globs: Sequence[str]):  # type: ignore[no-untyped-def]  # noqa: ANN202 - re2 has no types
    if len(globs) > MAX_GLOBS:
        raise Invalid(f"more than {MAX_GLOBS} globs")
    patterns = [glob_pattern(glob) for glob in globs if glob]
    return compiled("|".join(f"(?:{pattern})" for pattern in patterns)) if patterns else None


def tags_that_changed(tags: Sequence[tuple[str, str | None]]) -> list[str]:
    """
    Return the tags worth a version of a package in a sub-directory, in the order given.

    Of the patch releases of one minor version and stability, in the order of versions, one whose directory is as it was
    in the one kept before it is left out. Tags that are no versions, or lack the directory (None), are left out too.

    Args:
        tags: Name, and the id of the directory's tree at it.
    """
    keyed = []
    for tag, tree in tags:
        try:
            normalized = normalize(tag)
        except Invalid:
            continue
        if tree is not None:
            keyed.append((version_key(normalized), tag, (*normalized.split(".")[:2], stability_of(normalized)), tree))
    last: dict[tuple[str, ...], str] = {}
    kept = set()
    for _, tag, line, tree in sorted(keyed):
        if last.get(line) != tree:
            last[line] = tree
            kept.add(tag)
    return [tag for tag, _ in tags if tag in kept]
