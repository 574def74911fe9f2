"""What a package says of itself: taken from its default branch, or its newest release. Off the reactor thread."""

from collections.abc import Sequence

import orjson
from attrs import evolve

from packeton.core.composer.versions import version_key
from packeton.features.packages.readmes import rendered_readme
from packeton.interfaces.packages import Package, StoredVersion, VersionIndex
from packeton.interfaces.sources import SourceFile

__all__ = ["described", "newest_of"]

MAX_CHARACTERS = 4000


def described(
    package: Package,
    telling: StoredVersion,
    readme: SourceFile | None,
    branch: str | None,
    repository: str | None,
) -> Package:
    """Return *package* with description, type and README as the version that speaks for it has them."""
    document = orjson.loads(telling.document)
    html = None
    if readme is not None:
        html = rendered_readme(readme.path, readme.content, repository=repository, branch=branch)
    return evolve(
        package,
        description=_text(document.get("description"))[:MAX_CHARACTERS],
        type=_text(document.get("type"))[:191] or "library",
        readme=html,
        directory=telling.directory if package.parent_id is not None else package.directory,
    )


def newest_of(versions: Sequence[VersionIndex]) -> VersionIndex | None:
    """Return the newest release, else the newest of all, which speaks for a package without a default branch."""
    return max(versions, key=lambda version: (not version.is_dev, version_key(version.normalized)), default=None)


def _text(value: object) -> str:
    return value if isinstance(value, str) else ""
