"""
Composer of other generations than the installed one, out of the archives of Debian and Ubuntu releases.

Each is unpacked beside the project, with the PHP classes it needs, and runs on the installed PHP.
"""

import fcntl
import lzma
import re
import shutil
import subprocess
import urllib.request
from collections.abc import Iterator, Mapping
from functools import cache
from http.client import HTTPException
from pathlib import Path
from typing import Final
from unittest import SkipTest

from attrs import frozen

__all__ = ["GENERATIONS", "Generation", "program"]

FOLDER: Final = Path(__file__).resolve().parents[2] / ".composers"
CLASSES: Final = "/usr/share/php"
PRELOADED: Final = Path(__file__).with_suffix(".php")
INSTALLED: Final = {"php-cli", "php-common", "php-json", "php-mbstring", "php-intl"}
"""What the installed PHP has."""
TIMEOUT_SECONDS: Final = 60


@frozen(kw_only=True)
class Generation:
    """One release whose archive has the Composer of a generation."""

    version: str
    """How the version of its Composer begins."""
    archive: str
    release: str
    components: tuple[str, ...] = ("main",)


UBUNTU: Final = "http://archive.ubuntu.com/ubuntu"
DEBIAN: Final = "http://deb.debian.org/debian"
GENERATIONS: Final = (
    Generation(version="1.10.", archive=UBUNTU, release="focal", components=("main", "universe")),
    Generation(version="2.2.", archive=UBUNTU, release="jammy", components=("main", "universe")),
    Generation(version="2.8.", archive=DEBIAN, release="trixie"),
    Generation(version="2.", archive=DEBIAN, release="forky"),
)


@cache
def program(generation: Generation) -> Path:
    """
    Return the program of this generation's Composer; fetched when it is not here yet.

    Raises:
        SkipTest: it cannot be had here, with why.
    """
    missing = [name for name in ("php", "dpkg-deb") if shutil.which(name) is None]
    if missing:
        raise SkipTest(f"{', '.join(missing)} not installed")
    FOLDER.mkdir(exist_ok=True)
    here = FOLDER / generation.release
    with (FOLDER / f"{generation.release}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not here.exists():
            unpacked = FOLDER / f"{generation.release}.new"
            shutil.rmtree(unpacked, ignore_errors=True)
            try:
                _unpack(generation, unpacked, here)
            except (OSError, HTTPException, lzma.LZMAError) as error:
                raise SkipTest(f"Composer of {generation.release} cannot be fetched: {error}") from error
            unpacked.rename(here)
    run = subprocess.run([here / "composer", "--version"], capture_output=True, text=True, timeout=TIMEOUT_SECONDS, check=True)
    version = re.search(r"Composer (?:version )?([\d.]+)", run.stdout)
    assert version is not None, run.stdout
    assert version[1].startswith(generation.version), run.stdout
    return here / "composer"


def _unpack(generation: Generation, into: Path, finally_at: Path) -> None:
    known = {fields["Package"]: fields for fields in _index(generation)}
    wanted, chosen = ["composer"], set[str]()
    while wanted:
        name = wanted.pop()
        if name in chosen or name in INSTALLED or name not in known:
            continue
        chosen.add(name)
        needs = re.findall(r"(?:^|[,|])\s*([a-z0-9.+-]+)", known[name].get("Depends", ""))
        wanted += [need for need in needs if need.startswith("php-") or need == "jsonlint"]
    into.mkdir()
    for name in sorted(chosen):
        file = into / "package.deb"
        file.write_bytes(_fetch(f"{generation.archive}/{known[name]['Filename']}"))
        subprocess.run(["dpkg-deb", "-x", file, into], check=True, timeout=TIMEOUT_SECONDS)
        file.unlink()
    classes = f"{finally_at}{CLASSES}"
    for path in (*into.rglob("*.php"), into / "usr/bin/composer"):
        content = path.read_text(encoding="utf-8", errors="surrogateescape")
        # Debian's class loaders name each other by where they are installed.
        moved = re.sub(rf"(?<=['\"]){CLASSES}/", f"{classes}/", content)
        # Composer 1.10.1 is older than PHP 8, which takes the keys of arguments for their names.
        moved = re.sub(r"call_user_func_array\('array_merge', (\$[\w>-]+)\)", r"array_merge(...array_values(\1))", moved)
        if moved != content:
            path.write_text(moved, encoding="utf-8", errors="surrogateescape")
    options = f"-d include_path={classes} -d auto_prepend_file={PRELOADED} -d error_reporting=0"
    command = f"php {options} {finally_at}/usr/bin/composer"
    (into / "composer").write_text(f'#!/bin/sh\nexec {command} "$@"\n')
    (into / "composer").chmod(0o755)


def _index(generation: Generation) -> Iterator[Mapping[str, str]]:
    for component in generation.components:
        url = f"{generation.archive}/dists/{generation.release}/{component}/binary-amd64/Packages.xz"
        for paragraph in lzma.decompress(_fetch(url)).decode().split("\n\n"):
            if paragraph:
                yield dict(re.findall(r"^([A-Za-z-]+): (.*)$", paragraph, re.MULTILINE))


def _fetch(url: str) -> bytes:
    with urllib.request.urlopen(url, timeout=TIMEOUT_SECONDS) as response:
        content: bytes = response.read()
        return content
