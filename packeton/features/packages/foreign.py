"""What a package of type proxy needs of somebody else's Composer repository: versions, dists, security advisories."""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import IO, Any

from attrs import define
from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IPushProducer
from twisted.python.failure import Failure
from zope.interface import implementer

from packeton.core.composer.advisories import FORM, Advisory, question_about, read_advisories
from packeton.core.composer.metadata import JsonObject
from packeton.core.composer.roots import Resource, Root, root_url
from packeton.errors import Invalid, NotFound, StorageFailed, UpstreamFailed, UpstreamRefused
from packeton.features.caching.bodies import read_body
from packeton.features.packages.foreign_reading import ForeignReader
from packeton.interfaces.clocks import InThread
from packeton.interfaces.upstream import IBodyReceiver, IHttpClient, UpstreamLimits, UpstreamRequest

__all__ = ["MIRROR", "ClientFor", "ForeignRepositories"]

MIRROR = "mirror:"
"""What the address of a package begins with that comes from one of our mirrors."""

ClientFor = Callable[[str, Mapping[str, Any]], IHttpClient]
"""Gives a client for a repository's address and the content of an auth.json."""
MirrorVersions = Callable[[str, str], Awaitable[Sequence[JsonObject]]]
"""Gives all versions that a mirror (by its alias) has of a package. Raises NotFound, UpstreamFailed."""
MirrorAdvisories = Callable[[str, str], Awaitable[bytes]]
"""Gives what a mirror's upstream answers about the advisories of a package. Raises NotFound, UpstreamFailed."""


@define
class ForeignRepositories:
    """Reads repositories of others, each with its own credential."""

    _client_for: ClientFor
    _mirror_versions: MirrorVersions
    _mirror_advisories: MirrorAdvisories
    _limits: UpstreamLimits
    _dist_limits: UpstreamLimits
    _in_thread: InThread

    async def versions(self, url: str, auth: Mapping[str, Any], name: str) -> Sequence[JsonObject]:
        """
        Return all versions of a package, stable ones and branches.

        Raises:
            NotFound: The repository has no such package.
            UpstreamFailed: It does not answer as a repository does.
        """
        if url.startswith(MIRROR):
            return await self._mirror_versions(url.removeprefix(MIRROR), name)
        return await (await self.reader(url, auth)).versions(name)

    async def advisories(self, url: str, auth: Mapping[str, Any], name: str) -> Sequence[Advisory]:
        """
        Return what a repository knows of security holes in a package; nothing where it tells of none at all.

        Raises:
            UpstreamFailed: It does not answer.
        """
        if url.startswith(MIRROR):
            try:
                content = await self._mirror_advisories(url.removeprefix(MIRROR), name)
            except NotFound:
                return ()
        else:
            address = (await self.reader(url, auth)).root.template(Resource.ADVISORIES)
            if address is None:
                return ()
            headers, body = (("Content-Type", FORM), ("Accept", "application/json")), question_about([name])
            client = self._client_for(url, auth)
            response = await client.request(
                UpstreamRequest(method="POST", url=address, headers=headers, body=body, limits=self._limits)
            )
            if response.status != 200:
                response.abort()
                raise UpstreamFailed(f"{address} answered {response.status}")
            content = await read_body(response, self._limits.max_body_bytes)
        found = await self._in_thread(read_advisories, content)
        return [one for one in found if one.package == name]

    async def download(self, url: str, auth: Mapping[str, Any], address: str, destination: Path) -> None:
        """
        Write the file at *address* to *destination*, which does not exist yet.

        Raises:
            UpstreamFailed: It cannot be had.
            StorageFailed: It cannot be written.
        """
        if not address.startswith(("http://", "https://")):
            raise Invalid("the dist has no address on the web")
        client = self._client_for(address if url.startswith(MIRROR) else url, auth)
        response = await client.request(UpstreamRequest(url=address, limits=self._dist_limits))
        if response.status != 200:
            response.abort()
            raise UpstreamFailed(f"{address} answered {response.status}")
        file = await self._in_thread(_created, destination)
        receiver = _FileReceiver(file, self._in_thread)
        try:
            receiver.producer = response.deliver(receiver)
            await receiver.done
        finally:
            await self._in_thread(file.close)

    async def reader(self, url: str, auth: Mapping[str, Any]) -> ForeignReader:
        """Read the root of the repository at *url*. Raises UpstreamFailed."""
        client, address = self._client_for(url, auth), root_url(url)
        content = await self._fetched(client, address)
        if content is None:
            raise UpstreamFailed(f"{address} is not there")
        root = await self._in_thread(Root.read, content, address)
        return ForeignReader(root, partial(self._fetched, client), self._in_thread)

    async def _fetched(self, client: IHttpClient, address: str) -> bytes | None:
        """Return a document; None where there is none."""
        response = await client.request(UpstreamRequest(url=address, limits=self._limits))
        if response.status == 200:
            return await read_body(response, self._limits.max_body_bytes)
        response.abort()
        if response.status in {404, 410}:
            return None
        if response.status in {401, 403}:
            raise UpstreamRefused(f"{address} wants another login ({response.status})")
        raise UpstreamFailed(f"{address} answered {response.status}")


@implementer(IBodyReceiver)
class _FileReceiver:
    """Writes a body to a file, piece by piece, off the reactor thread; the sender waits meanwhile."""

    def __init__(self, file: IO[bytes], in_thread: InThread) -> None:
        self.done: Deferred[None] = Deferred()
        self.producer: IPushProducer | None = None
        self._file = file
        self._in_thread = in_thread
        self._waiting: list[bytes] = []
        self._writing = False
        self._ended = False
        self._failure: Failure | None = None

    def received(self, chunk: bytes) -> None:
        """Take the next bytes."""
        self._waiting.append(chunk)
        if not self._writing:
            self._writing = True
            Deferred.fromCoroutine(self._write()).addErrback(self._broken)

    def ended(self, failure: Failure | None) -> None:
        """Take the end."""
        self._ended, self._failure = True, failure
        if not self._writing:
            self._finish()

    async def _write(self) -> None:
        if self.producer is not None:
            self.producer.pauseProducing()
        while self._waiting:
            chunks, self._waiting = self._waiting, []
            await self._in_thread(_written, self._file, b"".join(chunks))
        self._writing = False
        if self._ended:
            self._finish()
        elif self.producer is not None:
            self.producer.resumeProducing()

    def _finish(self) -> None:
        if not self.done.called:
            self.done.callback(None) if self._failure is None else self.done.errback(self._failure)

    def _broken(self, failure: Failure) -> None:
        if self.producer is not None and not self._ended:
            self.producer.stopProducing()
        self._writing = False
        if not self.done.called:
            self.done.errback(failure)


def _created(path: Path) -> IO[bytes]:
    try:
        return path.open("xb")
    except OSError as error:
        raise StorageFailed(f"cannot write an archive: {error.strerror}") from error


def _written(file: IO[bytes], data: bytes) -> None:
    try:
        file.write(data)
    except OSError as error:
        raise StorageFailed(f"cannot write an archive: {error.strerror}") from error
