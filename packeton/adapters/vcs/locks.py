"""One writer for each checkout, across processes."""

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

__all__ = ["exclusive"]


@contextmanager
def exclusive(file: Path) -> Iterator[None]:
    """Wait until nobody else holds *file*, and hold it; a killed process lets go by itself."""
    file.parent.mkdir(parents=True, exist_ok=True)
    while True:
        with file.open("ab") as held:
            fcntl.flock(held, fcntl.LOCK_EX)
            if _is_still(file, held.fileno()):  # who held it before us may have removed it
                yield
                return


def _is_still(file: Path, descriptor: int) -> bool:
    try:
        return os.path.samestat(os.fstat(descriptor), file.stat())
    except FileNotFoundError:
        return False
