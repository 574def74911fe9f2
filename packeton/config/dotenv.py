"""`.env` files, as Symfony's Dotenv reads them; commands in them, `$(…)`, are never run but refused."""

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from packeton.errors import ConfigurationInvalid

__all__ = ["with_dotenv"]

MAX_FILE_BYTES: Final = 1 << 20
BLANK: Final = re.compile(r"(?:\s+|#[^\n]*)*")
NAME: Final = re.compile(r"(?:export[ \t]+)?([A-Za-z_][A-Za-z0-9_]*)=")
NOTHING: Final = re.compile(r"[ \t]*(?:#[^\n]*)?(?=\n|\Z)")
SINGLE: Final = re.compile(r"'([^']*)'")
DOUBLE: Final = re.compile(r'"((?:[^"\\]|\\.)*)"', re.DOTALL)
BARE: Final = re.compile(r"(?:\\['\"]|(?<![ \t])#|[^\n'\"#])+")
VARIABLE: Final = re.compile(r"(?<!\\)(\\*)\$(?:\{([A-Za-z_]\w*)(?::[-=]([^}]*))?\}|([A-Za-z_]\w*))", re.ASCII)


def with_dotenv(environment: Mapping[str, str], folder: Path) -> dict[str, str]:
    """
    Return the environment with what the `.env` files of *folder* add to it.

    The real environment wins, then `.env.<APP_ENV>.local`, `.env.<APP_ENV>`, `.env.local`, `.env`; APP_ENV is `prod`
    where none of the first and the last two says otherwise. A value may refer to what a weaker file set.

    Raises:
        ConfigurationInvalid: naming file and line, never a value. A file may have 1 MiB.
    """
    found: dict[str, str] = {}
    for name in (".env", ".env.local"):
        _read(folder / name, environment, found)
    stage = environment.get("APP_ENV") or found.get("APP_ENV") or "prod"
    if re.fullmatch(r"[A-Za-z0-9_-]+", stage) and stage != "local":
        for name in (f".env.{stage}", f".env.{stage}.local"):
            _read(folder / name, environment, found)
    return {**found, **environment}


def _read(path: Path, environment: Mapping[str, str], found: dict[str, str]) -> None:
    """Add to *found* what the file sets; a missing file sets nothing."""
    try:
        with path.open("rb") as opened:
            content = opened.read(MAX_FILE_BYTES + 1)
        text = content.decode("utf-8-sig").replace("\r\n", "\n").replace("\r", "\n")
    except (FileNotFoundError, NotADirectoryError):
        return
    except OSError as error:
        raise ConfigurationInvalid(f"{path}: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise ConfigurationInvalid(f"{path}: is not UTF-8") from error
    if len(content) > MAX_FILE_BYTES:
        raise ConfigurationInvalid(f"{path}: is larger than {MAX_FILE_BYTES} bytes")
    at = _past_blank(text, 0)
    while at < len(text):
        name = NAME.match(text, at)
        try:
            if name is None:
                raise ValueError("must be NAME=value, without spaces around the =")
            at, value = _value(text, name.end(), {**found, **environment})
        except ValueError as error:
            line = text.count("\n", 0, at) + 1
            raise ConfigurationInvalid(f"{path}:{line}: {error}") from error
        found[name[1]] = value
        at = _past_blank(text, at)


def _past_blank(text: str, at: int) -> int:
    match = BLANK.match(text, at)
    return at if match is None else match.end()


def _value(text: str, at: int, known: Mapping[str, str]) -> tuple[int, str]:
    """Read a value: quoted and bare pieces next to each other, up to the end of the line or a comment."""
    nothing = NOTHING.match(text, at)
    if nothing is not None:
        return nothing.end(), ""
    if text[at] in " \t":
        raise ValueError("there must be no space before the value")
    pieces: list[str] = []
    while at < len(text) and text[at] != "\n":
        if text[at] == "#" and text[at - 1] in " \t":
            end = text.find("\n", at)
            return (len(text) if end < 0 else end), "".join(pieces)
        single, double = SINGLE.match(text, at), DOUBLE.match(text, at)
        bare = BARE.match(text, at)
        if single is not None:
            pieces.append(single[1])
        elif double is not None:
            unescaped = double[1].replace('\\"', '"').replace("\\r", "\r").replace("\\n", "\n")
            pieces.append(_resolved(unescaped, known))
        elif bare is not None:
            pieces.append(_bare(bare[0].rstrip(), known))
        else:
            raise ValueError("a quote is not closed")
        at = next(match for match in (single, double, bare) if match is not None).end()
    return at, "".join(pieces)


def _bare(text: str, known: Mapping[str, str]) -> str:
    text = re.sub(r"\\(['\"])", r"\1", text)
    value = _resolved(text, known)
    if value == text and re.search(r"\s", text):
        raise ValueError("a value with spaces must be in quotes")
    return value


def _resolved(text: str, known: Mapping[str, str]) -> str:
    if re.search(r"(?<!\\)\$\(", text):
        raise ValueError("commands, $(…), are not run")

    def lookup(match: re.Match[str]) -> str:
        if len(match[1]) % 2:
            return match[0][1:]
        return match[1] + (known.get(match[2] or match[4]) or match[3] or "")

    return VARIABLE.sub(lookup, text).replace("\\$", "$").replace("\\\\", "\\")
