"""The installation's secret: from the settings, or made once and kept in the data directory."""

import os
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path

from packeton.core.access.keys import derived_key
from packeton.core.access.sealing import Sealer
from packeton.errors import StorageFailed

__all__ = ["InstallationKeys"]


class InstallationKeys:
    """
    A `Keys`, with a `Sealer` and, in `former`, the `FormerKeys` of the *previous* secrets.

    The secret is read, or made, when the first key is asked for: one tiny file.
    """

    def __init__(
        self, given: str | None, file: Path, new_secret: Callable[[], str], previous: Sequence[str] = ()
    ) -> None:
        self._given = given
        self._previous = tuple(previous)
        self._file = file
        self._new_secret = new_secret
        self._keys: dict[str, bytes] = {}

    def __call__(self, purpose: str) -> bytes:
        """Return the key for *purpose*. Raises StorageFailed."""
        if purpose not in self._keys:
            self._keys[purpose] = derived_key(self.secret().encode(), purpose)
        return self._keys[purpose]

    def former(self, purpose: str) -> Sequence[bytes]:
        """Return the keys for *purpose* that followed from previous secrets."""
        return [derived_key(secret.encode(), purpose) for secret in self._previous]

    def sealer(self) -> Sealer:
        """Return what seals with the secret, and opens with previous ones too. Raises StorageFailed."""
        return Sealer([self.secret(), *self._previous], os.urandom)

    def secret(self) -> str:
        """Return the secret itself, which only sealing needs. Raises StorageFailed."""
        if self._given is None:
            try:
                self._given = self._kept()
            except OSError as error:
                raise StorageFailed(f"the installation's secret cannot be read: {error.strerror}") from error
            if not self._given:
                raise StorageFailed("the installation's secret is empty")
        return self._given

    def _kept(self) -> str:
        """Read the file; without one make it, whole or not at all, readable by nobody else."""
        with suppress(FileNotFoundError):
            return self._file.read_text().strip()
        draft = self._file.with_name(f"{self._file.name}.{os.getpid()}")
        descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
        try:
            os.write(descriptor, self._new_secret().encode())
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
        with suppress(FileExistsError):  # another process was first: its secret holds
            os.link(draft, self._file)
        draft.unlink()
        return self._file.read_text().strip()
