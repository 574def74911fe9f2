"""Who sees which version: the reference's matrix, and what ours adds."""

import time
from datetime import UTC, datetime
from typing import ClassVar
from unittest import TestCase

from attrs import evolve

from packeton.core.access.identities import ANONYMOUS, Grant, Identity, Role, with_implied
from packeton.core.access.rules import (
    PackageFacts,
    VersionFacts,
    may_delete_package,
    may_edit_package,
    may_fill_mirror,
    may_update_package,
    may_use_mirror,
    sees_every_version,
    sees_package,
    visible_versions,
)
from packeton.errors import Denied, NotFound, Unauthenticated

ACME = PackageFacts(name="acme/a")
VERSIONS = [
    VersionFacts("dev-main", None, "dev"),
    VersionFacts("1.9999999.9999999.9999999-dev", None, "dev"),
    VersionFacts("2.1.9999999.9999999-dev", None, "dev"),
    VersionFacts("1.0.0.0", None, "stable"),
    VersionFacts("1.0.0.0-beta1", None, "beta"),
    VersionFacts("2.0.0.0-RC1", None, "RC"),
    VersionFacts("2.1.3.0", None, "stable"),
]
MATRIX = {  # contract 01 section 7, made with composer/semver 3
    None: "YYYYYYY",
    "": "YYYYYYY",
    "*": "YYYYYYY",
    "dev-main": "Y------",
    "^1.0": "-Y-YY--",
    "1.*": "-Y-YY--",
    "^1.0@dev": "-Y-YY--",
    ">=1.0": "-YYYYYY",
    "<2.0": "-Y-YY--",
    "^1.0 | dev-main": "YY-YY--",
    "^1.0 | ^2.0": "-YYYYYY",
    "2.1.*": "--Y---Y",
    "1.x-dev": "-Y-----",
    "1.0.0": "---Y---",
    "no constraint at all": "-------",
}


def day(year: int, month: int = 1, number: int = 1) -> datetime:
    return datetime(year, month, number, tzinfo=UTC)


def customer(*grants: Grant, until: datetime | None = None, role: str = Role.USER) -> Identity:
    return Identity(name="c", user_id=7, roles=with_implied([role]), grants=grants, updates_until=until)


def shown(identity: Identity, package: PackageFacts = ACME, versions: list[VersionFacts] = VERSIONS) -> str:
    return "".join("Y" if seen else "-" for seen in visible_versions(identity, package, versions))


class ConstraintTests(TestCase):
    """Constraints and stabilities."""

    def test_matrix(self) -> None:
        """The reference's table; a constraint that cannot be read grants the package and no version of it."""
        for constraint, expected in MATRIX.items():
            with self.subTest(constraint):
                who = customer(Grant(package="acme/a", constraint=constraint))
                self.assertEqual(expected, shown(who))
                self.assertTrue(sees_package(who, ACME))
                self.assertEqual(expected, "".join("-Y"[visible_versions(who, ACME, [one])[0]] for one in VERSIONS))

    def test_groups_unite(self) -> None:
        """Two groups show what either shows."""
        who = customer(Grant(package="acme/a", constraint="^1.0"), Grant(package="acme/a", constraint="2.1.*"))
        self.assertEqual("-YYYY-Y", shown(who))
        self.assertEqual("YYYYYYY", shown(customer(*who.grants, Grant(package="acme/a"))))

    def test_patterns(self) -> None:
        """A vendor and everything; another vendor whose name begins alike is another one."""
        for pattern, expected in {"acme/*": "Y--", "*": "YYY", "acme/a": "Y--", "acme": "---", "ac*/*": "---"}.items():
            who = customer(Grant(package=pattern))
            names = ("acme/a", "acme-x/a", "other/a")
            self.assertEqual(expected, "".join("-Y"[sees_package(who, PackageFacts(name=name))] for name in names), pattern)

    def test_stability(self) -> None:
        """A group's minimum stability holds for its lines only."""
        for least, expected in {"stable": "---Y--Y", "RC": "---Y-YY", "beta": "---YYYY", "dev": "YYYYYYY", "odd": "---Y--Y"}.items():
            self.assertEqual(expected, shown(customer(Grant(package="acme/*", min_stability=least))), least)
        who = customer(Grant(package="acme/a", min_stability="stable"), Grant(package="acme/a", constraint="dev-main"))
        self.assertEqual("Y--Y--Y", shown(who))


