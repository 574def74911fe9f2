"""The mirrors there are, and the one gate to them."""

from collections.abc import Mapping

from attrs import frozen

from packeton.core.access.identities import ANONYMOUS, Identity
from packeton.core.access.rules import may_fill_mirror, may_use_mirror
from packeton.errors import NotFound
from packeton.features.mirroring.dists import Dists
from packeton.features.mirroring.mirrors import Mirror
from packeton.features.mirroring.refreshing import UpstreamSource

__all__ = ["MirrorDirectory", "MirrorSite", "reads_only"]


def reads_only(identity: Identity) -> bool:
    """Say if a caller may only have what others use already: a token with `mirror:read` and not `mirror:all`."""
    return not may_fill_mirror(identity)


@frozen(kw_only=True)
class MirrorSite:
    """One mirror with everything that answers for it."""

    mirror: Mirror
    dists: Dists
    source: UpstreamSource


@frozen
class MirrorDirectory:
    """All mirrors by alias."""

    sites: Mapping[str, MirrorSite]

    def visible(self) -> list[MirrorSite]:
        """Return the mirrors that an anonymous caller may use."""
        return [site for site in self.sites.values() if site.mirror.rules.public]

    def open(self, alias: str, identity: Identity = ANONYMOUS) -> MirrorSite:
        """
        Return a mirror for a caller; every route of a mirror passes here.

        Raises:
            NotFound: there is no such mirror; or an anonymous caller may use another one and not this.
            Unauthenticated: the caller is anonymous, and no mirror is public.
            Denied: the caller's groups do not allow this one.
        """
        site = self.sites.get(alias)
        any_public = bool(self.visible())
        if site is None and not identity.is_anonymous:
            raise NotFound("no such mirror")
        public = site is not None and site.mirror.rules.public
        may_use_mirror(identity, alias, public=public, any_public=any_public)
        assert site is not None, "one that is not there is not public"
        return site
