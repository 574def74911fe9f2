"""
The rules of Composer's validating loader for the content of a composer.json, with its messages.

Three things are ours: licences are not held against the SPDX list (a warning that changes nothing), dates are those of
ISO 8601 and RFC 2822 and not all that PHP's date parser guesses, and lists stay lists where an element is dropped.
Source: Composer's Package/Loader/ValidatingArrayLoader.php, with strict names.
"""

import re
from collections.abc import Callable, Iterator
from datetime import datetime
from email.utils import parsedate_to_datetime
from typing import Any, Final

import orjson

from packeton.core.composer.constraints import parse_constraints
from packeton.core.composer.manifest_names import package_name_error
from packeton.core.composer.versions import normalize, normalize_branch, parse_numeric_alias_prefix
from packeton.errors import Invalid

__all__ = ["LINK_KINDS", "ManifestCheck"]

LINK_KINDS: Final = ("require", "conflict", "provide", "replace", "require-dev")
STABILITIES: Final = ("stable", "RC", "beta", "alpha", "dev")
AUTOLOADS: Final = ("psr-0", "psr-4", "classmap", "files", "exclude-from-classmap")
SUPPORT_TEXTS: Final = ("issues", "forum", "wiki", "source", "email", "irc", "docs", "rss", "chat")
SUPPORT_URLS: Final = ("issues", "forum", "wiki", "source", "docs", "chat")
TRIMMED = " \n\r\t\v\0"

TYPE = re.compile(r"^[A-Za-z0-9-]+$")
KEYWORD = re.compile(r"^[\w .-]+$")
OPTION = re.compile(r"^\s*-", re.ASCII)
URL = re.compile(r"([a-z]+)://(?:[^/?#]*@)?(?:\[[^\]]*\]|[^/?#:@]+)(?::(\d{0,5}))?(?:[/?#].*)?", re.DOTALL)
ATOM = r"(?:[a-z!#-'*+\-/-9=?^-~]+|\"(?:[^\"\\\n\r\t ]|\\.)*\")"
LABEL = r"[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?"
EMAIL = re.compile(
    rf"(?=.{{1,254}}\Z)(?=[^@]{{1,64}}@){ATOM}(?:\.{ATOM})*@(?:(?:{LABEL}\.)+[a-z][a-z0-9-]{{0,61}}[a-z0-9]|\[[0-9a-f:.]+\])",
    re.ASCII | re.IGNORECASE,
)
KIND_NAMES: Final = {bool: "boolean", int: "integer", float: "double", str: "string", type(None): "NULL"}


def kind_of(value: object) -> str:
    """Return the name that PHP has for the type of a JSON value."""
    return KIND_NAMES.get(type(value), "array")


def is_url(value: str, *schemes: str) -> bool:
    """Say if Composer would take it for a URL of one of *schemes* (http and https by default)."""
    match = URL.fullmatch(value)
    right = match is not None and match[1] in (schemes or ("http", "https")) and int(match[2] or 0) < 65536
    return value == "" or right


def items(value: Any) -> Iterator[tuple[Any, Any]]:
    """Return pairs of a copy of an object or list."""
    return iter(list(value.items() if isinstance(value, dict) else enumerate(value)))


