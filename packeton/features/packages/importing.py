"""
Mass import: many packages at once, out of a Composer repository or a list of addresses.

The addresses are found out before the job is put in, so that a login for the foreign repository is never stored; the
job then submits one after the other, and one that fails stops no other. Source: contract 04 section 8 of the reference.
"""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any, Final

from attrs import define, field, frozen

from packeton.core.access.identities import Identity, Role, with_implied
from packeton.core.composer.imports import Clone, matcher, preferred
from packeton.core.composer.lockfiles import names_in
from packeton.core.hooks.payloads import canonical_url
from packeton.errors import Invalid, InvalidFields, PacketonError, StorageFailed
from packeton.features.packages.foreign import ForeignRepositories
from packeton.features.packages.foreign_sources import repositories_of
from packeton.interfaces.packages import IPackageRecords, Package
from packeton.interfaces.queues import Job, JobLog, JobOrder, JobOutcome

__all__ = ["IMPORT", "Candidate", "ImportJobs", "ImportOrder", "Importing", "Submit"]

IMPORT: Final = "mass:import"
"""The type of the jobs. Source: the reference."""
MAX_LOG_CHARACTERS: Final = 64 << 10

Submit = Callable[[Mapping[str, Any], Identity, None], Awaitable[tuple[Package, Job]]]
"""Submits one package, as a form would. Raises InvalidFields."""


@frozen(kw_only=True)
class ImportOrder:
    """What is to be imported: a Composer repository (`url`), or addresses."""

    url: str = ""
    auth: Mapping[str, Any] = field(factory=dict, repr=False)
    """For `url`, as auth.json."""
    packages: str = ""
    """Names of packages to take out of it, in any form of text; nothing: all that it lists."""
    addresses: tuple[str, ...] = ()
    glob: str = ""
    """Patterns, one a line: of package names, or of the paths of `addresses`."""
    clone: Clone = Clone.DEFAULT
    credential_id: int | None = None
    limit: int | None = None


@frozen(kw_only=True)
class Candidate:
    """One address."""

    url: str
    package: str | None = None
    """The package that we have from there."""
    problem: str | None = None
    """Why it cannot be imported."""


@define
class Importing:
    """Finds candidates, and puts jobs in."""

    _packages: IPackageRecords
    _foreign: ForeignRepositories
    _put: Callable[[JobOrder], Awaitable[Job]]
    _max: int

    async def candidates(self, order: ImportOrder) -> Sequence[Candidate]:
        """
        Return what would be imported.

        Raises:
            Invalid: The order cannot be used.
            UpstreamFailed: The repository does not answer as one.
        """
        limit = min(self._max, order.limit or self._max)
        fits = matcher(order.glob)
        if order.url:
            names, _ = names_in(order.packages) if order.packages.strip() else (None, [])
            found = await repositories_of(self._foreign, order.url, order.auth, names, fits, limit)
        else:
            found = [url for url in order.addresses if fits(_path(url))]
        seen: dict[str, Candidate] = {}
        for url in found:
            candidate = await self._candidate(url, order.clone)
            seen.setdefault(candidate.url, candidate)
            if len(seen) >= limit:
                break
        return list(seen.values())

    async def submit(self, order: ImportOrder, identity: Identity) -> Job:
        """Put one job in for all candidates that we do not have. Raises as `candidates`, Invalid without any."""
        urls = [one.url for one in await self.candidates(order) if one.package is None and one.problem is None]
        if not urls:
            raise Invalid("there is nothing to import")
        payload = {
            "urls": urls,
            "credential": order.credential_id,
            "user": identity.user_id,
            "name": identity.name,
            "method": identity.method,
        }
        return await self._put(JobOrder(type=IMPORT, payload=payload))

    async def _candidate(self, url: str, clone: Clone) -> Candidate:
        try:
            address = preferred(url, clone)
        except Invalid as error:
            return Candidate(url=url[:500], problem=str(error))
        place = canonical_url(address)
        known = await self._packages.at_address(*place) if place is not None else ()
        return Candidate(url=address, package=known[0].name if known else None)


@define
class ImportJobs:
    """Handles `mass:import`; the payload is made by `Importing`."""

    _submit: Submit

    async def __call__(self, job: Job, log: JobLog) -> JobOutcome:
        """Submit one package after the other."""
        payload = job.payload
        identity = Identity(
            name=payload.get("name") or "",
            user_id=payload.get("user"),
            roles=with_implied([Role.ADMIN]),
            method=payload.get("method") or "",
        )
        told = _Bounded(log)
        made = failed = 0
        for url in payload.get("urls", ()):
            fields = {"repoType": "vcs", "repository": url, "credentials": payload.get("credential")}
            try:
                package, _ = await self._submit(fields, identity, None)
            except StorageFailed:
                raise
            except PacketonError as error:
                failed += 1
                why = "; ".join(error.fields.values()) if isinstance(error, InvalidFields) else str(error)
                told(f"{url}: {why}")
            else:
                made += 1
                told(f"{url}: added {package.name}")
        message = f"{made} package{'' if made == 1 else 's'} added, {failed} failed."
        return JobOutcome(message=message, details={"added": made, "failed": failed})


@define
class _Bounded:
    """A log of at most so many characters."""

    _log: JobLog
    _left: int = MAX_LOG_CHARACTERS

    def __call__(self, line: str) -> None:
        if self._left <= 0:
            return
        self._left -= len(line) + 1
        self._log(line if self._left > 0 else "More is not shown.")


def _path(url: str) -> str:
    """Return the part of an address that patterns are for: `group/name`."""
    place = canonical_url(url)
    return url if place is None else place[1].strip("/").removesuffix(".git")
