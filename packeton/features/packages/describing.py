"""What a package says of itself: taken from its default branch, or its newest release. Off the reactor thread."""

from collections.abc import Sequence

import orjson
from attrs import evolve

from packeton.core.composer.versions import version_key
from packeton.features.packages.readmes import rendered_readme
from packeton.interfaces.packages import Package, StoredVersion
from packeton.interfaces.sources import SourceFile

__all__ = ["described"]

MAX_CHARACTERS = 4000


def described(
    package: Package,
    versions: Sequence[StoredVersion],
    readme: SourceFile | None,
    branch: str | None,
    repository: str | None,
) -> Package:
    """Return *package* with description, type and README as its versions have them; without any, as it was."""
    telling = _telling(versions)
    if telling is None:
        return package
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


def _telling(versions: Sequence[StoredVersion]) -> StoredVersion | None:
    """Return the version that speaks for the package."""
    default = next((version for version in versions if version.is_default), None)
    if default is not None or not versions:
        return default
    return max(versions, key=lambda version: (not version.is_dev, version_key(version.normalized)))


def _text(value: object) -> str:
    return value if isinstance(value, str) else ""
