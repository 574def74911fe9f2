"""Where the archives of each type of package come from."""

import shutil
import zipfile
from pathlib import Path
from typing import Any

import orjson
from attrs import define

from packeton.core.composer.sources import dist_reference
from packeton.errors import NotFound, StorageFailed
from packeton.features.packages.accesses import Accesses
from packeton.features.packages.archives import Order, holder_of
from packeton.interfaces.archives import IFileStore, IUploadRecords
from packeton.interfaces.clocks import InThread
from packeton.interfaces.packages import IVersionRecords, Package
from packeton.interfaces.vcs import ArchiveOrder, ICheckouts

__all__ = ["DefinitionBuilder", "UploadBuilder", "VcsBuilder"]

SOME_DAY = (2020, 1, 1, 0, 0, 0)
"""The date of files that are made here, so that the same version is the same bytes."""


@define
class VcsBuilder:
    """Archives of commits, made by a child process out of our own checkout."""

    _checkouts: ICheckouts
    _accesses: Accesses

    async def build(self, order: Order, destination: Path) -> None:
        """Write the archive of the commit. Raises NotFound: there is no such commit; VcsFailed."""
        package, known = order.package, order.known
        reference = order.reference if known is None or known.source is None else known.source
        if dist_reference(reference) != order.reference:
            raise NotFound("there is no such reference")
        directory = package.directory if known is None else known.directory
        wanted = ArchiveOrder(reference=reference, sub_directory=directory, format=order.format)
        await self._checkouts.archive(await self._accesses.of(package), wanted, destination, _ignore)


@define
class UploadBuilder:
    """Archives that were uploaded, or that lie in a directory of the server: copied as they are."""

    _uploads: IUploadRecords
    _store: IFileStore
    _versions: IVersionRecords
    _in_thread: InThread

    async def build(self, order: Order, destination: Path) -> None:
        """Copy the file. Raises NotFound: it is not there any more; StorageFailed."""
        upload = await self._uploads.by_reference(order.reference)
        if upload is not None:
            source = self._store.path(upload.filename)
        else:
            source = await self._scanned(order)
        await self._in_thread(_copied, source, destination)

    async def _scanned(self, order: Order) -> Path:
        held = await holder_of(order.known, self._versions)
        if held is None or not held.ref.startswith(FILE_REF) or held.reference is None:
            raise NotFound("the uploaded archive is not there any more")
        return Path(held.reference)


FILE_REF = "file:"
"""What refs of archives begin with that lie in a directory of the server; the source's reference is their path."""


@define
class DefinitionBuilder:
    """A zip that holds nothing but composer.json, for packages of type virtual."""

    _versions: IVersionRecords
    _in_thread: InThread

    async def build(self, order: Order, destination: Path) -> None:
        """Write the zip. Raises NotFound: the version is not there any more."""
        held = await holder_of(order.known, self._versions)
        if held is None:
            raise NotFound("the version is not there any more")
        await self._in_thread(_write_definition, order.package, orjson.loads(held.document), destination)


NOT_IN_MANIFEST = frozenset({"version_normalized", "dist", "source", "time", "uid", "default-branch"})


def _write_definition(package: Package, version: dict[str, Any], destination: Path) -> None:
    manifest = {key: value for key, value in version.items() if key not in NOT_IN_MANIFEST}
    content = orjson.dumps({**manifest, "name": package.name}, option=orjson.OPT_INDENT_2) + b"\n"
    entry = zipfile.ZipInfo("composer.json", SOME_DAY)
    entry.compress_type, entry.create_system, entry.external_attr = zipfile.ZIP_DEFLATED, 3, 0o100644 << 16
    try:
        with zipfile.ZipFile(destination, "x") as archive:
            archive.writestr(entry, content)
    except OSError as error:
        raise StorageFailed(f"cannot write an archive: {error.strerror}") from error


def _copied(source: Path, destination: Path) -> None:
    try:
        shutil.copyfile(source, destination)
    except FileNotFoundError:
        raise NotFound("the archive's file is not there any more") from None
    except OSError as error:
        raise StorageFailed(f"cannot copy an archive: {error.strerror}") from error


def _ignore(line: str) -> None:
    """Take a line of a log that nobody reads."""