class FreezeTests(TestCase):
    """Versions released after the freeze."""

    dated: ClassVar = [
        VersionFacts("1.0.0.0", day(2023, 6)),
        VersionFacts("1.1.0.0", day(2024, 1, 1)),
        VersionFacts("1.2.0.0", day(2024, 1, 1).replace(microsecond=1)),
        VersionFacts("2.1.0.0", day(2024, 9)),
        VersionFacts("2.2.0.0", day(2025, 2)),
        VersionFacts("dev-main", None, "dev"),
    ]

    def test_user(self) -> None:
        """The user's own freeze: the moment itself is seen, what has no date is never hidden by it."""
        who = customer(Grant(package="acme/a"), until=day(2024))
        self.assertEqual("YY---Y", shown(who, versions=self.dated))

    def test_group_comes_first(self) -> None:
        """The latest date of the groups that hold the package takes the user's place, earlier or later than it."""
        early = Grant(package="acme/a", constraint="^1.0", updates_until=day(2023, 7))
        later = Grant(package="acme/a", constraint="^1.0", updates_until=day(2024, 6))
        late = Grant(package="acme/a", constraint="2.1.*", updates_until=day(2025))
        free = Grant(package="acme/a", constraint="dev-main")
        elsewhere = Grant(package="other/a", updates_until=day(2025))
        self.assertEqual("YYY---", shown(customer(early, later, elsewhere), versions=self.dated))
        self.assertEqual("YYYY-Y", shown(customer(early, late, free, until=day(2020)), versions=self.dated))
        self.assertEqual("Y----Y", shown(customer(early, free, until=day(2030)), versions=self.dated))

    def test_visible_for_all(self) -> None:
        """It opens all versions to who signed in, but for the freeze; without an account of ours it opens nothing."""
        package = PackageFacts(name="acme/a", visible_for_all=True)
        self.assertEqual("YYYYYY", shown(customer(), package, self.dated))
        self.assertEqual("YY---Y", shown(customer(until=day(2024)), package, self.dated))
        self.assertEqual("YYYYYY", shown(customer(Grant(package="acme/a", constraint="^9")), package, self.dated))
        external = Identity(name="x", roles=with_implied([]))
        self.assertEqual("------", shown(external, package, self.dated))
        self.assertFalse(sees_package(ANONYMOUS, package))

    def test_full(self) -> None:
        """Who reads everything is not frozen."""
        for role in (Role.FULL_CUSTOMER, Role.MAINTAINER, Role.ADMIN, Role.SUPER_ADMIN):
            self.assertEqual("YYYYYY", shown(customer(until=day(2000), role=role), versions=self.dated))


