"""git LFS: the content behind pointers, from the server of the repository. Source: git-lfs docs/api/batch.md."""

import hashlib
import json
import re
from collections.abc import Mapping, Sequence
from typing import Any
from urllib.parse import quote, urlsplit

import urllib3
from attrs import frozen

from packeton.adapters.vcs.transport import http_pool
from packeton.adapters.vcs.values import Job
from packeton.errors import VcsFailed, VcsReason

__all__ = ["MAX_POINTER_BYTES", "LfsStore", "Pointer", "read_pointer"]

MAX_POINTER_BYTES = 1024
BATCH = 100
MEDIA_TYPE = "application/vnd.git-lfs+json"
POINTER = re.compile(
    rb"version https://git-lfs\.github\.com/spec/v1\n(?:ext-[^\n]*\n)*oid sha256:([0-9a-f]{64})\nsize (\d{1,15})\n?"
)


@frozen
class Pointer:
    """What stands in the repository in place of the content."""

    oid: str
    size: int


def read_pointer(content: bytes) -> Pointer | None:
    """Return the pointer that *content* is; None if it is none."""
    match = POINTER.fullmatch(content) if len(content) <= MAX_POINTER_BYTES else None
    return None if match is None else Pointer(match[1].decode(), int(match[2]))


class LfsStore:
    """The LFS server beside an http(s) repository; pointers that it was asked about before are remembered."""

    def __init__(self, job: Job, max_bytes: int) -> None:
        self._job = job
        self._max_bytes = max_bytes
        self._actions: dict[str, Mapping[str, Any]] = {}
        address = job.address
        host = f"[{address.host}]" if ":" in address.host else address.host
        port = f":{address.port}" if address.port else ""
        path = quote(address.path.rstrip("/").removesuffix(".git"))
        self._endpoint = f"{address.scheme}://{host}{port}{path}.git/info/lfs/objects/batch"

    @property
    def is_reachable(self) -> bool:
        """It can be asked at all: over http(s)."""
        return self._job.address.scheme in {"http", "https"}

    def prepare(self, pointers: Sequence[Pointer]) -> str | None:
        """Ask where the contents are; return why that is not known, None if it is."""
        if not self.is_reachable:
            return "the repository is not reached over https"
        try:
            with http_pool(self._job.network) as pool:
                for start in range(0, len(pointers), BATCH):
                    self._ask(pool, pointers[start : start + BATCH])
        except (urllib3.exceptions.HTTPError, ValueError, KeyError, TypeError, AttributeError) as error:
            return f"the LFS server did not answer as it should ({type(error).__name__})"
        except VcsFailed as error:
            return str(error)
        return None

    def content(self, pointer: Pointer) -> bytes | None:
        """Fetch one content; None if it cannot be had, or is not what the pointer says."""
        action = self._actions.get(pointer.oid)
        if action is None or pointer.size > self._max_bytes:
            return None
        try:
            with http_pool(self._job.network) as pool:
                headers = {str(name): str(value) for name, value in (action.get("header") or {}).items()}
                url = str(action["href"])
                if urlsplit(url).netloc == urlsplit(self._endpoint).netloc and "Authorization" not in headers:
                    headers |= dict(self._job.access.login_fields)
                answer = pool.request("GET", url, headers=headers, preload_content=False)
                try:
                    data: bytes = answer.read(pointer.size + 1) if answer.status == 200 else b""
                finally:
                    answer.release_conn()
        except (urllib3.exceptions.HTTPError, ValueError, KeyError):
            return None
        whole = len(data) == pointer.size and hashlib.sha256(data).hexdigest() == pointer.oid
        return data if whole else None

    def _ask(self, pool: urllib3.PoolManager, pointers: Sequence[Pointer]) -> None:
        body = {
            "operation": "download",
            "transfers": ["basic"],
            "objects": [{"oid": pointer.oid, "size": pointer.size} for pointer in pointers],
        }
        headers = {"Accept": MEDIA_TYPE, "Content-Type": MEDIA_TYPE, **dict(self._job.access.login_fields)}
        answer = pool.request("POST", self._endpoint, body=json.dumps(body), headers=headers, redirect=False)
        if answer.status != 200:
            raise VcsFailed(f"the LFS server answers with {answer.status}", reason=VcsReason.OTHER)
        for item in json.loads(answer.data)["objects"]:
            action = (item.get("actions") or {}).get("download")
            if action is not None and str(action["href"]).startswith(("https://", f"{self._job.address.scheme}://")):
                self._actions[item["oid"]] = action
