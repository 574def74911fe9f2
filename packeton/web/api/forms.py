"""JSON documents of users and groups → values; what is wrong is collected by field."""

from collections.abc import Callable, Mapping
from typing import Any

from attrs import define, field

from packeton.core.access.accounts import AclLine
from packeton.core.access.days import parse_day
from packeton.core.access.patterns import checked_line
from packeton.errors import Invalid, InvalidFields

__all__ = ["Form", "acl_lines", "day", "flag", "numbers", "text", "texts"]

MAX_ID = 2**31

Read = Callable[[Any], Any]


@define
class Form:
    """A posted document; take each field once, then `check`."""

    document: Mapping[str, Any]
    wrong: dict[str, str] = field(factory=dict, init=False)
    _taken: set[str] = field(factory=set, init=False)

    def has(self, name: str) -> bool:
        """Say if the field was sent."""
        return name in self.document

    def take(self, name: str, read: Read, default: Any = None) -> Any:
        """Return the field's value, read; *default* when it was not sent, or cannot be used."""
        self._taken.add(name)
        if name not in self.document:
            return default
        try:
            return read(self.document[name])
        except Invalid as error:
            self.wrong[name] = str(error)
            return default

    def ignore(self, name: str) -> None:
        """Let a field be sent that does nothing."""
        self._taken.add(name)

    def check(self) -> None:
        """Raise InvalidFields when something could not be used, or nobody took it."""
        unknown = {str(name)[:60]: "there is no such field" for name in self.document if name not in self._taken}
        if self.wrong or unknown:
            raise InvalidFields({**unknown, **self.wrong})


def text(value: Any) -> str:
    """Read text."""
    if not isinstance(value, str):
        raise Invalid("must be text")
    return value


def flag(value: Any) -> bool:
    """Read a switch, also as forms send one."""
    if value in (True, 1, "1", "true"):
        return True
    if value in (False, 0, "0", "false", "", None):
        return False
    raise Invalid("must be true or false")


def day(value: Any) -> Any:
    """Read a day; null or nothing clears it."""
    return None if value is None or value == "" else parse_day(text(value))


def numbers(value: Any) -> tuple[int, ...]:
    """Read a list of ids, each once, in order."""
    if not isinstance(value, list) or not all(type(one) is int and 0 <= one < MAX_ID for one in value):
        raise Invalid("must be a list of ids")
    return tuple(dict.fromkeys(value))


def texts(value: Any) -> tuple[str, ...]:
    """Read a list of texts, each once, in order; null is none."""
    if value is None:
        return ()
    if not isinstance(value, list) or not all(isinstance(one, str) for one in value):
        raise Invalid("must be a list of texts")
    return tuple(dict.fromkeys(value))


def acl_lines(value: Any) -> tuple[AclLine, ...]:
    """Read lines of a group: names, or objects of `name`, `version` and `minStability`."""
    if not isinstance(value, list):
        raise Invalid("must be a list")
    return tuple(_acl_line(one) for one in value)


def _acl_line(value: Any) -> AclLine:
    if isinstance(value, str):
        return checked_line(value)
    known = {"name", "version", "minStability"}
    if not isinstance(value, dict) or not isinstance(value.get("name"), str) or set(value) - known:
        raise Invalid('must hold names or objects {"name": …, "version": …, "minStability": …}')
    version, stability = value.get("version"), value.get("minStability")
    if not isinstance(version, str | None) or not isinstance(stability, str | None):
        raise Invalid("a version constraint and a stability are text")
    return checked_line(value["name"], version, stability)