class PackageTests(TestCase):
    """Packages as a whole."""

    def test_default_deny(self) -> None:
        """Nothing granted, nothing seen."""
        self.assertEqual("-------", shown(customer()))
        self.assertEqual("-------", shown(ANONYMOUS))
        self.assertFalse(sees_package(customer(Grant(package="acme/b")), ACME))

    def test_archived(self) -> None:
        """An archived package is nowhere, but where one asks for archived ones: for who would see it."""
        package, admin = PackageFacts(name="acme/a", archived=True), customer(role=Role.ADMIN)
        self.assertFalse(sees_package(admin, package))
        self.assertEqual("-------", shown(admin, package))
        self.assertTrue(sees_package(admin, package, archived=True))
        self.assertEqual([True], visible_versions(admin, package, VERSIONS[:1], archived=True))
        self.assertFalse(sees_package(customer(), package, archived=True))

    def test_public(self) -> None:
        """Through a public sub-repository anybody sees everything."""
        package = PackageFacts(name="acme/a", public=True)
        self.assertEqual("YYYYYYY", shown(ANONYMOUS, package))
        self.assertEqual("YYYYYYY", shown(customer(until=day(2000)), package))

    def test_anonymous_audience(self) -> None:
        """Anonymous readers have grants of their own; others do not get them."""
        audience = evolve(ANONYMOUS, grants=(Grant(package="acme/*", constraint="^1.0"),))
        self.assertEqual("-Y-YY--", shown(audience))
        self.assertNotEqual(ANONYMOUS.acl_class, audience.acl_class)
        self.assertFalse(sees_package(customer(), ACME))

    def test_every_version(self) -> None:
        """A dist that belongs to no known version is for those from whom nothing can be hidden."""
        self.assertTrue(sees_every_version(customer(role=Role.FULL_CUSTOMER), ACME))
        self.assertTrue(sees_every_version(customer(Grant(package="acme/a")), ACME))
        self.assertFalse(sees_every_version(customer(Grant(package="acme/a"), until=day(2030)), ACME))
        self.assertFalse(sees_every_version(customer(Grant(package="acme/a", constraint="*")), ACME))

    def test_speed(self) -> None:
        """20 000 versions, matched before, take a few milliseconds."""
        versions = [VersionFacts(f"{n // 100}.{n % 100}.0.0", day(2024)) for n in range(20_000)]
        who = customer(Grant(package="acme/a", constraint="^1.0 || ^40.2"), until=day(2025))
        visible_versions(who, ACME, versions)
        took = []
        for _ in range(5):
            began = time.process_time()
            seen = visible_versions(who, ACME, versions)
            took.append(time.process_time() - began)
        self.assertEqual(198, sum(seen))
        self.assertLess(min(took), 0.06)


class OtherTests(TestCase):
    """Mirrors, and what may be done to packages."""

    def test_mirrors(self) -> None:
        """Public, granted, and what the others are told."""
        granted = evolve(customer(), mirrors=frozenset({"m"}))
        for who in (granted, customer(role=Role.FULL_CUSTOMER), customer(role=Role.ADMIN)):
            may_use_mirror(who, "m", public=False, any_public=True)
        may_use_mirror(ANONYMOUS, "m", public=True, any_public=True)
        with self.assertRaises(Denied):
            may_use_mirror(customer(), "m", public=False, any_public=True)
        with self.assertRaises(Denied):
            may_use_mirror(granted, "other", public=False, any_public=False)
        with self.assertRaises(Unauthenticated):
            may_use_mirror(ANONYMOUS, "m", public=False, any_public=False)
        with self.assertRaises(NotFound):
            may_use_mirror(ANONYMOUS, "m", public=False, any_public=True)
        self.assertTrue(may_fill_mirror(granted))
        self.assertFalse(may_fill_mirror(evolve(granted, scopes=frozenset({"mirror:read"}))))

    def test_changing_packages(self) -> None:
        """Maintainers of the package, and roles that say so; not somebody who stopped being a maintainer."""
        package = PackageFacts(name="acme/a", maintainers=frozenset({7}))
        other = PackageFacts(name="acme/a")
        mine, former, admin = customer(role=Role.MAINTAINER), customer(), customer(role=Role.ADMIN)
        self.assertEqual([True, False, True], [may_edit_package(who, package) for who in (mine, former, admin)])
        self.assertEqual([False, False, True], [may_edit_package(who, other) for who in (mine, former, admin)])
        self.assertEqual([True, False, True], [may_update_package(who, other) for who in (mine, former, admin)])
        self.assertTrue(may_delete_package(mine, package, downloads=100))
        self.assertFalse(may_delete_package(mine, package, downloads=101))
        self.assertTrue(may_delete_package(admin, package, downloads=101))
