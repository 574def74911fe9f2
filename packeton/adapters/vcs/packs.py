"""What git servers send: packs of objects, taken in through `git index-pack` where there is git, else by dulwich."""

import os
import shutil
import subprocess
import tempfile
from abc import ABC, abstractmethod
from contextlib import suppress
from pathlib import Path
from typing import IO, Any, Self

from dulwich.object_store import DiskObjectStore

from packeton.errors import VcsFailed, VcsReason

__all__ = ["PackSink", "pack_sink", "put_together", "remove_leftovers"]

LEFTOVERS = (
    "objects/tmp_pack_*", "objects/tmp_obj_*", "objects/pack/tmp_*", "objects/pack/.tmp-*", "objects/pack/*.lock",
    "packed-refs.*",
)  # fmt: skip


class PackSink(ABC):
    """Takes one pack. Nothing of it can be seen before `commit`; use it as a context manager."""

    def __init__(self, max_bytes: int) -> None:
        self._left = max_bytes
        self.is_empty = True

    def write(self, data: bytes) -> int:
        """
        Take a part.

        Raises:
            VcsFailed: It would be more than is allowed.
        """
        self._left -= len(data)
        self.is_empty = False
        if self._left < 0:
            raise VcsFailed("the repository is larger than the settings allow", reason=VcsReason.TOO_LARGE)
        self._write(data)
        return len(data)

    @abstractmethod
    def _write(self, data: bytes) -> None: ...

    @abstractmethod
    def commit(self) -> None:
        """Check the pack and let its objects be seen."""

    @abstractmethod
    def close(self) -> None:
        """Drop what was not committed."""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def pack_sink(mirror: Path, store: DiskObjectStore, max_bytes: int) -> PackSink:
    """Return the quickest way there is to take a pack into the bare repository *mirror*."""
    git = shutil.which("git")
    return _IndexPack(git, mirror, max_bytes) if git is not None else _Dulwich(store, mirror, max_bytes)


class _IndexPack(PackSink):
    """git indexes while it comes in: four times as quick as dulwich."""

    def __init__(self, git: str, mirror: Path, max_bytes: int) -> None:
        super().__init__(max_bytes)
        options = ["-c", "core.deltaBaseCacheLimit=64m", "-c", "pack.threads=2"]
        command = [git, *options, "index-pack", "--stdin", "--fix-thin"]
        self._process: subprocess.Popen[bytes] = subprocess.Popen(  # noqa: S603 - fixed arguments
            command, env=_environment(mirror), cwd=mirror,
            stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE,
        )  # fmt: skip

    def _write(self, data: bytes) -> None:
        assert self._process.stdin is not None
        try:
            self._process.stdin.write(data)
        except BrokenPipeError:
            self._failed()

    def commit(self) -> None:
        """Wait for git to be content."""
        assert self._process.stdin is not None
        try:
            self._process.stdin.close()
        except BrokenPipeError:
            self._failed()
        if self._process.wait() != 0:
            self._failed()

    def close(self) -> None:
        """End git if it still runs."""
        for pipe in (self._process.stdin, self._process.stderr):
            if pipe is not None:
                with suppress(BrokenPipeError):
                    pipe.close()
        if self._process.poll() is None:
            self._process.kill()
            self._process.wait()

    def _failed(self) -> None:
        assert self._process.stderr is not None
        said = self._process.stderr.read(2000).decode(errors="replace").strip()
        raise VcsFailed(f"what the server sent is no whole pack ({said or 'git gave up'})", reason=VcsReason.DAMAGED)


class _Dulwich(PackSink):
    """Without git: into a file first, then indexed in Python."""

    def __init__(self, store: DiskObjectStore, mirror: Path, max_bytes: int) -> None:
        super().__init__(max_bytes)
        self._store = store
        self._file: IO[bytes] = tempfile.TemporaryFile(dir=mirror / "objects", prefix="tmp_pack_")  # noqa: SIM115

    def _write(self, data: bytes) -> None:
        self._file.write(data)

    def commit(self) -> None:
        """Index and check it."""
        self._file.seek(0)
        try:
            self._store.add_thin_pack(self._file.read, None)
        except MemoryError:
            raise
        except Exception as error:  # dulwich raises what its parsers happen to
            kind = type(error).__name__
            raise VcsFailed(f"what the server sent is no whole pack ({kind})", reason=VcsReason.DAMAGED) from error

    def close(self) -> None:
        """Drop the file."""
        self._file.close()


def put_together(mirror: Path) -> bool:
    """
    Put many small packs into few, keeping what no ref leads to; call it only while nobody writes to *mirror*.

    Returns:
        False where there is no git, or it did not manage.
    """
    git = shutil.which("git")
    if git is None:
        return False
    command = [git, "-c", "pack.threads=1", "repack", "--geometric=2", "-d", "-q"]
    done = subprocess.run(  # noqa: S603 - fixed arguments
        command, env=_environment(mirror), cwd=mirror, stdin=subprocess.DEVNULL, capture_output=True, check=False
    )
    return done.returncode == 0


def _environment(mirror: Path) -> dict[str, str]:
    """Return an environment in which git reads no configuration but the copy's own, which is ours."""
    return {
        "PATH": os.environ.get("PATH", os.defpath),
        "GIT_DIR": str(mirror),
        "GIT_CONFIG_NOSYSTEM": "1",
        "GIT_CONFIG_GLOBAL": os.devnull,
    }


def remove_leftovers(mirror: Path) -> None:
    """Remove what a killed child left in *mirror*; call it only while nobody writes to it."""
    found: list[Any] = [path for pattern in LEFTOVERS for path in mirror.glob(pattern)]
    found += [pack for pack in mirror.glob("objects/pack/*.pack") if not pack.with_suffix(".idx").exists()]
    for path in found:
        path.unlink(missing_ok=True)
