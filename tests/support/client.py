"""A plain HTTP client that tells the truth about what came over the wire."""

import http.client
from typing import Any
from urllib.parse import urlsplit

from attrs import field, frozen

__all__ = ["Answer", "fetch"]


@frozen(kw_only=True)
class Answer:
    """One answer; `complete` is False when the connection ended inside the body."""

    status: int
    headers: dict[str, str]
    body: bytes = field(repr=False)
    complete: bool

    def json(self) -> Any:
        import json

        return json.loads(self.body)


def fetch(url: str, method: str = "GET", headers: dict[str, str] | None = None, body: bytes | None = None,
          *, path: str | None = None, timeout: float = 60) -> Answer:  # fmt: skip
    """Send one request as it stands (no redirects, no decoding); *path* goes out unquoted."""
    parts = urlsplit(url)
    connection = http.client.HTTPConnection(parts.hostname or "", parts.port, timeout=timeout)
    try:
        target = path or (parts.path + (f"?{parts.query}" if parts.query else "")) or "/"
        connection.request(method, target, body=body, headers=headers or {})
        response = connection.getresponse()
        try:
            content, complete = response.read(), True
        except http.client.IncompleteRead as error:
            content, complete = error.partial, False
        except ConnectionResetError:
            content, complete = b"", False
        fields: dict[str, str] = {}
        for name, value in response.getheaders():
            key = name.lower()
            fields[key] = f"{fields[key]}\n{value}" if key == "set-cookie" and key in fields else value
        return Answer(status=response.status, headers=fields, body=content, complete=complete)
    finally:
        connection.close()
