"""composer.json: reading and validating the one of a package that is to be published."""

import orjson
from attrs import frozen

from packeton.core.composer.manifest_names import validate_package_name
from packeton.core.composer.manifest_rules import ManifestCheck
from packeton.core.composer.metadata import JsonObject
from packeton.errors import Invalid

__all__ = ["MAX_BYTES", "Manifest", "read_manifest", "validate_package_name"]

MAX_BYTES = 2 * 2**20
MAX_MESSAGES = 50


@frozen(kw_only=True)
class Manifest:
    """A composer.json that is good enough to publish."""

    name: str
    document: JsonObject
    """Its content, without what the warnings complain of; the owner does not change it."""
    warnings: tuple[str, ...]


def read_manifest(content: bytes) -> Manifest:
    """
    Read and validate a composer.json as Composer does, with strict names.

    Raises:
        Invalid: It is no JSON (the text says where it breaks), too large, or wrong; the text then lists Composer's own
            messages, one a line.
    """
    document = _parsed(content)
    check = ManifestCheck(document)
    check.run()
    if check.errors:
        more = len(check.errors) - MAX_MESSAGES
        lines = [*check.errors[:MAX_MESSAGES], *([f"and {more} more"] if more > 0 else [])]
        raise Invalid("\n".join(["Invalid package information: ", *lines]))
    return Manifest(
        name=validate_package_name(check.document["name"]),
        document=check.document,
        warnings=tuple(check.warnings),
    )


def _parsed(content: bytes) -> JsonObject:
    if len(content) > MAX_BYTES:
        raise Invalid(f"composer.json is larger than {MAX_BYTES} bytes")
    try:
        document = orjson.loads(content)
    except orjson.JSONDecodeError as error:
        raise Invalid(f"composer.json does not contain valid JSON: {error.msg} on line {error.lineno}") from error
    if not isinstance(document, dict):
        raise Invalid("composer.json does not contain a JSON object")
    try:
        orjson.dumps(document)
    except orjson.JSONEncodeError as error:
        raise Invalid("composer.json is nested too deeply") from error
    return document
