"""Sub-repositories: their landing pages, and choosing one for the session."""

import nh3
from attrs import define, frozen
from klein import Klein
from markupsafe import Markup

from packeton.core.access.accounts import Account, Subrepo
from packeton.core.access.identities import Role, with_implied
from packeton.core.access.repositories import RESERVED_SLUGS, ROOT, SLUG
from packeton.errors import NotFound
from packeton.features.access.sessions import Sessions
from packeton.features.access.subrepos import SubrepoDirectory
from packeton.web.admin.rendering import Pages, Visit

__all__ = ["Choice", "LandingRoutes", "sanitised"]


@frozen(kw_only=True)
class Choice:
    """A repository that a visitor may choose."""

    number: int
    name: str
    slug: str
    chosen: bool


@define
class LandingRoutes:
    """`/<slug>` and `/subrepository/…`."""

    _pages: Pages
    _directory: SubrepoDirectory
    _sessions: Sessions

    def install(self, app: Klein) -> None:
        """Add these routes to *app*."""
        for path, methods, view in (
            ("/subrepository/<number>/switch", ("POST",), self.switch),
            ("/subrepository/switch-root", ("POST",), self.switch_root),
            ("/<slug>", ("GET",), self.landing),
        ):
            self._pages.install(app, path, methods, view)

    async def landing(self, visit: Visit, slug: str) -> bytes:
        """The page of a sub-repository, for whom may use it."""
        if slug in RESERVED_SLUGS or SLUG.fullmatch(slug) is None:
            raise NotFound("no such page")
        found = (await self._directory.all()).by_slug.get(slug)
        if found is None or not (found.public or _may_use(visit.account, found.id)):
            raise NotFound("no such page")
        return self.show(visit, found, f"{visit.base}/{found.slug}")

    def show(self, visit: Visit, subrepo: Subrepo, address: str) -> bytes:
        """Return the landing page of *subrepo*, which clients reach at *address*."""
        markup = Markup(sanitised(subrepo.markup)) if subrepo.markup else None  # noqa: S704  # sanitised
        may_switch = _may_use(visit.account, subrepo.id)
        return self._pages.render(
            visit, "admin/landing.html", subrepo=subrepo, address=address, markup=markup, may_switch=may_switch
        )

    async def choices(self, visit: Visit) -> list[Choice]:
        """Return the repositories that the visitor may see on the pages; the root among them is number 0."""
        known = (await self._directory.all()).by_id
        if not known or visit.cookie is None:
            return []
        found = await self._sessions.find(visit.cookie)
        chosen = None if found is None else found.session.repository
        named = [(ROOT, "The root", ""), *((one.id, one.name, one.slug) for one in known.values())]
        return [
            Choice(number=number, name=name, slug=slug, chosen=number == (chosen or ROOT))
            for number, name, slug in named
            if _may_use(visit.account, number)
        ]

    async def own(self, visit: Visit) -> list[Choice]:
        """Return where the visitor's account finds our own packages: the root, else its sub-repositories."""
        if visit.account is None:
            return []
        if _may_use(visit.account, ROOT):
            return [Choice(number=ROOT, name="The root", slug="", chosen=False)]
        return await self.choices(visit)

    async def switch(self, visit: Visit, number: str) -> bytes:
        """See this sub-repository from now on."""
        visit.form()
        known = (await self._directory.all()).by_id
        chosen = int(number) if number.isdecimal() and len(number) < 18 else -1
        if chosen not in known or not _may_use(visit.signed_in, chosen):
            raise NotFound("no such repository")
        return await self._choose(visit, chosen)

    async def switch_root(self, visit: Visit) -> bytes:
        """See the root from now on."""
        visit.form()
        if not _may_use(visit.signed_in, ROOT):
            raise NotFound("no such repository")
        return await self._choose(visit, ROOT)

    async def _choose(self, visit: Visit, repository: int) -> bytes:
        if visit.cookie is not None:
            await self._sessions.choose_repository(visit.cookie, repository)
        return self._pages.redirect(visit, "/?notice=repository")


def sanitised(markup: str) -> str:
    """Return what an administrator wrote without scripts, styles, forms, frames and event handlers."""
    return nh3.clean(
        markup,
        clean_content_tags={"script", "style"},
        link_rel="noopener noreferrer",
        url_schemes={"http", "https", "mailto"},
    )


def _may_use(account: Account | None, number: int) -> bool:
    if account is None:
        return False
    if Role.ADMIN in with_implied(account.roles):
        return True
    granted = None if account.user is None else account.user.subrepos
    return number in granted if granted else number == ROOT
