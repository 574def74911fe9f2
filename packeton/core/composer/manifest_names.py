"""
The names that a package may be published under, and what is wrong with others.

Source: Composer's ValidatingArrayLoader::hasPackageNamingError() and PlatformRepository::isPlatformPackage().
"""

import re
from functools import lru_cache
from typing import Final

from packeton.errors import Invalid

__all__ = ["is_platform_package", "package_name_error", "validate_package_name"]

ANY_CASE = re.ASCII | re.IGNORECASE
MAX_CHARACTERS: Final = 200
PLATFORM = re.compile(
    r"php(?:-64bit|-ipv6|-zts|-debug)?|hhvm|(?:ext|lib)-[a-z0-9](?:[_.-]?[a-z0-9]++)*+|composer(?:-(?:plugin|runtime)-api)?",
    ANY_CASE,
)
NAME = re.compile(r"[a-z0-9](?:[_.-]?[a-z0-9]++)*+/[a-z0-9](?:(?:[_.]|-{1,2})?[a-z0-9]++)*+", ANY_CASE)
GRAMMAR: Final = "^[a-z0-9]([_.-]?[a-z0-9]+)*/[a-z0-9](([_.]?|-{0,2})[a-z0-9]+)*$"
DEVICES: Final = (
    "nul", "con", "prn", "aux", "com1", "com2", "com3", "com4", "com5", "com6", "com7", "com8", "com9",
    "lpt1", "lpt2", "lpt3", "lpt4", "lpt5", "lpt6", "lpt7", "lpt8", "lpt9",
)  # fmt: skip
HUMP = re.compile(r"([a-z])([A-Z])|([A-Z])([A-Z][a-z])")


def is_platform_package(name: str) -> bool:
    """Say if Composer finds it in the machine (php, ext-json, composer-plugin-api) and not in a repository."""
    return PLATFORM.fullmatch(name) is not None


def package_name_error(name: str, *, is_link: bool = False) -> str | None:
    """Return what Composer says against a name, or None. Platform packages are good names too."""
    if len(name) > MAX_CHARACTERS:
        return f"a name of more than {MAX_CHARACTERS} characters is invalid"
    return _name_error(name, is_link)


@lru_cache(maxsize=16_384)
def _name_error(name: str, is_link: bool) -> str | None:
    if is_platform_package(name):
        return None
    if not NAME.fullmatch(name):
        return (
            f"{name} is invalid, it should have a vendor name, a forward slash, and a package name. The vendor and"
            " package name can be words separated by -, . or _. The complete name should match"
            f' "{GRAMMAR}".'
        )
    if not set(name.lower().split("/")).isdisjoint(DEVICES):
        return f"{name} is reserved, package and vendor names can not match any of: {', '.join(DEVICES)}."
    if name.endswith(".json"):
        return (
            f"{name} is invalid, package names can not end in .json,"
            " consider renaming it or perhaps using a -json suffix instead."
        )
    if name != name.lower():
        begin = f"{name} is invalid, it should not contain uppercase characters."
        if is_link:
            return f"{begin} Please use {name.lower()} instead."
        return f"{begin} We suggest using {HUMP.sub(_dashed, name).lower()} instead."
    return None


def _dashed(match: re.Match[str]) -> str:
    return f"{match[1] or ''}{match[3] or ''}-{match[2] or ''}{match[4] or ''}"


def validate_package_name(name: str) -> str:
    """
    Return *name* if a package of ours may have it.

    Raises:
        Invalid: Composer's own message; or it is the name of something in the machine, such as `ext-json`.
    """
    if is_platform_package(name):
        raise Invalid(f"{name} is invalid, it is the name of a platform package")
    if error := package_name_error(name):
        raise Invalid(error)
    return name
