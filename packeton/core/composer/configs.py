"""
Composer's configuration as part of a credential: the sections of auth.json, and keys of `config` that do no harm.

Source: contract 04 section 11 of the reference; Composer's res/composer-schema.json, `config`.
"""

from collections.abc import Callable, Mapping
from typing import Any, Final

import orjson

from packeton.core.composer.credentials import METHODS, Credentials
from packeton.errors import Invalid

__all__ = ["FORBIDDEN", "auth_sections", "read_config"]

MAX_CHARACTERS: Final = 64 << 10
FORBIDDEN: Final = frozenset(
    {
        "cache-dir", "cache-files-dir", "data-dir", "cache-repo-dir", "cache-vcs-dir", "cache-files-ttl",
        "cache-files-maxsize", "cache-read-only", "archive-dir", "cafile", "capath", "store-auths", "use-parent-dir",
        "allow-plugins", "home",
    }
)  # fmt: skip
"""Keys that would let a credential reach beyond its package: paths of the server, its cache, its programs."""


def _texts(value: Any) -> bool:
    return isinstance(value, list) and all(isinstance(one, str) for one in value)


def _flag(value: Any) -> bool:
    return isinstance(value, bool)


SAFE: Final[Mapping[str, Callable[[Any], bool]]] = {
    "github-domains": _texts,
    "gitlab-domains": _texts,
    "github-protocols": _texts,
    "gitlab-protocol": lambda value: value in ("git", "http", "https"),
    "github-expose-hostname": _flag,
    "use-github-api": _flag,
    "notify-on-install": _flag,
    "process-timeout": lambda value: type(value) is int and value >= 0,
    "preferred-install": lambda value: isinstance(value, str | dict),
}
"""Accepted, since people have them beside their auth; of these, GitHub's API alone is a matter for us."""


def read_config(text: str) -> dict[str, Any]:
    """
    Read the content of an auth.json, or of a config.json or composer.json with its `config`.

    Raises:
        Invalid: It is no JSON object, has a key that a credential must not have, or a login that is not complete; the
            text names the key, never a value.
    """
    if len(text) > MAX_CHARACTERS:
        raise Invalid("is too long")
    try:
        document = orjson.loads(text)
    except orjson.JSONDecodeError as error:
        raise Invalid(f"is broken JSON: {error.msg.split(':')[0]} on line {error.lineno}") from None
    if not isinstance(document, dict):
        raise Invalid("must be a JSON object, such as the content of an auth.json")
    found: dict[str, Any] = document
    if len(document) == 1 and isinstance(document.get("config"), dict):
        found = document["config"]
    for key in found:
        _check_key(str(key)[:60], found[key])
    if not any(found.get(key) for key in (*METHODS, "use-github-api")):
        raise Invalid(f"holds no login: one of {', '.join(METHODS)} is needed")
    Credentials.gather(url="https://example.org", composer_auth=auth_sections(found))
    return found


def auth_sections(config: Mapping[str, Any]) -> dict[str, Any]:
    """Return what of a configuration is credentials."""
    return {method: config[method] for method in METHODS if method in config}


def _check_key(key: str, value: Any) -> None:
    if key in FORBIDDEN:
        raise Invalid(f"{key}: must not be set by a credential")
    if key not in METHODS and key not in SAFE:
        raise Invalid(f"{key}: has no meaning in a credential")
    if key in SAFE and not SAFE[key](value):
        raise Invalid(f"{key}: cannot have this value")
