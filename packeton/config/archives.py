"""The settings of metadata, archives and imports: their spellings in the reference's files, and what they may be."""

from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

from attrs import evolve

from packeton.config.settings import Settings
from packeton.config.tree import Tree

__all__ = ["completed_archives", "faults", "spell_out"]

FLAGS: Final = ("mirror", "replace")
FORMATS: Final = ("auto", "only_v1", "only_v2", "full")
ARCHIVE_FORMATS: Final = ("zip", "tar")
ARTIFACT_TYPES: Final = ("zip", "tar", "gz", "tgz")


def spell_out(tree: Tree) -> None:
    """Turn `archive: true` and `false` into flags; `passphrase: false` is none."""
    packeton = tree.values.get("packeton")
    if not isinstance(packeton, dict):
        return
    if isinstance(packeton.get("archive"), bool):
        packeton["archive"] = list(FLAGS) if packeton["archive"] else []
    keys = packeton.get("jwt_authentication")
    if isinstance(keys, dict) and keys.get("passphrase") is False:
        del keys["passphrase"]


def faults(settings: Settings) -> list[tuple[str, str]]:
    """Return (path, what is wrong) of every value that cannot be used."""
    options, found = settings.archive_options, []
    for path, values, choices in (
        ("packeton.archive", settings.archive, FLAGS),
        ("packeton.artifacts.support_types", settings.artifacts.support_types, ARTIFACT_TYPES),
        ("packeton.metadata.format", (settings.metadata.format,), FORMATS),
        ("packeton.archive_options.format", (options.format,), ARCHIVE_FORMATS),
    ):
        bad = sorted(set(values) - set(choices))
        if bad:
            found.append((path, f"{', '.join(bad)}: must be of {', '.join(choices)}"))
    if not 1 <= settings.rss_max_items <= 1000:
        found.append(("packeton.rss_max_items", "must be from 1 to 1000"))
    if settings.max_import < 1:
        found.append(("packeton.max_import", "must be at least 1"))
    if options.include_archive_checksum and not options.prebuild_zipball:
        found.append(("packeton.archive_options.include_archive_checksum", "needs prebuild_zipball: true"))
    if options.endpoint is not None:
        parts = urlsplit(options.endpoint)
        if parts.scheme not in {"http", "https"} or not parts.hostname or parts.query or parts.fragment:
            found.append(("packeton.archive_options.endpoint", "must be an address such as https://zips.example.com"))
        elif "@" in parts.netloc:
            found.append(("packeton.archive_options.endpoint", "must not hold a user or password"))
    return found


def completed_archives(settings: Settings) -> Settings:
    """Fill in the directories, which depend on the data directory."""
    options, artifacts = settings.archive_options, settings.artifacts
    data = settings.data
    endpoint = None if options.endpoint is None else options.endpoint.rstrip("/")
    return evolve(
        settings,
        archive_options=evolve(options, basedir=options.basedir or data / "zipball", endpoint=endpoint),
        artifacts=evolve(
            artifacts,
            allowed_paths=artifacts.allowed_paths or (str(Path(data) / "artifacts"),),
            artifact_storage=artifacts.artifact_storage or data / "artifact_storage",
        ),
    )
