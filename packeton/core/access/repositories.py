"""Which Composer repository a request is about, the root or a sub-repository, and who may enter it."""

import re
from collections.abc import Mapping
from typing import Final

from attrs import frozen

from packeton.core.access.accounts import Subrepo
from packeton.core.access.identities import Identity, Role
from packeton.errors import Denied, NotFound, Unauthenticated

__all__ = ["RESERVED_SLUGS", "ROOT", "SLUG", "Repository", "enter"]

ROOT = 0
"""The root's place in a user's list of sub-repositories."""

RESERVED_SLUGS: Final = frozenset(
    {
        "about", "about-composer", "api", "archive", "assets", "change-password", "downloads", "explore",
        "explorepopular", "feeds", "groups", "health", "integration", "jobs", "login", "logout", "metadata",
        "metrics", "mirror", "oauth2", "p", "p1", "p2", "packages", "profile", "providers", "proxies",
        "reset-password", "search", "setup", "static", "statistics", "subrepository", "users", "versions",
        "webhooks", "zipball",
    }
)  # fmt: skip
"""First segments of our own paths."""
SLUG: Final = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9_-]{0,62}[A-Za-z0-9])?")


@frozen(kw_only=True)
class Repository:
    """The sub-repository that a request is about."""

    id: int
    slug: str
    name: str
    packages: frozenset[str]
    """Names and patterns."""
    public: bool = False
    """Anybody sees all versions of its packages: `PackageFacts.public`."""
    by_path: bool = False
    """It was named in the path; then addresses in answers name it too."""

    @classmethod
    def of(cls, subrepo: Subrepo, *, by_path: bool) -> "Repository":
        """Return a sub-repository as the active one."""
        return cls(
            id=subrepo.id,
            slug=subrepo.slug,
            name=subrepo.name,
            packages=subrepo.packages,
            public=subrepo.public,
            by_path=by_path,
        )

    def holds(self, package: str) -> bool:
        """Say if the package of this name is one of it."""
        names = self.packages
        return package in names or f"{package.partition('/')[0]}/*" in names or "*" in names


def enter(
    identity: Identity,
    chosen: Subrepo | None,
    *,
    by_path: bool,
    subrepos: Mapping[int, Subrepo],
    whole: bool = False,
) -> Repository | None:
    """
    Return the repository that the caller is in; None is the root.

    Who may not use the root is in the first sub-repository of its list instead, in all of them where *whole*.

    Args:
        chosen: What path, session or host named; None: nothing.
        subrepos: All of them, by id.
        whole: The address names no sub-repository although the package may be in one: dists, notifications.

    Raises:
        NotFound: the path names one that the caller has no grant for.
        Denied: host or session do, or the caller has no repository at all.
        Unauthenticated: the caller is anonymous and the sub-repository is not public.
    """
    granted = identity.subrepos
    everywhere = granted is None or identity.has(Role.ADMIN)
    if chosen is not None:
        if chosen.public or (not identity.is_anonymous and (everywhere or chosen.id in (granted or ()))):
            return Repository.of(chosen, by_path=by_path)
        if identity.is_anonymous:
            raise Unauthenticated("Full authentication is required to access this resource.")
        raise NotFound("no such repository") if by_path else Denied("Forbidden")
    if everywhere or not granted or ROOT in granted:
        return None
    usable = [subrepos[number] for number in granted if number in subrepos]
    if not usable:
        raise Denied("Forbidden")
    if not whole or len(usable) == 1:
        return Repository.of(usable[0], by_path=False)
    names = frozenset(name for subrepo in usable for name in subrepo.packages)
    return Repository(id=usable[0].id, slug=usable[0].slug, name=usable[0].name, packages=names)
