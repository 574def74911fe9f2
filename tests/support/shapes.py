"""Small Composer repositories of every shape, as a map from path to content: the same packages in each."""

import json
from collections.abc import Callable, Mapping
from hashlib import sha1, sha256
from typing import Any

from tests.support.origin import make_zip

__all__ = ["PACKAGES", "SHAPES", "Versions", "make_shape", "versions_of_all", "zips"]

Versions = dict[str, list[dict[str, Any]]]

PACKAGES = {
    "acme/front": [("1.1.0", "1.1.0.0", "b"), ("1.0.0", "1.0.0.0", "a"), ("dev-master", "dev-master", "c")],
    "acme/lib": [("v2.0.0", "2.0.0.0", "d"), ("2.0.1", "2.0.1.0", "d"), ("dev-feature/x", "dev-feature/x", "e")],
    "acme/null": [("1.0.0", "1.0.0.0", None)],
}
"""Pretty version, normalised version, and the letter of which the reference consists; two versions share a commit."""


def zips() -> dict[str, bytes]:
    """Return the zips by path; one for a package and commit."""
    return {
        f"/zips/{name}/{letter or 'none'}.zip": make_zip(name, f"{name}{letter}", 900)
        for name, versions in PACKAGES.items()
        for _, _, letter in versions
    }


def versions_of_all(base: str, *, first: bool = False) -> Versions:
    """
    Return all versions in full.

    Args:
        base: Address of the origin.
        first: As in documents for Composer 1: with uids, and with its name for the default branch.
    """
    uid = 0
    found: Versions = {}
    for name, versions in PACKAGES.items():
        for pretty, normalized, letter in versions:
            uid += 1
            reference = None if letter is None else letter * 40
            version: dict[str, Any] = {
                "name": name,
                "version": pretty,
                "version_normalized": normalized,
                "type": "library",
                "require": {"php": ">=5.3", **({"acme/lib": "^2.0"} if name == "acme/front" else {})},
                "dist": {
                    "type": "zip",
                    "url": f"{base}/zips/{name}/{letter or 'none'}.zip",
                    "reference": reference,
                    "shasum": "",
                },
                "odd": {"kept": [1, True, {"deep": pretty}]},
            }
            if reference is not None:
                url = f"https://git.invalid/{name}.git"
                version["source"] = {"type": "git", "url": url, "reference": reference}
            if first:
                version["uid"] = uid
                if normalized == "dev-master":
                    version["version_normalized"] = "9999999-dev"
            found.setdefault(name, []).append(version)
    return found


def dumped(document: object) -> bytes:
    return json.dumps(document, separators=(",", ":")).encode()


def second(base: str) -> dict[str, bytes]:
    """The documents of Composer 2."""
    files = {}
    for name, versions in versions_of_all(base).items():
        for suffix, dev in (("", False), ("~dev", True)):
            chosen = [version for version in versions if version["version"].startswith("dev-") is dev]
            files[f"/p2/{name}{suffix}.json"] = dumped({"packages": {name: chosen}, "security-advisories": []})
    return files


def by_version(versions: list[dict[str, Any]]) -> dict[str, Any]:
    return {version["version"]: version for version in versions}


def lazily(base: str) -> dict[str, bytes]:
    """One document a package."""
    old = versions_of_all(base, first=True)
    return {f"/v1/{name}.json": dumped({"packages": {name: by_version(old[name])}}) for name in old}


def listed(base: str) -> tuple[dict[str, bytes], dict[str, Any]]:
    """Documents by their hash, and two lists of them; the second list hangs on the first."""
    files: dict[str, bytes] = {}
    providers = {}
    for path, content in lazily(base).items():
        name, digest = path.removeprefix("/v1/").removesuffix(".json"), sha256(content).hexdigest()
        files[f"/v1/{name}${digest}.json"] = content
        providers[name] = {"sha256": digest}
    inner = dumped({"providers": {"acme/null": providers.pop("acme/null")}})
    digest = sha256(inner).hexdigest()
    files[f"/repo/p/inner${digest}.json"] = inner
    outer = dumped({"providers": providers, "provider-includes": {"p/inner$%hash%.json": {"sha256": digest}}})
    digest = sha256(outer).hexdigest()
    files[f"/repo/p/outer${digest}.json"] = outer
    return files, {"p/outer$%hash%.json": {"sha256": digest}}


