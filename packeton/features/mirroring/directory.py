"""The mirrors there are, and the one gate to them."""

from collections.abc import Mapping

from attrs import frozen

from packeton.errors import NotFound, Unauthenticated
from packeton.features.mirroring.dists import Dists
from packeton.features.mirroring.mirrors import Mirror

__all__ = ["MirrorDirectory", "MirrorSite"]


@frozen(kw_only=True)
class MirrorSite:
    """One mirror with everything that answers for it."""

    mirror: Mirror
    dists: Dists


@frozen
class MirrorDirectory:
    """All mirrors by alias."""

    sites: Mapping[str, MirrorSite]

    def visible(self) -> list[MirrorSite]:
        """Return the mirrors that an anonymous caller may use."""
        return [site for site in self.sites.values() if site.mirror.rules.public]

    def open(self, alias: str) -> MirrorSite:
        """
        Return a mirror for an anonymous caller; every route of a mirror passes here.

        Raises:
            NotFound: there is no such mirror; or it is not public while another one is.
            Unauthenticated: it is not public.
        """
        site = self.sites.get(alias)
        if site is not None and site.mirror.rules.public:
            return site
        if site is None or self.visible():
            raise NotFound("no such mirror")
        raise Unauthenticated("Full authentication is required to access this resource.")
