"""Options of the reference system that are known here and do not work yet: refused, never ignored."""

from collections.abc import Callable, Mapping
from typing import Any, Final

from packeton.errors import ConfigurationInvalid

__all__ = ["ACCEPTED", "UNBUILT", "refuse_unbuilt"]

UNBUILT: Final[dict[str, tuple[Any, ...]]] = {
    # path ("*" is any name) → the values that ask for nothing
    "packeton.integrations": (None, {}, []),
}
ACCEPTED: Final = frozenset(
    {"packeton.mirrors.*.without_path_prefix", "packeton.mirrors.*.chain_providers"}
)
"""Accepted and unused, as in the reference."""
LOGINS: Final = ("GITHUB", "GITLAB", "GITEA", "BITBUCKET", "GOOGLE")
VARIABLES: Final[dict[str, tuple[Callable[[str], bool], str]]] = {
    # variable → whether a value asks for nothing, what is wrong with others
    "STORAGE_SOURCE": (lambda value: value == "local", "only local is supported yet: files are kept in directories"),
    "COMPOSER_REQUIRE": (lambda _: False, "PHP packages cannot be installed here"),
    **{f"OAUTH_{name}_CLIENT_ID": (lambda _: False, "integrations are not supported yet") for name in LOGINS},
}


def refuse_unbuilt(environment: Mapping[str, str]) -> None:
    """Raises ConfigurationInvalid when a variable of the reference asks for what does not work yet."""
    for name, (asks_for_nothing, message) in VARIABLES.items():
        value = environment.get(name)
        if value and not asks_for_nothing(value):
            raise ConfigurationInvalid(f"environment {name}: {message}")