def v2(base: str) -> tuple[dict[str, bytes], dict[str, Any]]:
    return second(base), {"packages": [], "metadata-url": "/p2/%package%.json"}


def relative(base: str) -> tuple[dict[str, bytes], dict[str, Any]]:
    files = {path.replace("/p2/", "/repo/p2/"): content for path, content in second(base).items()}
    return files, {"packages": {}, "metadata-url": "p2/%package%.json"}


def available(base: str) -> tuple[dict[str, bytes], dict[str, Any]]:
    names = ["Acme/Front", "acme/lib", "acme/null"]
    return second(base), {"metadata-url": f"{base}/p2/%package%.json", "available-packages": names}


def patterns(base: str) -> tuple[dict[str, bytes], dict[str, Any]]:
    files, root = v2(base)
    return files, {**root, "available-package-patterns": ["acme/*"]}


def partial(base: str) -> tuple[dict[str, bytes], dict[str, Any]]:
    files, root = v2(base)
    files = {path: content for path, content in files.items() if "acme/lib" not in path}
    return files, {**root, "packages": {"acme/lib": by_version(versions_of_all(base)["acme/lib"])}}


def mirrored(base: str) -> tuple[dict[str, bytes], dict[str, Any]]:
    files, root = v2(base)
    for path, content in zips().items():
        name, letter = path.removeprefix("/zips/").removesuffix(".zip").rsplit("/", 1)
        files[f"/cdn/{name}/{letter * 40}.zip"] = content
    return files, {**root, "mirrors": [{"dist-url": "/cdn/%package%/%reference%.%type%", "preferred": True}]}


def v1(base: str) -> tuple[dict[str, bytes], dict[str, Any]]:
    files, includes = listed(base)
    return files, {"packages": [], "providers-url": "/v1/%package%$%hash%.json", "provider-includes": includes}


def lazy(base: str) -> tuple[dict[str, bytes], dict[str, Any]]:
    return lazily(base), {"packages": [], "providers-lazy-url": "/v1/%package%.json"}


def classic(base: str) -> tuple[dict[str, bytes], dict[str, Any]]:
    files, root = v1(base)
    return {**files, **second(base)}, {**root, "metadata-url": "/p2/%package%.json"}


def satis(base: str) -> tuple[dict[str, bytes], dict[str, Any]]:
    old = versions_of_all(base, first=True)
    content = dumped({"packages": {name: by_version(versions) for name, versions in old.items()}})
    digest = sha1(content).hexdigest()
    return (
        {f"/repo/include/all${digest}.json": content},
        {"packages": [], "includes": {f"include/all${digest}.json": {"sha1": digest}}},
    )


def inline(base: str) -> tuple[dict[str, bytes], dict[str, Any]]:
    packages: dict[str, object] = {}
    for name, versions in versions_of_all(base, first=True).items():
        plain = [{key: value for key, value in version.items() if key != "uid"} for version in versions]
        packages[name] = plain if name == "acme/lib" else by_version(plain)  # lists are read as well
    return {}, {"packages": packages}


SHAPES: Mapping[str, Callable[[str], tuple[dict[str, bytes], dict[str, Any]]]] = {
    "v2": v2,
    "relative": relative,
    "available": available,
    "patterns": patterns,
    "partial": partial,
    "mirrored": mirrored,
    "v1": v1,
    "lazy": lazy,
    "classic": classic,
    "satis": satis,
    "inline": inline,
}


def make_shape(shape: str, base: str) -> dict[str, bytes]:
    """Return all files of a repository of this shape at `<base>/repo`, with its zips."""
    files, root = SHAPES[shape](base)
    return {**zips(), **files, "/repo/packages.json": dumped({**root, "novelty": {"shape": shape}})}