class ManifestCheck:
    """One composer.json under inspection: *document* loses what is wrong, *errors* and *warnings* say why."""

    def __init__(self, document: dict[str, Any]) -> None:
        """Take a document; its top level, and what values are dropped from, are copied."""
        self.document = dict(document)
        self.errors: list[str] = []
        self.warnings: list[str] = []
        self._name = document.get("name")

    def run(self) -> None:
        """Check everything, in Composer's order."""
        self._check_identity()
        self._check_descriptions()
        self._check_authors()
        self._check_support()
        self._check_funding()
        for kind in LINK_KINDS:
            self._check_links(kind)
        self._check_suggest_and_stability()
        self._check_autoload()
        for place in ("source", "dist"):
            self._check_place(place)
        self._check_flat("include-path")
        self._check_array("transport-options")
        self._check_branch_aliases()

    # -- kinds of values

    def _check_string(self, key: str, *, mandatory: bool = False) -> bool:
        value = self.document.get(key)
        if value is not None and not isinstance(value, str):
            self.errors.append(f"{key} : should be a string, {kind_of(value)} given")
        elif value is not None and value.strip(TRIMMED):
            return True
        elif mandatory:
            self.errors.append(f"{key} : must be present")
        self.document.pop(key, None)
        return False

    def _check_array(self, key: str) -> bool:
        value = self.document.get(key)
        if isinstance(value, dict | list) and value:
            self.document[key] = value.copy()
            return True
        if value is not None and not isinstance(value, dict | list):
            self.errors.append(f"{key} : should be an array, {kind_of(value)} given")
        self.document.pop(key, None)
        return False

    def _check_flat(self, key: str, pattern: re.Pattern[str] | None = None, written: str = "") -> None:
        if not self._check_array(key):
            return

        def keep(position: Any, value: Any) -> bool:
            if not isinstance(value, str | int | float) or isinstance(value, bool):
                self.errors.append(f"{key}.{position} : must be a string or int, {kind_of(value)} given")
                return False
            if pattern is not None and not pattern.match(str(value)):
                self.warnings.append(f"{key}.{position} : invalid value ({value}), must match {written}")
                return False
            return True

        self._keep(key, keep)

    def _keep(self, key: str, keep: Callable[[Any, Any], bool]) -> None:
        """Drop the elements that *keep* refuses (it may replace others), and the whole where nothing is left."""
        value = self.document[key]
        kept = [(position, value[position]) for position, element in items(value) if keep(position, element)]
        if kept:
            self.document[key] = dict(kept) if isinstance(value, dict) else [element for _, element in kept]
        else:
            del self.document[key]

    # -- the parts of a manifest

    def _check_identity(self) -> None:
        self._check_string("name", mandatory=True)
        if isinstance(self._name, str) and (error := package_name_error(self._name)):
            self.errors.append(f"name : {error}")
        version = self.document.get("version")
        if isinstance(version, dict | list):
            self._check_string("version")
        elif version is not None:
            text = {True: "1", False: ""}[version] if isinstance(version, bool) else _number_text(version)
            self.document["version"] = text
            if problem := _problem(normalize, text):
                self.errors.append(f"version : invalid value ({text}): {problem}")
                del self.document["version"]
        config = self.document.get("config")
        platform = config.get("platform") if isinstance(config, dict) else None
        if platform is not None:
            self._check_platform(platform if isinstance(platform, dict | list) else [platform])

    def _check_platform(self, platform: Any) -> None:
        for key, value in items(platform):
            if value is False:
                continue
            if not isinstance(value, str):
                shown = (
                    {True: "true", None: "NULL"}.get(value, value) if not isinstance(value, dict | list) else "array"
                )
                self.errors.append(
                    f"config.platform.{key} : invalid value ({kind_of(value)} {shown}): expected string or false"
                )
            elif problem := _problem(normalize, value):
                self.errors.append(f"config.platform.{key} : invalid value ({value}): {problem}")

    def _check_descriptions(self) -> None:
        if self._check_string("type") and not TYPE.match(self.document["type"]):
            kind = self.document.pop("type")
            self.warnings.append(f"type : invalid value ({kind}), must match [A-Za-z0-9-]+")
        self._check_string("target-dir")
        self._check_array("extra")
        if isinstance(self.document.get("bin"), str):
            self._check_string("bin")
        else:
            self._check_flat("bin")
        self._check_array("scripts")
        self._check_string("description")
        if self._check_string("homepage") and not is_url(self.document["homepage"]):
            homepage = self.document.pop("homepage")
            self.warnings.append(f"homepage : invalid value ({homepage}), must be an http/https URL")
        self._check_flat("keywords", KEYWORD, r"[\p{N}\p{L} ._-]+")
        if self._check_string("time") and not _is_date(self.document["time"]):
            self.errors.append(f"time : invalid value ({self.document.pop('time')}): it is not a date")

    def _check_authors(self) -> None:
        if self._check_array("authors"):
            self._keep("authors", self._keep_author)

    def _keep_author(self, key: Any, author: Any) -> bool:
        if not isinstance(author, dict | list):
            self.errors.append(f"authors.{key} : should be an array, {kind_of(author)} given")
            return False
        if isinstance(author, list):
            return bool(author)
        kept = author.copy()
        for name in ("homepage", "email", "name", "role"):
            if kept.get(name) is not None and not isinstance(kept[name], str):
                self.errors.append(f"authors.{key}.{name} : invalid value, must be a string")
                del kept[name]
        self._drop_bad_url(kept, "homepage", f"authors.{key}.homepage")
        if kept.get("email") is not None and not EMAIL.fullmatch(kept["email"]):
            email = kept.pop("email")
            self.warnings.append(f"authors.{key}.email : invalid value ({email}), must be a valid email address")
        self.document["authors"][key] = kept
        return bool(kept)

    def _drop_bad_url(self, holder: dict[str, Any], key: str, path: str) -> None:
        if holder.get(key) is not None and not is_url(holder[key]):
            self.warnings.append(f"{path} : invalid value ({holder.pop(key)}), must be an http/https URL")

    def _check_support(self) -> None:
        if not self._check_array("support") or isinstance(self.document["support"], list):
            return
        support = self.document["support"]
        for key in SUPPORT_TEXTS:
            if support.get(key) is not None and not isinstance(support[key], str):
                self.errors.append(f"support.{key} : invalid value, must be a string")
                del support[key]
        if support.get("email") is not None and not EMAIL.fullmatch(support["email"]):
            email = support.pop("email")
            self.warnings.append(f"support.email : invalid value ({email}), must be a valid email address")
        if support.get("irc") is not None and not is_url(support["irc"], "irc", "ircs"):
            irc = support.pop("irc")
            self.warnings.append(
                f"support.irc : invalid value ({irc}), must be a irc://<server>/<channel> or ircs:// URL"
            )
        for key in SUPPORT_URLS:
            self._drop_bad_url(support, key, f"support.{key}")
        if not support:
            del self.document["support"]

    def _check_funding(self) -> None:
        if self._check_array("funding"):
            self._keep("funding", self._keep_funding)

    def _keep_funding(self, key: Any, option: Any) -> bool:
        if not isinstance(option, dict | list):
            self.errors.append(f"funding.{key} : should be an array, {kind_of(option)} given")
            return False
        if isinstance(option, list):
            return bool(option)
        kept = option.copy()
        for name in ("type", "url"):
            if kept.get(name) is not None and not isinstance(kept[name], str):
                self.errors.append(f"funding.{key}.{name} : invalid value, must be a string")
                del kept[name]
        self._drop_bad_url(kept, "url", f"funding.{key}.url")
        self.document["funding"][key] = kept
        return bool(kept)

    def _check_links(self, kind: str) -> None:
        if not self._check_array(kind):
            return
        links = self.document[kind]
        kept = {}
        left = {str(key) for key, _ in items(links)}
        replaced = self.document.get("replace")
        for key, constraint in items(links):
            package = str(key)
            if self._keep_link(kind, package, constraint):
                kept[package] = constraint
            else:
                left.discard(package)
            if kind == "conflict" and isinstance(replaced, dict) and left & replaced.keys():
                self.errors.append(
                    f"{kind}.{package} : you cannot conflict with a package that is also replaced,"
                    " as replace already creates an implicit conflict rule"
                )
                left.discard(package)
                kept.pop(package, None)
        self.document[kind] = kept

    def _keep_link(self, kind: str, package: str, constraint: Any) -> bool:
        if package.lower() == str(self.document.get("name", "")).lower():
            self.errors.append(f"{kind}.{package} : a package cannot set a {kind} on itself")
            return False
        if error := package_name_error(package, is_link=True):
            self.warnings.append(f"{kind}.{error}")
        if not isinstance(constraint, str):
            self.errors.append(f"{kind}.{package} : invalid value, must be a string containing a version constraint")
            return False
        if constraint != "self.version" and (problem := _problem(parse_constraints, constraint)):
            self.errors.append(f"{kind}.{package} : invalid version constraint ({problem})")
            return False
        return True

    def _check_suggest_and_stability(self) -> None:
        if self._check_array("suggest"):
            for package, reason in items(self.document["suggest"]):
                if not isinstance(reason, str):
                    self.errors.append(
                        f"suggest.{package} : invalid value, must be a string describing why the package is suggested"
                    )
        if self._check_string("minimum-stability"):
            stability = self.document["minimum-stability"]
            if stability.lower() not in STABILITIES and stability != "RC":
                expected = ", ".join(STABILITIES)
                self.errors.append(f"minimum-stability : invalid value ({stability}), must be one of {expected}")

    def _check_autoload(self) -> None:
        if not self._check_array("autoload"):
            return
        autoload = self.document["autoload"]
        for kind, rules in items(autoload):
            if kind not in AUTOLOADS:
                expected = ", ".join(AUTOLOADS)
                self.errors.append(f"autoload : invalid value ({kind}), must be one of {expected}")
            if kind == "psr-4" and isinstance(rules, dict | list):
                for namespace, _ in items(rules):
                    if namespace != "" and not str(namespace).endswith("\\"):
                        self.errors.append(
                            f"autoload.psr-4 : invalid value ({namespace}), namespaces must end with a namespace"
                            f" separator, should be {namespace}\\\\"
                        )
        if "psr-4" in autoload and self.document.get("target-dir") is not None:
            self.errors.append(
                "target-dir : this can not be used together with the autoload.psr-4 setting,"
                " remove target-dir to upgrade to psr-4"
            )

    def _check_place(self, place: str) -> None:
        if not self._check_array(place):
            return
        held = self.document[place] if isinstance(self.document[place], dict) else {}
        for key in ("type", "url", "reference") if place == "source" else ("type", "url"):
            if held.get(key) is None:
                self.errors.append(f"{place}.{key} : must be present")
        for key in ("type", "url"):
            if held.get(key) is not None and not isinstance(held[key], str):
                self.errors.append(f"{place}.{key} : should be a string, {kind_of(held[key])} given")
        reference = held.get("reference")
        if reference is not None and (not isinstance(reference, str | int) or isinstance(reference, bool)):
            self.errors.append(f"{place}.reference : should be a string or int, {kind_of(reference)} given")
        for key in ("reference", "url"):
            if isinstance(held.get(key), str | int) and OPTION.match(str(held[key])):
                self.errors.append(f'{place}.{key} : must not start with a "-", "{held[key]}" given')

    def _check_branch_aliases(self) -> None:
        extra = self.document.get("extra")
        aliases = extra.get("branch-alias") if isinstance(extra, dict) else None
        if aliases is None or not isinstance(extra, dict):
            return
        if not isinstance(aliases, dict | list):
            self.errors.append("extra.branch-alias : must be an array of versions => aliases")
            return
        kept = {}
        for branch, target in items(aliases):
            if problem := _alias_problem(str(branch), target):
                self.warnings.append(f"extra.branch-alias.{branch} : the target branch {problem}")
            else:
                kept[branch] = target
        if len(kept) != len(aliases):
            self.document["extra"] = {**extra, "branch-alias": kept}


def _alias_problem(branch: str, target: Any) -> str | None:
    if not isinstance(target, str):
        return f'({orjson.dumps(target).decode()}) must be a string, "{kind_of(target)}" received.'
    if not target.endswith("-dev"):
        return f"({target}) must end in -dev"
    if not normalize_branch(target[:-4]).endswith("-dev"):
        return f"({target}) must be a parseable number like 2.0-dev"
    ours, theirs = parse_numeric_alias_prefix(branch), parse_numeric_alias_prefix(target)
    if ours and theirs and not theirs.startswith(ours):
        return f"({target}) is not a valid numeric alias for this version"
    return None


def _problem(read: Callable[[str], object], text: str) -> str | None:
    try:
        read(text)
    except Invalid as error:
        return str(error)
    return None


def _number_text(value: float | str) -> str:
    return str(int(value)) if isinstance(value, float) and value.is_integer() else str(value)


def _is_date(text: str) -> bool:
    for read in (datetime.fromisoformat, parsedate_to_datetime):
        try:
            read(text.strip().removesuffix(" UTC"))
        except ValueError:
            continue
        return True
    return False
