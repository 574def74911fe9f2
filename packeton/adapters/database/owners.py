"""Names of processes that hold locks and do jobs, and whether one of them is gone."""

import os
import socket
from contextlib import suppress
from pathlib import Path

__all__ = ["is_gone", "owner_name"]


def owner_name(token: str) -> str:
    """Return the name of this process: host, process number, and *token*, which no other has."""
    return f"{_host()}:{os.getpid()}:{token}"


def is_gone(name: str) -> bool:
    """Say if the process that *name* names was on our host and is not there any more; False where we cannot know."""
    host, _, rest = name.partition(":")
    number = rest.partition(":")[0]
    if host != _host() or not number.isdigit() or int(number) == os.getpid():
        return False
    try:
        os.kill(int(number), 0)
    except ProcessLookupError:
        return True
    except PermissionError:
        return False
    return False


def _host() -> str:
    """Return what tells apart everything in which a process number means something: containers share names of hosts."""
    space = ""
    with suppress(OSError):
        space = f"/{Path('/proc/self/ns/pid').stat().st_ino}"
    return socket.gethostname()[:60] + space
