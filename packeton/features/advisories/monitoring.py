"""
Watching over what our packages have locked: after an update, ask which advisories hit the composer.lock of its branch.

Only names of packages that are public are asked about, and no name of a package of ours. What was found is kept in the
package's settings. Source: contract 04 section 9 of the reference.
"""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from datetime import datetime, timedelta
from hashlib import sha256
from typing import Any, Final

import orjson
from attrs import define, evolve, frozen

from packeton.core.access.identities import Identity, Role
from packeton.core.composer.advisories import (
    FORM,
    Advisory,
    asked_about,
    hits,
    ignored_in,
    question_about,
    read_advisories,
)
from packeton.core.composer.advisory_forms import advisory_from, as_kept
from packeton.core.composer.lockfiles import locked_packages
from packeton.errors import NotFound, UpstreamFailed
from packeton.features.caching.bodies import read_body
from packeton.interfaces.clocks import InThread, Now
from packeton.interfaces.packages import IPackageRecords, Package
from packeton.interfaces.sources import EventKind, OnLog, PackageEvent, SourceReport
from packeton.interfaces.upstream import IHttpClient, UpstreamLimits, UpstreamRequest

__all__ = ["SETTING", "AuditState", "SecurityMonitoring", "audit_of", "may_see_audit"]

SETTING: Final = "securityAudit"
"""In the package's settings, what the last check found."""
NAMES_A_REQUEST: Final = 500
MAX_NAMES: Final = 5000
MAX_KEPT: Final = 500
MAX_LOGGED: Final = 50
AGAIN_AFTER: Final = timedelta(seconds=600)
HEADERS: Final = (("Content-Type", FORM), ("Accept", "application/json"))
OK: Final = 200


@frozen(kw_only=True)
class AuditState:
    """What is known of a package's lock."""

    digest: str
    """Of the lock and of what is ignored."""
    checked_at: datetime
    advisories: tuple[Advisory, ...] = ()
    versions: Mapping[str, str]
    """The locked versions of the packages that they are about."""


@define
class SecurityMonitoring:
    """Asks the advisories API."""

    _packages: IPackageRecords
    _client: IHttpClient
    _url: str
    _limits: UpstreamLimits
    _is_private: Callable[[str], Awaitable[bool]]
    _in_thread: InThread
    _now: Now

    async def __call__(self, package: Package, report: SourceReport, on_log: OnLog) -> PackageEvent | None:
        """
        Check the lock that an update found; return an event when there are advisories that were not there before.

        Nothing is asked when neither the lock nor what is ignored changed, and the last check was under 600 s ago.

        Raises:
            Invalid: The lock cannot be read.
            UpstreamFailed: No answer that can be used; what was known stays.
        """
        held = await self._packages.get(package.id)
        if held is None:
            return None
        before, now = audit_of(held), self._now()
        if report.lock is None:
            if before is not None:
                await self._keep(package.id, None)
            return None
        digest, ignored, wanted = await self._in_thread(_read, report.lock, report.manifest)
        if before is not None and before.digest == digest and now - before.checked_at < AGAIN_AFTER:
            return None
        versions = {name: wanted[name] for name in wanted if not await self._is_private(name)}
        found = await self._found(versions, ignored)
        known = set() if before is None else {(one.package, one.id) for one in before.advisories}
        about = {one.package: versions[one.package] for one in found}
        state = AuditState(digest=digest, checked_at=now, advisories=tuple(found), versions=about)
        saved = await self._keep(package.id, state)
        new = [one for one in found if (one.package, one.id) not in known]
        if saved is None or not new:
            return None
        lines = [_line(one, versions[one.package]) for one in new]
        for line in lines[:MAX_LOGGED]:
            on_log(line)
        if len(lines) > MAX_LOGGED:
            on_log(f"… and {len(lines) - MAX_LOGGED} more security advisories")
        return PackageEvent(kind=EventKind.SECURITY_AUDIT, package=saved, message="\n".join(lines[:MAX_LOGGED]))

    async def _found(self, versions: Mapping[str, str], ignored: frozenset[str]) -> list[Advisory]:
        names, found = sorted(versions)[:MAX_NAMES], []
        for start in range(0, len(names), NAMES_A_REQUEST):
            content = await self._ask(names[start : start + NAMES_A_REQUEST])
            found += await self._in_thread(_hits, content, versions, ignored)
        return found[:MAX_KEPT]

    async def _ask(self, names: Sequence[str]) -> bytes:
        request = UpstreamRequest(
            method="POST", url=self._url, headers=HEADERS, body=question_about(names), limits=self._limits
        )
        response = await self._client.request(request)
        if response.status != OK:
            response.abort()
            raise UpstreamFailed(f"the advisories API answered with status {response.status}")
        return await read_body(response, self._limits.max_body_bytes)

    async def _keep(self, package_id: int, state: AuditState | None) -> Package | None:
        def noted(stored: Package) -> Package:
            settings = {name: value for name, value in stored.settings.items() if name != SETTING}
            if state is not None:
                settings[SETTING] = _to_settings(state)
            return evolve(stored, settings=settings)

        try:
            return await self._packages.change(package_id, noted)
        except NotFound:
            return None


def may_see_audit(identity: Identity, package: Package) -> bool:
    """Say if the caller may see what was found: it maintains this package, or is a maintainer anyway."""
    return identity.has(Role.MAINTAINER) or (
        identity.user_id is not None and identity.user_id in package.maintainers
    )


def audit_of(package: Package) -> AuditState | None:
    """Return what the last check of *package* found; None: it was never checked, or has no lock."""
    kept = package.settings.get(SETTING)
    if not isinstance(kept, Mapping):
        return None
    try:
        found = [advisory_from(one) for one in kept["advisories"]]
        moment = datetime.fromisoformat(kept["checkedAt"])
        return AuditState(
            digest=kept["lock"], checked_at=moment, advisories=tuple(found), versions=dict(kept["versions"])
        )
    except (KeyError, TypeError, ValueError):  # another release's form: the next check writes it anew
        return None


def _to_settings(state: AuditState) -> dict[str, Any]:
    return {
        "lock": state.digest,
        "checkedAt": state.checked_at.isoformat(),
        "versions": dict(state.versions),
        "advisories": as_kept(state.advisories),
    }


def _read(lock: bytes, manifest: bytes | None) -> tuple[str, frozenset[str], dict[str, str]]:
    ignored = ignored_in(manifest)
    digest = sha256(sha256(lock).digest() + orjson.dumps(sorted(ignored))).hexdigest()
    return digest, ignored, asked_about(locked_packages(lock))


def _hits(content: bytes, versions: Mapping[str, str], ignored: frozenset[str]) -> list[Advisory]:
    return hits(read_advisories(content), versions, ignored)


def _line(advisory: Advisory, version: str) -> str:
    names = ", ".join(name for name in (advisory.cve, advisory.id) if name)
    text = f"Security advisory for {advisory.package} {version}: {advisory.title or 'without a title'} ({names})"
    return " ".join(text.split())
