"""
Addresses of many repositories at once: lists of them, and their ssh and https forms.

Source: contract 04 section 8 of the reference.
"""

from collections.abc import Callable, Sequence
from enum import StrEnum
from typing import Any, Final

from packeton.core.composer.addresses import VcsAddress, parse_address
from packeton.core.composer.globs import compiled, glob_pattern
from packeton.errors import Invalid

__all__ = ["Clone", "addresses_in", "matcher", "preferred"]

MAX_CHARACTERS: Final = 4 << 20
MAX_GLOBS: Final = 1000
WEB_PORTS: Final = {"https": 443, "http": 80}


class Clone(StrEnum):
    """How repositories shall be reached."""

    DEFAULT = "default"
    """As their addresses stand."""
    SSH = "ssh"
    HTTP = "http"


def addresses_in(text: str) -> list[str]:
    """Return the addresses in a text, one a line, each once; lines that begin with # are none. Raises Invalid."""
    if len(text) > MAX_CHARACTERS:
        raise Invalid(f"a text of more than {MAX_CHARACTERS} characters")
    lines = (line.strip() for line in text.splitlines())
    return list(dict.fromkeys(line for line in lines if line and not line.startswith("#")))


def preferred(url: str, clone: Clone) -> str:
    """
    Return the address that is to be used: as ssh `git@host:path`, with a port `ssh://git@host:port/path`; as http
    always https on its own port, since that of ssh is none for it.

    Raises:
        Invalid: It is no address that may be used, or leads into this machine's files.
    """
    address = parse_address(url, ("/",))
    if address.scheme == "file":
        raise Invalid("a local path is not imported: add its package by itself")
    if clone is Clone.SSH and address.scheme in {"http", "https"}:
        if address.port not in {None, WEB_PORTS[address.scheme]}:
            return f"ssh://git@{address.host}:{address.port}/{_path(address)}"
        return f"git@{address.host}:{_path(address)}"
    if clone is Clone.HTTP and address.scheme == "ssh":
        return f"https://{address.host}/{_path(address)}"
    return address.url


def _path(address: VcsAddress) -> str:
    path = address.path.strip("/")
    if not path or path.startswith("~"):
        raise Invalid(f"{address.url}: the address has no other form")
    return path if path.endswith(".git") else f"{path}.git"


def matcher(globs: str) -> Callable[[str], bool]:
    """Return what says if a name fits one of the globs, one a line; without any all fit. Raises Invalid."""
    lines: Sequence[str] = [line.strip().lower() for line in globs.splitlines() if line.strip()]
    if len(lines) > MAX_GLOBS:
        raise Invalid(f"more than {MAX_GLOBS} patterns")
    patterns: list[Any] = [compiled(glob_pattern(line)) for line in lines]
    return lambda name: not patterns or any(pattern.fullmatch(name.lower()) for pattern in patterns)
