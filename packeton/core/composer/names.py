"""Package names, as they come in URLs."""

import re

from attrs import frozen

from packeton.errors import NotFound

__all__ = ["PackageName"]

PART = r"[a-z0-9](?:[a-z0-9_.@-]{0,98}[a-z0-9_])?"
NAME = re.compile(rf"({PART})/({PART})")


@frozen
class PackageName:
    """
    A lower-case `vendor/name`.

    Wider than Composer's own grammar, because upstreams publish names that Composer would refuse today, but never a
    path: no `..` segment, no upper case, no `~`, two parts.
    Source: Composer's ValidatingArrayLoader; p2 paths are lower-cased by the client.
    """

    vendor: str
    name: str

    @classmethod
    def parse(cls, text: str) -> "PackageName":
        """Read `vendor/name`. Raises NotFound: nothing can be published under another form."""
        match = NAME.fullmatch(text)
        if match is None or ".." in text:
            raise NotFound("no such package")
        return cls(match[1], match[2])

    def __str__(self) -> str:
        return f"{self.vendor}/{self.name}"
