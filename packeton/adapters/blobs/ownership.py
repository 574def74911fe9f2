"""One server a data directory, or several that share a database server too; never one that does not know of others."""

import fcntl
import os
from pathlib import Path

from packeton.errors import ConfigurationInvalid

__all__ = ["DataDirectory"]


class DataDirectory:
    """The directory of everything that is kept; `claim` it before writing, `release` it at the end."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._lock: int | None = None

    def prepare(self) -> None:
        """Make the directory. Raises ConfigurationInvalid when it cannot be made or read."""
        try:
            self.path.mkdir(parents=True, exist_ok=True)
            next(self.path.iterdir(), None)
        except OSError as error:
            raise ConfigurationInvalid(f"packeton.data: {self.path}: {error.strerror}") from error

    def claim(self, *, shared: bool = False) -> None:
        """
        Take the directory for this process; the kernel gives it back when the process ends, however.

        Args:
            shared: Other servers may have it too, which share it as well.

        Raises:
            ConfigurationInvalid: another process has it.
        """
        self.prepare()
        if self._lock is not None:
            return
        try:
            lock = os.open(self.path / "lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o640)
        except OSError:  # read-only: nobody can write, so nobody can be disturbed
            return
        try:
            fcntl.flock(lock, (fcntl.LOCK_SH if shared else fcntl.LOCK_EX) | fcntl.LOCK_NB)
        except OSError as error:
            os.close(lock)
            raise ConfigurationInvalid(f"packeton.data: {self.path} is in use by another packeton") from error
        self._lock = lock

    def release(self) -> None:
        """Give it back."""
        if self._lock is not None:
            os.close(self._lock)
            self._lock = None
